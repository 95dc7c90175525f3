"""What kind of failure this is, read from everybody's attempts on the account's payment methods: one of many, or the sign of something.

The thresholds are Recoup's own choice; no network or processor names them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from recoup.category import Category, Retry
from recoup.decline import Treatment
from recoup.facts import CaseFacts, LedgerEntry
from recoup.invoice import Initiator
from recoup.meaning import UNSUCCESSFUL, treatment_of
from recoup.record import Record

# Half a year holds six monthly or two quarterly invoices: fewer would tell no pattern, and older ones tell of another time.
WINDOW = timedelta(days=180)
# What fails within a week has one cause, such as two subscriptions on one expired card.
ONE_OCCASION = timedelta(days=7)
RECURRING_OCCASIONS = 2
# Of six monthly invoices in the window more than half.
CHRONIC_OCCASIONS = 4
# What was suspected a quarter ago and led to nothing since should not stop a customer for good.
FRAUD_WINDOW = timedelta(days=90)
# One card is lost or stolen now and then; two of one account within a quarter are seldom chance.
REFUSED_FOR_GOOD = 2
# Somebody whose card fails takes another one; whoever takes a third within the hour may be trying out cards.
BURST_METHODS = 3
BURST = timedelta(hours=1)


class PatternKind(StrEnum):
    """From the harmless to the gravest."""

    ONE_TIME = "one_time"
    RECURRING = "recurring"
    CHRONIC = "chronic"
    SUSPECTED_FRAUD = "suspected_fraud"


class Pattern(Record):
    """``reasons`` in words for people; ``evidence`` are ids of attempts among the facts."""

    kind: PatternKind
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]

    @property
    def says(self) -> str:
        """In one clause."""
        return f"{self.kind.replace('_', ' ')}: {'; '.join(self.reasons)}"


class Tried(Record):
    """One attempt on any of the account's payment methods. ``treatment`` None: it did not fail. ``invoice`` None: nobody knows which."""

    id: str
    at: datetime
    invoice: str | None
    credential: str | None
    by_customer: bool
    treatment: Treatment | None


Sign = tuple[str, tuple[Tried, ...]]


def failure_pattern(facts: CaseFacts) -> Pattern:
    """Suspected fraud before all else; then by how often payments failed on different occasions."""
    failed = [tried for tried in all_tried(facts) if tried.treatment]
    signs = [sign for find in (_words_of_fraud, _refused_for_good, _burst) if (sign := find(_since(failed, facts.now - FRAUD_WINDOW)))]
    if signs:
        rows = dict.fromkeys(tried.id for _, evidence in signs for tried in evidence)
        return Pattern(kind=PatternKind.SUSPECTED_FRAUD, reasons=tuple(reason for reason, _ in signs), evidence=tuple(rows))
    occasions = _occasions(_since(failed, facts.now - WINDOW))
    evidence = tuple(tried.id for tried in occasions)
    if len(occasions) < RECURRING_OCCASIONS:
        return Pattern(kind=PatternKind.ONE_TIME, reasons=(f"nothing failed on another occasion in {WINDOW.days} days",), evidence=evidence)
    kind = PatternKind.CHRONIC if len(occasions) >= CHRONIC_OCCASIONS else PatternKind.RECURRING
    reason = f"payments of different invoices failed on {len(occasions)} occasions in {WINDOW.days} days"
    return Pattern(kind=kind, reasons=(reason,), evidence=evidence)


def all_tried(facts: CaseFacts) -> list[Tried]:
    """Every attempt on the account's payment methods that the facts hold, each once, oldest first."""
    own = {attempt.id: attempt for attempt in facts.attempts}
    entries = [
        attempt.as_ledger_entry().model_copy(update={"credential_id": attempt.credential_id, "invoice_id": facts.invoice.id})
        for attempt in own.values()
    ]
    entries += [entry for entry in facts.ledger if entry.id not in own]
    return sorted((_tried(entry, facts) for entry in entries), key=lambda tried: (tried.at, tried.id))


def newest_evidence(pattern: Pattern, facts: CaseFacts) -> datetime:
    """When the last attempt was made that the pattern rests on; the case's opening where it rests on none."""
    return max((tried.at for tried in all_tried(facts) if tried.id in pattern.evidence), default=facts.case.opened_at)


def _tried(entry: LedgerEntry, facts: CaseFacts) -> Tried:
    return Tried(
        id=entry.id,
        at=entry.at,
        invoice=facts.invoice.id if entry.own_case else entry.invoice_id,
        credential=entry.credential_id or (facts.credential.id if facts.credential else None),
        by_customer=entry.initiator is Initiator.CUSTOMER or entry.customer_initiated is True,
        treatment=treatment_of(entry, facts) if entry.state in UNSUCCESSFUL else None,
    )


def _since(failed: Iterable[Tried], start: datetime) -> list[Tried]:
    return [tried for tried in failed if tried.at > start]


def _words_of_fraud(failed: Sequence[Tried]) -> Sign | None:
    spoken = tuple(tried for tried in failed if tried.treatment and tried.treatment.is_fraud)
    if not spoken:
        return None
    return f"an answer speaks of fraud, the last on {spoken[-1].at:%Y-%m-%d}", spoken


def _refused_for_good(failed: Sequence[Tried]) -> Sign | None:
    refused = tuple(tried for tried in failed if tried.credential and tried.treatment and _is_refused_for_good(tried.treatment))
    methods = {tried.credential for tried in refused}
    if len(methods) < REFUSED_FOR_GOOD:
        return None
    return f"{len(methods)} payment methods were refused for good in {FRAUD_WINDOW.days} days", refused


def _is_refused_for_good(treatment: Treatment) -> bool:
    return treatment.retry is Retry.NEVER and Category.NEVER in treatment.categories


def _burst(failed: Sequence[Tried]) -> Sign | None:
    """The newest hour in which the customer tried many methods, without success."""
    own = [tried for tried in failed if tried.by_customer and tried.credential]
    for last in reversed(range(len(own))):
        within = tuple(tried for tried in own[: last + 1] if tried.at > own[last].at - BURST)
        methods = {tried.credential for tried in within}
        if len(methods) >= BURST_METHODS:
            return f"the customer tried {len(methods)} payment methods within an hour", within
    return None


def _occasions(failed: Sequence[Tried]) -> list[Tried]:
    """The first failure of each occasion: of an invoice that had not failed before, and well after the last occasion.

    Invoices that nobody named count as one.
    """
    first: dict[str | None, Tried] = {}
    for tried in failed:
        first.setdefault(tried.invoice, tried)
    occasions: list[Tried] = []
    for tried in first.values():
        if not occasions or tried.at >= occasions[-1].at + ONE_OCCASION:
            occasions.append(tried)
    return occasions
