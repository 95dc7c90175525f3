"""Turns what people answered into labels and takes out whatever could tell who a customer, or who answered, is.

What remains: amounts, days, words of closed lists, codes that are codes, and ids that were made up here. Nothing that anybody wrote.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from recoup.record import Record

# Arguments that are references, numbers, dates or words of closed lists; all others may hold what a person wrote.
KEPT_ARGS = frozenset(
    {"channel", "template", "step", "locale", "invoice_ids", "credential_id", "attempt_id", "amount_minor", "currency", "until"}
    | {"instalments", "percent", "at", "queue"}
)
ID_FIELDS = frozenset(
    {"id", "vendor_id", "credential_id", "case_id", "invoice_id", "action_id", "attempt_id", "subscription_vendor_id"}
    | {"recovered_attempt_id"}
)
CODE_FIELDS = frozenset({"decline_code", "network_decline_code", "advice_code", "network_advice_code", "gateway_code"})
A_CODE = re.compile(r"[A-Za-z0-9_]{1,40}")
# What a merchant calls its customers by is a word of its own choosing, and could be anything.
OWN_WORDS = frozenset({"segment", "plan_tier", "grace_tiers"})
# Times, zones, words of closed lists. What looks otherwise was perhaps written by somebody.
A_WORD = re.compile(r"[\w./:+-]{1,64}")
LEFT_OUT = "left_out"


class Label(Record):
    """One action: as the agents proposed it, and as a person wanted it (None: not at all)."""

    said: Literal["approved", "edited", "rejected"]
    proposed: dict[str, Any]
    final: dict[str, Any] | None


class Anonymous:
    """One decision's ids and own words, each replaced by a made-up one, the same wherever it stands."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def facts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Facts as JSON, without anything that points to a person. What people wrote is not even referred to."""
        cleaned = cast("dict[str, Any]", self._clean({key: value for key, value in facts.items() if key != "texts"}, ""))
        cleaned["connection"]["name"] = cleaned["connection"]["platform"]
        return cleaned

    def policy(self, policy: Mapping[str, Any]) -> dict[str, Any]:
        """What agents plan by; whom the merchant treats in another mode is the gate's concern alone."""
        return {key: self._clean(policy[key], key) for key in ("steps", "house")}

    def action(self, name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """An action with the arguments that nobody wrote in words."""
        kept = {key: self._clean(value, "id" if key == "invoice_ids" else key) for key, value in args.items() if key in KEPT_ARGS}
        return {"name": name, "args": kept}

    def _clean(self, value: Any, field: str) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._clean(part, str(key)) for key, part in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self._clean(part, field) for part in cast("list[Any]", value)]
        if not isinstance(value, str):
            return value
        if field in ID_FIELDS or field in OWN_WORDS:
            return self._known.setdefault(value, f"{'row' if field in ID_FIELDS else 'word'}_{len(self._known) + 1}")
        return value if (A_CODE if field in CODE_FIELDS else A_WORD).fullmatch(value) else LEFT_OUT


def label(proposed: dict[str, Any], final: dict[str, Any] | None) -> Label:
    """What the person said, by what became of the action: four eyes and edits come to the same."""
    if final is None:
        return Label(said="rejected", proposed=proposed, final=None)
    return Label(said="approved" if final == proposed else "edited", proposed=proposed, final=final)
