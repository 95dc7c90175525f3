"""What a policy lets run by itself, worked out a second time from its text and the facts of a decision, for checking the gate."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from babel.numbers import get_currency_precision

from evals.policy_history import PolicyText

Facts = Mapping[str, Any]

LOW_RISK = {"categories": ["funds", "generic", "technical"], "amount_under_major": 100, "attempts_up_to": 2, "templated_messages": True}
AMOUNT_OVER_BY_CURRENCY = {"JPY": 150000, "INR": 80000}


def mode_of(policy: PolicyText, facts: Facts) -> str:
    """The mode that the case was in: shadow for a held-out account, else that of the first cohort that takes it, else the policy's."""
    if facts["account"]["holdout"]:
        return "shadow"
    return next((cohort["mode"] for cohort in policy.cohorts if _takes(cohort["match"], facts)), policy.mode)


def needs_a_person(policy: PolicyText, facts: Facts, action: Mapping[str, Any]) -> str | None:
    """Why the action (risk, args, confidence) may not run without a person; None where it may."""
    mode = mode_of(policy, facts)
    if mode in {"shadow", "approve"}:
        return f"its mode is {mode}"
    if mode == "hybrid" and not _is_low_risk(policy, facts, action["risk"]):
        return "its mode is hybrid and its risk is not low"
    currency = facts["invoice"]["currency"]
    by_currency = policy.value("escalations", "amount_over_major_by_currency", AMOUNT_OVER_BY_CURRENCY)
    if _remaining(facts) > Decimal(str(by_currency.get(currency, policy.value("escalations", "amount_over_major", 1000)))):
        return "the amount is over the threshold"
    if action["confidence"] < policy.value("escalations", "confidence_under", 0.5):
        return "the confidence is under the threshold"
    if any("fraud" in (attempt["reason"] or "") for attempt in facts["attempts"]):
        return "there are signs of fraud"
    return None


def _takes(match: Mapping[str, Any], facts: Facts) -> bool:
    account, remaining = facts["account"], _remaining(facts)
    values = {
        "categories": _category(facts),
        "currencies": facts["invoice"]["currency"],
        "segments": account["segment"],
        "plan_tiers": account["plan_tier"],
        "countries": account["country"],
    }
    return (
        all(value in match[key] for key, value in values.items() if key in match)
        and remaining >= Decimal(str(match.get("amount_at_least_major", 0)))
        and ("amount_under_major" not in match or remaining < Decimal(str(match["amount_under_major"])))
        and ("share" not in match or _share(account["id"]) < match["share"])
    )


def _is_low_risk(policy: PolicyText, facts: Facts, risk: str) -> bool:
    low = LOW_RISK | policy.content.get("low_risk", {})
    if risk == "contact":
        return bool(low["templated_messages"])
    failure = _last_failure(facts)
    ours = {attempt["id"] for attempt in facts["attempts"] if attempt["initiator"] == "recoup"}
    return (
        risk == "charge"
        and failure is not None
        and failure["code_known"]
        and _category(facts) in low["categories"]
        and _remaining(facts) < Decimal(str(low["amount_under_major"]))
        and len(ours) < low["attempts_up_to"]
    )


def _last_failure(facts: Facts) -> Mapping[str, Any] | None:
    return next((attempt for attempt in reversed(facts["attempts"]) if attempt["status"] == "failed"), None)


def _category(facts: Facts) -> str:
    failure = _last_failure(facts)
    return "generic" if failure is None else failure["category"] or "generic"


def _remaining(facts: Facts) -> Decimal:
    return Decimal(facts["invoice"]["remaining_minor"]).scaleb(-get_currency_precision(facts["invoice"]["currency"]))


def _share(account_id: str) -> float:
    return int.from_bytes(hashlib.sha256(account_id.encode()).digest()[:8], "big") / 2**64
