"""Everybody's attempts on one credential, in order of time and prepared once, so that a question of a cap costs a binary search."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recoup.category import Category
from recoup.decline import decline_of
from recoup.facts import CredentialFacts, LedgerEntry
from recoup.invoice import DeclineCodes
from recoup.meaning import unsaid
from recoup.rule_data import Cap
from recoup.words import Decline

SUCCEEDED = "succeeded"
RELEASED = "released"
# Nobody has told their outcome yet: they make wait as a decline without a reason does.
UNANSWERED = frozenset({"reserved", "confirmed", "pending", "processing", "unknown"})


@dataclass(frozen=True)
class Answer:
    """One kind of answer but success that the credential got: ``times`` ascend. ``own_case``: on the invoice that is asked about.

    ``is_told`` is false for attempts that nobody has answered yet.
    """

    decline: Decline
    category: Category
    has_codes: bool
    times: tuple[datetime, ...]
    own_case: bool
    is_told: bool

    @property
    def at(self) -> datetime:
        """When it was given for the last time."""
        return self.times[-1]


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
        """Every kind of answer on it, each once."""
        key = (credential.brand, credential.country, credential.rail)
        if key not in self._answers:
            self._answers[key] = self._collect(credential)
        return self._answers[key]

    def counted(self, cap: Cap, amount: tuple[int, str]) -> list[datetime]:
        """When each attempt was made that the cap counts, in order. What succeeded is not counted, what nobody answered is."""
        of_amount = amount if cap.key == "credential_amount" else None
        surely = cap.customer_surely if cap.initiated_by == "merchant" else None
        key = (of_amount, surely)
        if key not in self._times:
            self._times[key] = [e.at for e in self.entries if _is_counted(e, of_amount, surely)]
        return self._times[key]

    def _collect(self, credential: CredentialFacts) -> tuple[Answer, ...]:
        given: dict[tuple[DeclineCodes | None, Category, bool, bool], list[datetime]] = {}
        for entry in self.entries:
            if entry.category is not None and entry.state != SUCCEEDED:
                given.setdefault((entry.codes, entry.category, entry.own_case, True), []).append(entry.at)
            elif entry.state in UNANSWERED:
                given.setdefault((None, Category.GENERIC, entry.own_case, False), []).append(entry.at)
        return tuple(
            Answer(
                decline=decline_of(codes, credential.brand, credential.country, credential.rail) if codes else unsaid(credential),
                category=category,
                has_codes=codes is not None,
                times=tuple(times),
                own_case=own_case,
                is_told=is_told,
            )
            for (codes, category, own_case, is_told), times in given.items()
        )


def used_up(times: Sequence[datetime], limit: int, window: timedelta, now: datetime) -> tuple[int, datetime | None] | None:
    """Whether a rolling window is full: (how many it holds, when it frees a slot), or None where there is room.

    ``times`` ascend. One at ``t`` counts until ``t + window``, which is the first instant without it. A limit of 0 never frees.
    """
    inside = len(times) - bisect_right(times, now - window)
    if inside < limit:
        return None
    return inside, times[len(times) - limit] + window if limit else None


def _is_counted(entry: LedgerEntry, amount: tuple[int, str] | None, surely: float | None) -> bool:
    if entry.state == SUCCEEDED or (amount and (entry.amount_minor, entry.currency) != amount):
        return False
    return surely is None or entry.customer_initiated is not True or entry.cit_confidence < surely
