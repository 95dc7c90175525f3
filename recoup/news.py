"""What a reading changed, told to the lifecycle as facts, the decisive ones first."""

from collections.abc import Sequence

from recoup.case import Attribution, Fact, FactKind
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptSnapshot, AttemptStatus, Initiator, InvoiceSnapshot
from recoup.policy import Policy
from recoup.record import Record

ATTEMPT_FACTS = {
    AttemptStatus.SUCCEEDED: FactKind.ATTEMPT_SUCCEEDED,
    AttemptStatus.REVERSED: FactKind.ATTEMPT_REVERSED,
    AttemptStatus.FAILED: FactKind.ATTEMPT_FAILED,
    AttemptStatus.REQUIRES_ACTION: FactKind.ACTION_REQUIRED,
    AttemptStatus.PROCESSING: FactKind.ATTEMPT_PROCESSING,
    AttemptStatus.PENDING: FactKind.ATTEMPT_PROCESSING,
    AttemptStatus.UNKNOWN: FactKind.ATTEMPT_PROCESSING,
}

# Money first: a reading that brings the failure and the payment together must end the case as paid, by whoever paid it.
ORDER = (
    FactKind.ATTEMPT_SUCCEEDED,
    FactKind.ATTEMPT_REVERSED,
    FactKind.ATTEMPT_PROCESSING,
    FactKind.ACTION_REQUIRED,
    FactKind.ATTEMPT_FAILED,
)

KIND_FACTS = {
    EventKind.DISPUTE_OPENED: FactKind.DISPUTE_OPENED,
    EventKind.DISPUTE_CLOSED: FactKind.DISPUTE_CLOSED,
    EventKind.SUBSCRIPTION_CANCELLED: FactKind.SUBSCRIPTION_CANCELLED,
    EventKind.METHOD_UPDATED: FactKind.METHOD_UPDATED,
    EventKind.PAYMENT_REFUNDED: FactKind.REFUNDED,
}

# A reading may tell of a failure without showing the attempt.
KIND_FACTS_WITHOUT_ATTEMPTS = {
    EventKind.PAYMENT_FAILED: FactKind.ATTEMPT_FAILED,
    EventKind.PAYMENT_ACTION_REQUIRED: FactKind.ACTION_REQUIRED,
}

# What an event tells although nothing of it is new, where the invoice has no case.
KIND_FACTS_WITHOUT_CASE = KIND_FACTS_WITHOUT_ATTEMPTS | {EventKind.PAYMENT_REVERSED: FactKind.ATTEMPT_REVERSED}

ATTRIBUTIONS = {
    Initiator.RECOUP: Attribution.RECOUP,
    Initiator.PLATFORM: Attribution.PLATFORM,
    Initiator.CUSTOMER: Attribution.CUSTOMER_LINK,
    Initiator.MERCHANT: Attribution.OUT_OF_BAND,
}

MONEY_FIELDS = ("status", "currency", "total_minor", "due_minor", "paid_minor", "remaining_minor", "credited_minor", "refunded_minor")


class InvoiceChange(Record):
    """The invoice as merged before (None: it was not known) and after a reading."""

    before: InvoiceSnapshot | None
    after: InvoiceSnapshot

    @property
    def is_any(self) -> bool:
        """Whether anything but the time of reading is different."""
        return self.before is None or _without_time(self.before) != _without_time(self.after)

    @property
    def is_money(self) -> bool:
        """Whether what is owed, paid or given back is different."""
        before = self.before
        return before is None or any(getattr(before, field) != getattr(self.after, field) for field in MONEY_FIELDS)

    @property
    def is_collector(self) -> bool:
        """Whether somebody else retries it than before. Where nobody had told, it is no change."""
        before = self.before
        return before is not None and before.collector is not None and before.collector is not self.after.collector

    @property
    def is_credit(self) -> bool:
        """Whether the merchant reduced the debt without money."""
        before = self.before.credited_minor if self.before else 0
        return (self.after.credited_minor or 0) > (before or 0)


