"""What one vendor event says, in our words: a Reading. Platform modules make them, the intake job absorbs them."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from recoup.invoice import AccountSnapshot, AttemptSnapshot, CredentialSnapshot, InvoiceSnapshot
from recoup.record import Record

# The type of the events by which enters what no webhook told: see api/jobs/reconcile.py.
RECONCILED = "recoup.reconciliation"


class EventKind(StrEnum):
    """What happened, whichever platform said it."""

    PAYMENT_FAILED = "payment_failed"
    PAYMENT_SUCCEEDED = "payment_succeeded"
    PAYMENT_PROCESSING = "payment_processing"
    PAYMENT_ACTION_REQUIRED = "payment_action_required"
    PAYMENT_REVERSED = "payment_reversed"
    PAYMENT_REFUNDED = "payment_refunded"
    INVOICE_CHANGED = "invoice_changed"
    INVOICE_CREDITED = "invoice_credited"
    INVOICE_VOIDED = "invoice_voided"
    INVOICE_UNCOLLECTIBLE = "invoice_uncollectible"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_CLOSED = "dispute_closed"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    SUBSCRIPTION_CHANGED = "subscription_changed"
    METHOD_UPDATED = "method_updated"
    METHOD_REMOVED = "method_removed"
    ACCOUNT_CHANGED = "account_changed"
    ACCOUNT_MERGED = "account_merged"
    ACCOUNT_CLOSED = "account_closed"
    OPTED_OUT = "opted_out"
    ACTION_RESULT = "action_result"
    RECONCILIATION = "reconciliation"
    OTHER = "other"


class CancellationKind(StrEnum):
    """How a subscription ended; policy says what each does to the debt."""

    IMMEDIATE = "immediate"
    PERIOD_END = "period_end"
    NON_PAYMENT = "non_payment"


class EventIdentity(NamedTuple):
    """What intake must know of an event before it keeps it. The same ``vendor_event_id`` on one connection is the same event."""

    vendor_event_id: str
    event_type: str
    livemode: bool | None


class ObjectRef(Record):
    """A vendor object that an event only points at. ``kind`` is the vendor's word: invoice, payment, subscription, account..."""

    kind: str
    vendor_id: str


class Reading(Record):
    """All that one event (or one read of the platform) tells us.

    Exactly one of three holds: ``ignored_because`` is set (nothing to do, and why); ``fetch`` is set (the event is only a
    pointer, the object must be read through the billing port); or the snapshots are to be merged and ``kind`` acted on.
    ``dispute_won`` goes with DISPUTE_CLOSED, ``cancellation`` with SUBSCRIPTION_CANCELLED, whose ``subscription_vendor_id``
    names every invoice concerned. ``channel`` goes with OPTED_OUT (None: all channels). A DISPUTE or REFUND that names only
    a charge carries it in ``charge_vendor_id``; ``intent_vendor_id`` likewise.
    """

    kind: EventKind
    event_type: str
    occurred_at: datetime
    livemode: bool | None = None
    ignored_because: str | None = None
    fetch: ObjectRef | None = None
    account: AccountSnapshot | None = None
    invoice: InvoiceSnapshot | None = None
    attempts: tuple[AttemptSnapshot, ...] = ()
    credentials: tuple[CredentialSnapshot, ...] = ()
    subscription_vendor_id: str | None = None
    cancellation: CancellationKind | None = None
    charge_vendor_id: str | None = None
    intent_vendor_id: str | None = None
    dispute_won: bool | None = None
    channel: str | None = None
