"""What is owed on an invoice, from its merged snapshot and its attempts: the ground that the lifecycle stands on."""

from collections.abc import Sequence

from recoup.case import DebtState
from recoup.invoice import AttemptSnapshot, AttemptStatus, BillingReason, CollectionMethod, InvoiceSnapshot, InvoiceStatus

NOT_DUNNED = frozenset({BillingReason.SUBSCRIPTION_CREATE, BillingReason.MANUAL})
IN_FLIGHT = frozenset({AttemptStatus.PENDING, AttemptStatus.PROCESSING, AttemptStatus.UNKNOWN})
FAILED = frozenset({AttemptStatus.FAILED, AttemptStatus.REQUIRES_ACTION})


def debt_of(invoice: InvoiceSnapshot, attempts: Sequence[AttemptSnapshot], *, is_cancelled: bool = False) -> DebtState:
    """How the debt stands. ``is_cancelled``: the subscription ended in a way that by policy takes the debt with it."""
    remaining = _taken_back(invoice, attempts) if invoice.status is InvoiceStatus.PAID else remaining_minor(invoice) or 0
    return DebtState(
        is_dunnable=invoice.collection_method is not CollectionMethod.SEND_INVOICE and invoice.billing_reason not in NOT_DUNNED,
        is_owed=_is_collectible(invoice) and remaining > 0 and not is_cancelled,
        remaining_minor=remaining,
        has_failed_attempt=any(attempt.status in FAILED for attempt in attempts),
        has_processing_attempt=any(attempt.status in IN_FLIGHT for attempt in attempts),
        paid_minor=_paid(invoice, attempts),
        is_void=invoice.status is InvoiceStatus.VOID,
        is_uncollectible=invoice.status is InvoiceStatus.UNCOLLECTIBLE,
        overpaid_minor=overpaid_minor(invoice, charged_minor(attempts)),
    )


def remaining_minor(invoice: InvoiceSnapshot) -> int | None:
    """What is still to be paid, in minor units: as the platform says, else counted from what it says; None where nobody can tell."""
    if invoice.status is InvoiceStatus.PAID:
        return 0
    if invoice.remaining_minor is not None:
        return max(0, invoice.remaining_minor)
    total = invoice.total_minor if invoice.total_minor is not None else invoice.due_minor
    if total is None:
        return None
    return max(0, total - (invoice.paid_minor or 0) - (invoice.credited_minor or 0))


def overpaid_minor(invoice: InvoiceSnapshot, charged_minor: int = 0) -> int:
    """What was paid above the total and not given back, in minor units: as the invoice says, or as the charges that succeeded do, since
    not every version of every platform adds up what came after the invoice was paid."""
    total = invoice.total_minor if invoice.total_minor is not None else invoice.due_minor
    if total is None:
        return 0
    return max(0, max(invoice.paid_minor or 0, charged_minor) - (invoice.refunded_minor or 0) - total)


def charged_minor(attempts: Sequence[AttemptSnapshot]) -> int:
    """What charges brought, in minor units; each is counted once, and what has no charge's id not at all."""
    brought = {a.charge_vendor_id: a.amount_minor or 0 for a in attempts if a.charge_vendor_id and a.status is AttemptStatus.SUCCEEDED}
    return sum(brought.values())


def _is_collectible(invoice: InvoiceSnapshot) -> bool:
    """Some platforms keep an invoice ``paid`` when its payment was charged back; what a reversal took is owed all the same."""
    return invoice.currency is not None and invoice.status in {InvoiceStatus.OPEN, InvoiceStatus.PAID}


def _paid(invoice: InvoiceSnapshot, attempts: Sequence[AttemptSnapshot]) -> int:
    """Whether and how much money came, from whichever of the two tells."""
    if invoice.paid_minor is not None:
        return invoice.paid_minor
    return sum(_amount(attempt, _total(invoice)) for attempt in attempts if attempt.status is AttemptStatus.SUCCEEDED)


def _taken_back(invoice: InvoiceSnapshot, attempts: Sequence[AttemptSnapshot]) -> int:
    total = _total(invoice)
    back = sum(_amount(attempt, total) for attempt in attempts if attempt.status is AttemptStatus.REVERSED)
    kept = sum(_amount(attempt, total) for attempt in attempts if attempt.status is AttemptStatus.SUCCEEDED)
    return max(0, min(back, total - (invoice.credited_minor or 0) - kept))


def _amount(attempt: AttemptSnapshot, whole: int) -> int:
    return attempt.amount_minor if attempt.amount_minor is not None else whole


def _total(invoice: InvoiceSnapshot) -> int:
    return invoice.total_minor if invoice.total_minor is not None else invoice.due_minor or 0
