"""Everybody's attempts on one credential, in order of time and prepared once, so that a question of a cap costs a binary search."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recoup.category import Category
from recoup.decline import Decline, decline_of
from recoup.facts import CredentialFacts, LedgerEntry
from recoup.invoice import DeclineCodes
from recoup.rule_data import Cap, load_rules

SUCCEEDED = "succeeded"
RELEASED = "released"
# Nobody has answered these yet: whatever a cap asks of the answer, they may turn out to be it.
UNANSWERED = frozenset({"reserved", "unknown", "pending", "processing"})


@dataclass(frozen=True)
class Answer:
    """One kind of decline that the credential got, and when for the last time. ``own_case``: on the invoice in question."""

    decline: Decline
    category: Category
    has_codes: bool
    at: datetime
    own_case: bool


class Ledger:
    """Attempts and reservations on one credential, whoever made them; what was released never happened."""

    def __init__(self, entries: Iterable[LedgerEntry]) -> None:
        self.entries: tuple[LedgerEntry, ...] = tuple(sorted((e for e in entries if e.state != RELEASED), key=lambda e: e.at))
        self._times: dict[tuple[object, ...], list[datetime]] = {}
        self._answers: dict[tuple[str | None, str | None, str], tuple[Answer, ...]] = {}
        self._successes: dict[tuple[int, str] | None, datetime] = {}
        for entry in self.entries:
            if entry.state == SUCCEEDED:
                self._successes[None] = self._successes[entry.amount_minor, entry.currency] = entry.at

    def succeeded_at(self, amount: tuple[int, str] | None = None) -> datetime | None:
        """When money last came from it, of one amount (minor units, currency) or of any."""
        return self._successes.get(amount)

    def answers(self, credential: CredentialFacts) -> tuple[Answer, ...]:
        """Every kind of decline on it, each once, with its newest time."""
        key = (credential.brand, credential.country, credential.rail)
        if key not in self._answers:
            self._answers[key] = self._collect(credential)
        return self._answers[key]

    def counted(self, cap: Cap, amount: tuple[int, str]) -> list[datetime]:
        """When each attempt was made that the cap counts, in order. What succeeded is not counted, what nobody answered is."""
        of_amount = amount if cap.key == "credential_amount" else None
        surely = cap.customer_surely if cap.initiated_by == "merchant" else None
        key = (of_amount, surely, cap.after_categories, cap.after_advice)
        if key not in self._times:
            counted = [e for e in self.entries if _is_counted(e, of_amount, surely, cap)]
            # What nobody answered yet counts once there is an answer that it could repeat.
            first = next((i for i, e in enumerate(counted) if not cap.is_conditional or e.state not in UNANSWERED), len(counted))
            self._times[key] = [e.at for e in counted[first:]]
        return self._times[key]

    def _collect(self, credential: CredentialFacts) -> tuple[Answer, ...]:
        newest: dict[tuple[DeclineCodes | None, Category, bool], datetime] = {}
        for entry in self.entries:
            if entry.category is not None and entry.state != SUCCEEDED:
                newest[entry.codes, entry.category, entry.own_case] = entry.at
        return tuple(
            Answer(
                decline=decline_of(codes, credential.brand, credential.country, credential.rail) if codes else _unsaid(credential),
                category=category,
                has_codes=codes is not None,
                at=at,
                own_case=own_case,
            )
            for (codes, category, own_case), at in newest.items()
        )


def used_up(times: Sequence[datetime], limit: int, window: timedelta, now: datetime) -> tuple[int, datetime | None] | None:
    """Whether a rolling window is full: (how many it holds, when it frees a slot), or None where there is room.

    ``times`` ascend. One at ``t`` counts until ``t + window``, which is the first instant without it. A limit of 0 never frees.
    """
    inside = len(times) - bisect_right(times, now - window)
    if inside < limit:
        return None
    return inside, times[len(times) - limit] + window if limit else None


def _is_counted(entry: LedgerEntry, amount: tuple[int, str] | None, surely: float | None, cap: Cap) -> bool:
    if entry.state == SUCCEEDED or (amount and (entry.amount_minor, entry.currency) != amount):
        return False
    if surely is not None and entry.customer_initiated is True and entry.cit_confidence >= surely:
        return False
    if not cap.is_conditional or entry.state in UNANSWERED:
        return True
    advice = entry.codes.network_advice_code if entry.codes else None
    return entry.category in cap.after_categories or advice in cap.after_advice


def _unsaid(credential: CredentialFacts) -> Decline:
    network = load_rules().speakers.network(credential.brand)
    return Decline(processor="", network=network, country=credential.country, rail=credential.rail)
