"""Recurly's webhooks, read purely: classic notifications in rich XML, and thin JSON that only points at what is to be fetched."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from recoup.errors import Malformed
from recoup.events import EventIdentity, EventKind, ObjectRef, Reading
from recoup.invoice import AttemptStatus, CredentialSnapshot, InvoiceStatus
from tools.billing.json_part import Part
from tools.billing.recurly_objects import (
    account_of,
    attempt_of,
    cancellation_of,
    credential_of,
    invoice_of,
    invoice_of_transaction,
    subscription_of,
    transaction_status,
)
from tools.billing.recurly_types import (
    ACCOUNTS,
    FETCHED,
    IGNORED_OBJECTS,
    IGNORED_THIN,
    IGNORED_XML,
    INVOICES,
    PAYMENTS,
    SUBSCRIPTIONS,
    THIN,
)
from tools.billing.strict_json import parse_object
from tools.billing.xml_part import XmlPart, parse_document

SUFFIX = "_notification"
# Notifications of an account, and some others, do not tell when: intake dates them by their arrival.
UNTIMED = datetime(1970, 1, 1, tzinfo=UTC)

ATTEMPT_KINDS = {
    AttemptStatus.SUCCEEDED: EventKind.PAYMENT_SUCCEEDED,
    AttemptStatus.FAILED: EventKind.PAYMENT_FAILED,
    AttemptStatus.PROCESSING: EventKind.PAYMENT_PROCESSING,
    AttemptStatus.PENDING: EventKind.PAYMENT_PROCESSING,
    AttemptStatus.REVERSED: EventKind.PAYMENT_REVERSED,
}


@dataclass(frozen=True)
class Notification:
    """A classic notification: ``name`` is its root element without the suffix."""

    name: str
    root: XmlPart

    @property
    def event_type(self) -> str:
        """Its type as Recurly names it."""
        return self.name + SUFFIX

    @property
    def livemode(self) -> bool | None:
        """Only transactions say whether they are tests."""
        test = self.root.part("transaction").flag("test")
        return None if test is None else not test

    def reading(self, kind: EventKind, at: datetime, **told: object) -> Reading:
        """A reading with what all notifications have."""
        account = self.root.part("account")
        base: dict[str, object] = {
            "kind": kind,
            "event_type": self.event_type,
            "occurred_at": at,
            "livemode": self.livemode,
            "account": account_of(account, at) if account else None,
        }
        return Reading.model_validate(base | told)

    def account_id(self) -> str | None:
        """The code of the account it is about."""
        return self.root.part("account").text("account_code")


def event_identity(payload: str, content_type: str) -> EventIdentity:
    """What intake must know before it keeps the event; raises Malformed.

    The JSON's ``id`` is its object's, the same in every event of that object, so type and time belong to the identity. XML has none but
    its own content.
    """
    if _is_xml(content_type):
        notification = _notification(payload)
        digest = hashlib.sha256(payload.encode()).hexdigest()
        return EventIdentity(f"{notification.name}:{digest}", notification.event_type, notification.livemode)
    event = Part(parse_object(payload), "")
    kind, what = event.need_text("object_type"), event.need_text("event_type")
    return EventIdentity(f"{kind}:{event.need_text('id')}:{what}:{event.need_text('event_time')}", f"{kind}.{what}", None)


def read_event(payload: str, content_type: str) -> Reading:
    """What one event says; raises Malformed and names the field that is missing or wrong."""
    return _read_xml(_notification(payload)) if _is_xml(content_type) else _read_json(Part(parse_object(payload), ""))


def dated(reading: Reading, received_at: datetime) -> Reading:
    """The reading, as of its arrival where the notification does not tell its time."""
    if reading.occurred_at != UNTIMED:
        return reading
    account = reading.account.model_copy(update={"observed_at": received_at}) if reading.account else None
    invoice = reading.invoice.model_copy(update={"observed_at": received_at}) if reading.invoice else None
    return reading.model_copy(update={"occurred_at": received_at, "account": account, "invoice": invoice})


def pointing(reading: Reading) -> Reading:
    """A classic notification as a pointer, by names that the API finds: none of its own ids but the codes and numbers. What it points at
    is to be fetched, so that nothing is known under two ids."""
    ref = _named(reading) if reading.ignored_because is None and reading.fetch is None else None
    if ref is None:
        return reading
    told = {"kind": reading.kind, "event_type": reading.event_type, "occurred_at": reading.occurred_at, "livemode": reading.livemode}
    return Reading.model_validate(told | {"fetch": ref})


def _named(reading: Reading) -> ObjectRef | None:
    if reading.invoice is not None and reading.invoice.number is not None:
        return ObjectRef(kind="invoice", vendor_id=f"number-{reading.invoice.number}")
    if reading.charge_vendor_id is not None:
        return ObjectRef(kind="payment", vendor_id=f"uuid-{reading.charge_vendor_id}")
    if reading.subscription_vendor_id is not None:
        return ObjectRef(kind="subscription", vendor_id=f"uuid-{reading.subscription_vendor_id}")
    if reading.account is None:
        return None
    if reading.kind is EventKind.METHOD_UPDATED:
        # It is told of an account that has one billing info, or of its primary one.
        return ObjectRef(kind="billing_info", vendor_id=f"code-{reading.account.vendor_id}/")
    return ObjectRef(kind="account", vendor_id=f"code-{reading.account.vendor_id}")


def _read_json(event: Part) -> Reading:
    kind, what = event.need_text("object_type"), event.need_text("event_type")
    base: dict[str, object] = {"event_type": f"{kind}.{what}", "occurred_at": event.need_time("event_time")}
    ignored = IGNORED_THIN.get((kind, what)) or IGNORED_OBJECTS.get(kind)
    if ignored is None and kind not in FETCHED:
        ignored = "unknown type"
    if ignored is not None:
        return Reading.model_validate(base | {"kind": EventKind.OTHER, "ignored_because": ignored})
    known, vendor_id = THIN.get((kind, what), FETCHED[kind]), event.need_text("id")
    if known is EventKind.METHOD_REMOVED:
        # There is nothing left to fetch, and nothing more to know.
        gone = CredentialSnapshot.model_validate({"vendor_id": vendor_id, "is_usable": False})
        return Reading.model_validate(base | {"kind": known, "credentials": (gone,)})
    account = event.text("account_code") if kind == "billing_info" else None
    # A billing info is found by its account only.
    fetch = ObjectRef(kind=kind, vendor_id=f"code-{account}/{vendor_id}" if account else vendor_id)
    return Reading.model_validate(base | {"kind": known, "fetch": fetch})


def _read_xml(notification: Notification) -> Reading:
    name = notification.name
    if name in PAYMENTS:
        return _read_payment(notification)
    if name == "successful_refund":
        return _read_refund(notification)
    if name == "new_dunning_event":
        return _read_dunning(notification)
    if name in INVOICES:
        return _read_invoice(notification)
    if name in SUBSCRIPTIONS:
        return _read_subscription(notification)
    if name in ACCOUNTS:
        return _read_account(notification)
    why = IGNORED_XML.get(name, "unknown type")
    told = {"event_type": notification.event_type, "occurred_at": UNTIMED, "livemode": notification.livemode}
    return Reading.model_validate(told | {"kind": EventKind.OTHER, "ignored_because": why})


def _read_payment(notification: Notification) -> Reading:
    transaction = _needed(notification, "transaction")
    kind, status = PAYMENTS[notification.name]
    at = transaction.time("date") or UNTIMED
    account_id = notification.account_id()
    attempt = attempt_of(transaction, at, account_id, status)
    return notification.reading(
        kind if status else ATTEMPT_KINDS.get(attempt.status, EventKind.OTHER),
        at,
        invoice=invoice_of_transaction(transaction, at, account_id),
        attempts=(attempt,),
        credentials=(credential_of(transaction, account_id),) if account_id else (),
        charge_vendor_id=attempt.charge_vendor_id,
        subscription_vendor_id=transaction.text("subscription_id"),
    )


def _read_refund(notification: Notification) -> Reading:
    """A refund is a transaction of its own, and no try to collect. It names the invoice that was refunded, not the payment."""
    transaction = _needed(notification, "transaction")
    at = transaction.time("date") or UNTIMED
    invoice = invoice_of_transaction(transaction, at, notification.account_id())
    if invoice is None:
        raise Malformed("transaction.invoice_id is missing")
    return notification.reading(
        EventKind.PAYMENT_REFUNDED,
        at,
        invoice=invoice.model_copy(update={"refunded_minor": transaction.integer("amount_in_cents")}),
        subscription_vendor_id=transaction.text("subscription_id"),
    )


def _read_dunning(notification: Notification) -> Reading:
    """A step of Recurly's dunning, with the try that failed where it made one."""
    invoice, transaction = _needed(notification, "invoice"), notification.root.part("transaction")
    failed = bool(transaction) and transaction_status(transaction) is AttemptStatus.FAILED
    at = transaction.time("date") if failed else None
    at = at or _time_of_invoice(invoice)
    is_still_dunned = invoice.flag("final_dunning_event") is False
    account_id = notification.account_id()
    snapshot = invoice_of(invoice, at, account_id, is_still_dunned=is_still_dunned)
    attempts = (attempt_of(transaction, at, account_id),) if failed else ()
    return notification.reading(
        EventKind.PAYMENT_FAILED if failed else EventKind.INVOICE_CHANGED,
        at,
        invoice=snapshot,
        attempts=attempts,
        credentials=(credential_of(transaction, account_id),) if failed and account_id else (),
        charge_vendor_id=attempts[0].charge_vendor_id if attempts else None,
        subscription_vendor_id=subscription_of(invoice) or notification.root.part("subscription").text("uuid"),
    )


