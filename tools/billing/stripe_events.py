"""Stripe's webhook events of any API version, read purely: what happened, and the snapshots that stand in the event."""

from collections.abc import Callable
from datetime import datetime

from recoup.errors import Malformed
from recoup.events import CancellationKind, EventIdentity, EventKind, Reading
from recoup.invoice import AttemptSnapshot, AttemptStatus, CredentialSlot, InvoiceSnapshot
from tools.billing.json_part import Part
from tools.billing.strict_json import parse_object
from tools.billing.stripe_envelope import FIRST_TOLD, Envelope
from tools.billing.stripe_invoices import (
    account_of,
    account_of_invoice,
    attempts_of_invoice,
    credentials_of_invoice,
    invoice_of,
    subscription_of,
)
from tools.billing.stripe_payments import (
    attempt_of_charge,
    attempt_of_intent,
    attempt_of_invoice_payment,
    credential_named,
    credential_of,
    credentials_of_payment,
    currency_of,
    made_by,
)
from tools.billing.stripe_types import INVOICE_KINDS, TYPES, reason_to_ignore

ATTEMPT_KINDS = {
    AttemptStatus.SUCCEEDED: EventKind.PAYMENT_SUCCEEDED,
    AttemptStatus.FAILED: EventKind.PAYMENT_FAILED,
    AttemptStatus.PROCESSING: EventKind.PAYMENT_PROCESSING,
    AttemptStatus.REQUIRES_ACTION: EventKind.PAYMENT_ACTION_REQUIRED,
    AttemptStatus.REVERSED: EventKind.PAYMENT_REVERSED,
    AttemptStatus.PENDING: EventKind.OTHER,
    AttemptStatus.UNKNOWN: EventKind.OTHER,
}


def event_identity(payload: str, content_type: str) -> EventIdentity:  # noqa: ARG001 - the platform modules share one signature
    """What intake must know before it keeps the event; raises Malformed."""
    event = Part(parse_object(payload), "")
    return EventIdentity(event.need_text("id"), event.need_text("type"), event.flag("livemode"))


def read_event(payload: str, content_type: str) -> Reading:  # noqa: ARG001 - the platform modules share one signature
    """What one event says; raises Malformed and names the field that is missing or wrong."""
    event = Part(parse_object(payload), "")
    data = event.part("data")
    envelope = Envelope(
        event_type=event.need_text("type"),
        created=event.need_time("created"),
        livemode=event.flag("livemode"),
        subject=data.part("object"),
        previous=data.part("previous_attributes"),
        key=event.part("request").text("idempotency_key"),
        request_id=event.part("request").text("id"),
    )
    named = TYPES.get(envelope.event_type)
    if named is None:
        return envelope.reading(EventKind.OTHER, ignored_because=reason_to_ignore(envelope.event_type) or "unknown type")
    if not envelope.subject:
        raise Malformed("data.object is missing")
    # Some senders put another object into an event than its type says: what it is counts, not what it should be.
    return OBJECTS.get(envelope.subject.text("object") or named, OBJECTS[named])(envelope)


def reading_of(event_type: str, at: datetime, subject: Part, previous: Part) -> Reading:
    """What an event of that type would say of an object that was read at ``at``; raises Malformed."""
    told = Envelope(event_type=event_type, created=at, livemode=subject.flag("livemode"), subject=subject, previous=previous)
    return OBJECTS[TYPES[event_type]](told)


def _read_invoice(envelope: Envelope) -> Reading:
    invoice, at = envelope.subject, envelope.created
    kind = INVOICE_KINDS.get(envelope.event_type, EventKind.INVOICE_CHANGED)
    return envelope.reading(
        kind,
        invoice=invoice_of(invoice, at),
        account=account_of_invoice(invoice, at),
        attempts=attempts_of_invoice(invoice, kind, at),
        credentials=credentials_of_invoice(invoice),
        subscription_vendor_id=subscription_of(invoice),
    )


def _read_invoice_payment(envelope: Envelope) -> Reading:
    payment, at = envelope.subject, envelope.created
    attempt = attempt_of_invoice_payment(payment, at, open_means=None)
    subscription = subscription_of(payment)
    expanded = payment.part("invoice")
    snapshot = invoice_of(expanded, at) if expanded else None
    bare = InvoiceSnapshot(
        vendor_id=payment.ref("invoice") or payment.need_text("invoice"),
        observed_at=at,
        currency=currency_of(payment),
        subscription_vendor_id=subscription,
    )
    return envelope.reading(
        ATTEMPT_KINDS[attempt.status] if attempt else EventKind.INVOICE_CHANGED,
        invoice=snapshot or bare,
        account=account_of_invoice(expanded, at) if expanded else None,
        attempts=(attempt,) if attempt else (),
        subscription_vendor_id=subscription,
    )


