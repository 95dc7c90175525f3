"""Completes a thin event: reads the object that it points at, and the whole invoice where the object belongs to one."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from recoup.errors import NotFetchable
from recoup.events import ObjectRef, Reading
from tools.billing.json_part import Part
from tools.billing.stripe_api import Answer, StripeApi
from tools.billing.stripe_events import reading_of
from tools.billing.stripe_reading import InvoiceReader

if TYPE_CHECKING:
    from stripe import StripeObject

DISPUTES_CLOSED = frozenset({"won", "lost", "warning_closed", "prevented"})


class ObjectReader:
    """Reads one object of a kind that changes what is owed, or who can pay it."""

    def __init__(self, api: StripeApi, invoices: InvoiceReader) -> None:
        self._api, self._invoices = api, invoices

    async def read(self, ref: ObjectRef) -> Reading:
        """The object, in its invoice where it has one. Raises NotFound, NotFetchable, Misconfigured, BillingUnavailable."""
        if ref.kind == "invoice":
            return await self._invoices.read(ref.vendor_id)
        if ref.kind == "event":
            return await self._told(ref.vendor_id)
        request = self._request(ref)
        if request is None:
            raise NotFetchable(f"{self._api.connection.name}: nothing is known of Stripe's {ref.kind} objects")
        found = await self._api.ask(request)
        invoice_id = await self._invoice_of(ref.kind, found.body)
        if invoice_id is not None:
            return await self._invoices.read(invoice_id)
        return _alone(ref.kind, found)

    async def _told(self, event_id: str) -> Reading:
        """What stands in an event, for objects that are not worth a permission of their own to read."""
        event = (await self._api.ask(self._api.v1.events.retrieve_async(event_id))).body
        data = event.part("data")
        return reading_of(event.need_text("type"), event.need_time("created"), data.part("object"), data.part("previous_attributes"))

    def _request(self, ref: ObjectRef) -> "Awaitable[StripeObject] | None":
        v1, vendor_id = self._api.v1, ref.vendor_id
        match ref.kind:
            case "charge":
                return v1.charges.retrieve_async(vendor_id)
            case "payment_intent":
                return v1.payment_intents.retrieve_async(vendor_id)
            case "dispute":
                return v1.disputes.retrieve_async(vendor_id)
            case "subscription":
                return v1.subscriptions.retrieve_async(vendor_id)
            case "customer":
                return v1.customers.retrieve_async(vendor_id)
            case "payment_method":
                return v1.payment_methods.retrieve_async(vendor_id)
            case _:
                return None

    async def _invoice_of(self, kind: str, body: Part) -> str | None:
        """The invoice that a payment pays, or that a subscription which goes on was billed with last."""
        if kind == "subscription":
            return None if body.text("status") == "canceled" or body.flag("cancel_at_period_end") else body.ref("latest_invoice")
        if kind not in {"charge", "payment_intent"}:
            return None
        intent_id = body.text("id") if kind == "payment_intent" else body.ref("payment_intent")
        if body.ref("invoice") or intent_id is None or not self._api.has_invoice_payments:
            return body.ref("invoice")
        service = self._api.v1.invoice_payments
        paid = await self._api.ask(service.list_async({"payment": {"type": "payment_intent", "payment_intent": intent_id}, "limit": 1}))
        return next((payment.ref("invoice") for payment in paid.body.parts("data")), None)


def _alone(kind: str, found: Answer) -> Reading:
    """An object that stands for itself, as the newest event about it would tell of it."""
    body = found.body
    event_type = {
        "charge": "charge.updated",
        "payment_intent": "payment_intent.succeeded",
        "dispute": "charge.dispute.closed" if body.text("status") in DISPUTES_CLOSED else "charge.dispute.created",
        "subscription": "customer.subscription.updated",
        "customer": "customer.deleted" if body.flag("deleted") else "customer.updated",
        "payment_method": "payment_method.updated" if body.ref("customer") else "payment_method.detached",
    }[kind]
    return reading_of(event_type, found.at, body, Part(_as_if_new(kind, body), "previous_attributes"))


def _as_if_new(kind: str, body: Part) -> dict[str, object]:
    """What an event tells by its change, a plan to cancel and the choice of a method, as if it had just changed."""
    if kind == "subscription" and body.flag("cancel_at_period_end"):
        return {"cancel_at_period_end": False}
    if kind == "customer" and body.part("invoice_settings").ref("default_payment_method"):
        return {"invoice_settings": {"default_payment_method": None}}
    return {}
