"""The sandbox platform's webhooks: notices that name an invoice and say what happened to it. Pure."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recoup.errors import Malformed
from recoup.events import CancellationKind, EventIdentity, EventKind, Reading
from recoup.invoice import AccountSnapshot, InvoiceSnapshot

KINDS = {
    "invoice.created": EventKind.INVOICE_CHANGED,
    "invoice.updated": EventKind.INVOICE_CHANGED,
    "invoice.payment_received": EventKind.PAYMENT_SUCCEEDED,
    "invoice.paid": EventKind.PAYMENT_SUCCEEDED,
    "invoice.payment_failed": EventKind.PAYMENT_FAILED,
    "invoice.payment_processing": EventKind.PAYMENT_PROCESSING,
    "invoice.payment_reversed": EventKind.PAYMENT_REVERSED,
    "invoice.credited": EventKind.INVOICE_CREDITED,
    "invoice.marked_uncollectible": EventKind.INVOICE_UNCOLLECTIBLE,
    "charge.refunded": EventKind.PAYMENT_REFUNDED,
    "dispute.opened": EventKind.DISPUTE_OPENED,
    "dispute.closed": EventKind.DISPUTE_CLOSED,
    "subscription.updated": EventKind.SUBSCRIPTION_CHANGED,
    "subscription.cancelled": EventKind.SUBSCRIPTION_CANCELLED,
    "payment_method.updated": EventKind.METHOD_UPDATED,
    "customer.opted_out": EventKind.OPTED_OUT,
}
ModelT = TypeVar("ModelT", bound=BaseModel)
# Everything else a newer sandbox may say is kept and reported; these are known to need nothing.
IGNORED = {"ping": "a test of the connection"}


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore")

    invoice: str
    customer: str
    subscription: str | None = None
    charge: str | None = None
    won: bool | None = None
    cancellation: CancellationKind | None = None
    channel: str | None = None


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    livemode: bool = False
    created: datetime
    data: dict[str, Any] = {}


def read_event(payload: str, content_type: str) -> Reading:  # noqa: ARG001 - the platform modules share one signature
    """What one webhook says; raises Malformed. The invoice itself is read from the platform: a notice only names it."""
    envelope = _parse(_Envelope, payload)
    kind = KINDS.get(envelope.type)
    if kind is None:
        reason = IGNORED.get(envelope.type, f"unknown type {envelope.type}")
        return Reading(
            kind=EventKind.OTHER,
            event_type=envelope.type,
            occurred_at=envelope.created,
            livemode=envelope.livemode,
            ignored_because=reason,
        )
    data = _parse(_Data, envelope.data)
    return Reading(
        kind=kind,
        event_type=envelope.type,
        occurred_at=envelope.created,
        livemode=envelope.livemode,
        account=AccountSnapshot(vendor_id=data.customer, observed_at=envelope.created),
        invoice=InvoiceSnapshot(
            vendor_id=data.invoice,
            observed_at=envelope.created,
            account_vendor_id=data.customer,
            subscription_vendor_id=data.subscription,
        ),
        subscription_vendor_id=data.subscription,
        cancellation=data.cancellation,
        charge_vendor_id=data.charge,
        dispute_won=data.won,
        channel=data.channel,
    )


def event_identity(payload: str, content_type: str) -> EventIdentity:  # noqa: ARG001
    """Which event a webhook is; raises Malformed."""
    envelope = _parse(_Envelope, payload)
    return EventIdentity(envelope.id, envelope.type, envelope.livemode)


def _parse(model: type[ModelT], source: str | dict[str, Any]) -> ModelT:
    try:
        return model.model_validate_json(source) if isinstance(source, str) else model.model_validate(source)
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}" for error in exc.errors())
        raise Malformed(f"not a sandbox event: {problems}") from exc