def _read_invoice(notification: Notification) -> Reading:
    invoice = _needed(notification, "invoice")
    at = _time_of_invoice(invoice)
    snapshot = invoice_of(invoice, at, notification.account_id(), is_still_dunned=False)
    kind = INVOICES[notification.name]
    if kind is EventKind.PAYMENT_SUCCEEDED and snapshot.status is not InvoiceStatus.PAID:
        kind = EventKind.INVOICE_UNCOLLECTIBLE if snapshot.status is InvoiceStatus.UNCOLLECTIBLE else EventKind.INVOICE_CHANGED
    return notification.reading(kind, at, invoice=snapshot, subscription_vendor_id=subscription_of(invoice))


def _read_subscription(notification: Notification) -> Reading:
    subscription = _needed(notification, "subscription")
    kind = SUBSCRIPTIONS[notification.name]
    times = {
        "canceled_subscription": ("canceled_at",),
        "expired_subscription": ("expires_at", "canceled_at"),
        "renewed_subscription": ("current_period_started_at",),
    }
    at = subscription.first_time(times.get(notification.name, ())) or UNTIMED
    cancelled = kind is EventKind.SUBSCRIPTION_CANCELLED
    return notification.reading(
        kind,
        at,
        subscription_vendor_id=subscription.need_text("uuid"),
        cancellation=cancellation_of(subscription) if cancelled else None,
    )