def _read_charge(envelope: Envelope) -> Reading:
    charge = envelope.subject
    attempt = attempt_of_charge(charge, envelope.created)
    is_refund = envelope.event_type == "charge.refunded"
    kind = EventKind.PAYMENT_REFUNDED if is_refund else ATTEMPT_KINDS[attempt.status]
    return _payment(envelope, charge, attempt, kind, refunded_minor=charge.integer("amount_refunded") if is_refund else None)


def _read_intent(envelope: Envelope) -> Reading:
    attempt = attempt_of_intent(envelope.subject, envelope.created)
    return _payment(envelope, envelope.subject, attempt, ATTEMPT_KINDS[attempt.status], refunded_minor=None)


def _payment(envelope: Envelope, payment: Part, attempt: AttemptSnapshot, kind: EventKind, refunded_minor: int | None) -> Reading:
    """A charge or an intent. It names its invoice until 2025-03-31; later, its invoice is known by the ids of what paid it."""
    invoice_id, at = payment.ref("invoice"), envelope.created
    snapshot = None
    if payment.part("invoice"):
        snapshot = invoice_of(payment.part("invoice"), at)
    elif invoice_id:
        snapshot = InvoiceSnapshot(
            vendor_id=invoice_id, observed_at=at, account_vendor_id=payment.ref("customer"), refunded_minor=refunded_minor
        )
    return envelope.reading(
        kind,
        invoice=snapshot,
        account=envelope.account(),
        attempts=(made_by(attempt, envelope.key, envelope.request_id) if envelope.event_type in FIRST_TOLD else attempt,),
        credentials=credentials_of_payment(payment),
        charge_vendor_id=attempt.charge_vendor_id,
        intent_vendor_id=attempt.intent_vendor_id,
    )


def _read_dispute(envelope: Envelope) -> Reading:
    dispute = envelope.subject
    is_closed = envelope.event_type == "charge.dispute.closed"
    intent_id = dispute.ref("payment_intent")
    charge_id = dispute.ref("charge") if intent_id else dispute.ref("charge") or dispute.need_text("charge")
    return envelope.reading(
        EventKind.DISPUTE_CLOSED if is_closed else EventKind.DISPUTE_OPENED,
        charge_vendor_id=charge_id,
        intent_vendor_id=intent_id,
        # Every end but "lost" leaves the money where it was: an inquiry that was let go, a dispute that a refund prevented.
        dispute_won=dispute.need_text("status") != "lost" if is_closed else None,
    )


def _read_subscription(envelope: Envelope) -> Reading:
    subscription = envelope.subject
    subscription_id = subscription.need_text("id")
    changed_method = _changed_to(envelope.previous, subscription, ("default_payment_method", "default_source"))
    # One that is set to end with its period is cancelled in the customer's mind, though it still runs; the debt stays owed by default.
    is_set_to_end = subscription.flag("cancel_at_period_end") is True and envelope.previous.flag("cancel_at_period_end") is False
    is_over = envelope.event_type == "customer.subscription.deleted" or subscription.text("status") == "canceled" or is_set_to_end
    kind = EventKind.SUBSCRIPTION_CANCELLED if is_over else EventKind.SUBSCRIPTION_CHANGED
    credentials: tuple[object, ...] = ()
    if changed_method is not None and not is_over:
        kind = EventKind.METHOD_UPDATED
        credentials = (_method(subscription, changed_method, slot=CredentialSlot.SUBSCRIPTION),)
    return envelope.reading(
        kind,
        account=envelope.account(),
        credentials=credentials,
        subscription_vendor_id=subscription_id,
        cancellation=_cancellation(subscription) if is_over else None,
    )


def _cancellation(subscription: Part) -> CancellationKind:
    if subscription.part("cancellation_details").text("reason") == "payment_failed":
        return CancellationKind.NON_PAYMENT
    return CancellationKind.PERIOD_END if subscription.flag("cancel_at_period_end") else CancellationKind.IMMEDIATE