class AttemptChange(Record):
    """An attempt as merged before (None: it was not known) and after a reading."""

    before: AttemptSnapshot | None
    after: AttemptSnapshot

    @property
    def is_any(self) -> bool:
        """Whether anything but the time of reading is different."""
        return self.before is None or _without_time(self.before) != _without_time(self.after)

    @property
    def is_status(self) -> bool:
        """Whether the lifecycle has not heard of this status yet."""
        return self.before is None or self.before.status is not self.after.status


def facts_of(
    reading: Reading,
    invoice: InvoiceChange | None,
    changes: Sequence[AttemptChange],
    attempts: Sequence[AttemptSnapshot],
    policy: Policy,
) -> list[Fact]:
    """The facts of one invoice. ``changes`` are the attempts that the reading touched, ``attempts`` all that are known now."""
    moved = [_attempt_fact(change.after) for change in changes if change.is_status]
    facts = sorted(moved, key=lambda fact: ORDER.index(fact.kind))
    if invoice is not None and invoice.is_money and (invoice.before is not None or not facts):
        facts.append(_invoice_fact(invoice, attempts))
    if invoice is not None and invoice.is_collector:
        facts.append(Fact(kind=FactKind.COLLECTOR_CHANGED))
    if not reading.attempts and reading.kind in KIND_FACTS_WITHOUT_ATTEMPTS:
        facts.append(Fact(kind=KIND_FACTS_WITHOUT_ATTEMPTS[reading.kind]))
    if reading.kind in KIND_FACTS:
        facts.append(_kind_fact(reading, attempts, policy))
    return facts


def news_all_the_same(reading: Reading, *, is_history: bool) -> list[Fact]:
    """What is said of an invoice that has no case and of which nothing changed. History says how it stands: the policy may have changed
    since it was told before."""
    kind = FactKind.INVOICE_CHANGED if is_history else KIND_FACTS_WITHOUT_CASE.get(reading.kind)
    return [Fact(kind=kind)] if kind else []


def concerned_attempt(reading: Reading, attempts: Sequence[AttemptSnapshot]) -> AttemptSnapshot | None:
    """The attempt that a dispute, reversal or refund names by its charge, else by its intent (the newest success of it)."""
    if reading.charge_vendor_id is not None:
        return next((a for a in attempts if reading.charge_vendor_id in {a.charge_vendor_id, a.vendor_key}), None)
    if reading.intent_vendor_id is None:
        return None
    of_intent = [a for a in attempts if a.intent_vendor_id == reading.intent_vendor_id]
    return max(of_intent, key=lambda a: (a.status is AttemptStatus.SUCCEEDED, a.occurred_at, a.vendor_key), default=None)


def _attempt_fact(attempt: AttemptSnapshot) -> Fact:
    won = attempt.status is AttemptStatus.SUCCEEDED
    return Fact(
        kind=ATTEMPT_FACTS[attempt.status],
        attempt_key=attempt.vendor_key,
        attribution=ATTRIBUTIONS[attempt.initiator] if won else None,
    )


def _invoice_fact(change: InvoiceChange, attempts: Sequence[AttemptSnapshot]) -> Fact:
    """The invoice may say "paid" after its attempt did; a credit is nobody's payment."""
    succeeded = [attempt for attempt in attempts if attempt.status is AttemptStatus.SUCCEEDED]
    if change.is_credit or not succeeded:
        return Fact(kind=FactKind.INVOICE_CHANGED)
    winner = max(succeeded, key=lambda attempt: (attempt.occurred_at, attempt.vendor_key))
    return Fact(kind=FactKind.INVOICE_CHANGED, attempt_key=winner.vendor_key, attribution=ATTRIBUTIONS[winner.initiator])


def _kind_fact(reading: Reading, attempts: Sequence[AttemptSnapshot], policy: Policy) -> Fact:
    attempt = concerned_attempt(reading, attempts)
    return Fact(
        kind=KIND_FACTS[reading.kind],
        attempt_key=attempt.vendor_key if attempt else None,
        cancellation=reading.cancellation,
        cancellation_voids_debt=reading.cancellation is not None and policy.voids_debt.get(reading.cancellation, False),
        dispute_won=reading.dispute_won,
    )


def _without_time(snapshot: InvoiceSnapshot | AttemptSnapshot) -> dict[str, object]:
    return snapshot.model_dump(exclude={"observed_at", "revision"})