def _read_account(notification: Notification) -> Reading:
    account_id = _needed(notification, "account").need_text("account_code")
    kind = ACCOUNTS[notification.name]
    billing_info = notification.root.part("billing_info")
    about_method = kind in {EventKind.METHOD_UPDATED, EventKind.METHOD_REMOVED}
    is_usable = kind is EventKind.METHOD_UPDATED
    credentials = (credential_of(billing_info, account_id, is_usable=is_usable),) if about_method else ()
    return notification.reading(kind, UNTIMED, credentials=credentials)


def _time_of_invoice(invoice: XmlPart) -> datetime:
    """When the invoice was as it is told: its last change, else its end, else its beginning."""
    return invoice.first_time(("updated_at", "closed_at", "created_at", "date")) or UNTIMED


def _needed(notification: Notification, tag: str) -> XmlPart:
    part = notification.root.part(tag)
    if not part:
        raise Malformed(f"{notification.event_type}.{tag} is missing")
    return part


def _notification(payload: str) -> Notification:
    root = parse_document(payload)
    if not root.path.endswith(SUFFIX):
        raise Malformed(f"the root element is not a Recurly notification but {root.path[:100]!r}")
    return Notification(root.path.removesuffix(SUFFIX), root)


def _is_xml(content_type: str) -> bool:
    return content_type.endswith("/xml")