def _read_method(envelope: Envelope) -> Reading:
    is_removed = envelope.event_type in {"payment_method.detached", "customer.source.deleted"}
    is_new = envelope.event_type in {"payment_method.attached", "customer.source.created"}
    # A new method is in no slot yet; the event that puts it into one follows.
    told: dict[str, object] = {"slot": CredentialSlot.BACKUP} if is_new else {"is_usable": False} if is_removed else {}
    return envelope.reading(
        EventKind.METHOD_REMOVED if is_removed else EventKind.METHOD_UPDATED,
        account=envelope.account(),
        credentials=(credential_of(envelope.subject, **told),),
    )


def _read_customer(envelope: Envelope) -> Reading:
    customer = envelope.subject
    account = account_of(customer, envelope.created)
    if envelope.event_type == "customer.deleted":
        return envelope.reading(EventKind.ACCOUNT_CLOSED, account=account)
    previous, settings = envelope.previous, customer.part("invoice_settings")
    if _changed_to(previous.part("invoice_settings"), settings, ("default_payment_method",)):
        default = _method(settings, "default_payment_method", slot=CredentialSlot.CUSTOMER)
        return envelope.reading(EventKind.METHOD_UPDATED, account=account, credentials=(default,))
    if _changed_to(previous, customer, ("default_source",)):
        default = _method(customer, "default_source", slot=CredentialSlot.CUSTOMER)
        return envelope.reading(EventKind.METHOD_UPDATED, account=account, credentials=(default,))
    default_id = settings.ref("default_payment_method") or customer.ref("default_source")
    sources = [source for source in customer.parts("sources") if source.has("id")]
    slots = {True: CredentialSlot.CUSTOMER, False: CredentialSlot.BACKUP}
    credentials = tuple(credential_of(source, slot=slots[source.text("id") == default_id]) for source in sources)
    return envelope.reading(EventKind.ACCOUNT_CHANGED, account=account, credentials=credentials)


def _read_mandate(envelope: Envelope) -> Reading:
    mandate = envelope.subject
    status = mandate.text("status")
    told: dict[str, object] = {
        "mandate_vendor_id": mandate.need_text("id"),
        "mandate_status": status,
        "mandate_scope": mandate.text("type"),
    }
    if status in {"active", "inactive"}:
        told["is_usable"] = status == "active"
    method_id = mandate.ref("payment_method") or mandate.need_text("payment_method")
    kinds = {"active": EventKind.METHOD_UPDATED, "inactive": EventKind.METHOD_REMOVED}
    return envelope.reading(kinds.get(status or "", EventKind.OTHER), credentials=(credential_named(method_id, **told),))


def _read_credit_note(envelope: Envelope) -> Reading:
    note, at = envelope.subject, envelope.created
    expanded = note.part("invoice")
    # One note does not tell what all of them sum up to: the invoice's own event does.
    bare = InvoiceSnapshot(
        vendor_id=note.ref("invoice") or note.need_text("invoice"),
        observed_at=at,
        account_vendor_id=note.ref("customer"),
        currency=currency_of(note),
    )
    is_void = envelope.event_type == "credit_note.voided"
    return envelope.reading(
        EventKind.INVOICE_CHANGED if is_void else EventKind.INVOICE_CREDITED,
        invoice=invoice_of(expanded, at) if expanded else bare,
        account=envelope.account(),
    )


def _changed_to(previous: Part, current: Part, keys: tuple[str, ...]) -> str | None:
    """The first of ``keys`` that this event set to another object."""
    changed = (key for key in keys if key in previous.values and current.ref(key) and current.ref(key) != previous.ref(key))
    return next(changed, None)


def _method(owner: Part, key: str, *, slot: CredentialSlot) -> object:
    method = owner.part(key)
    return credential_of(method, slot=slot) if method.has("id") else credential_named(owner.ref(key) or "", slot=slot)


OBJECTS: dict[str, Callable[[Envelope], Reading]] = {
    "invoice": _read_invoice,
    "invoice_payment": _read_invoice_payment,
    "charge": _read_charge,
    "payment_intent": _read_intent,
    "dispute": _read_dispute,
    "subscription": _read_subscription,
    "payment_method": _read_method,
    "card": _read_method,
    "bank_account": _read_method,
    "source": _read_method,
    "customer": _read_customer,
    "mandate": _read_mandate,
    "credit_note": _read_credit_note,
}
