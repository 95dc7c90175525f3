"""The adapter and the double of Stripe on one stage: connections, and effects on the double's own invoices."""

from typing import Any

import httpx

from recoup.ports import Effect
from recoup.settings import Connection, Platform
from tests.contract.patient_transport import PatientTransport
from tests.factories import make_connection
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_stage import Stage
from tests.vendors.stripe_state import Invoice
from tools.billing.stripe import StripeBilling


class LosesAnswers(httpx.AsyncHTTPTransport):
    """Requests arrive; answers do not."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aclose()
        raise httpx.ReadError("connection reset", request=request)


class Mangles(httpx.AsyncHTTPTransport):
    """Requests arrive and are done; somebody on the way back answers in Stripe's place."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self._answer = status, body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        await answer.aclose()
        status, body = self._answer
        return httpx.Response(status, content=body, headers={"content-type": "application/json"})


def billing(stage: Stage, *, transport: httpx.AsyncBaseTransport | None = None, **changes: Any) -> StripeBilling:
    """The adapter, with the key that may do everything unless another is given, in the stage's version. No limits slow it down."""
    return StripeBilling(connection_on(stage, **changes), transport=transport or PatientTransport())


def guarded_billing(stage: Stage, **changes: Any) -> StripeBilling:
    """The adapter as it is at work, behind the guarded way out."""
    return StripeBilling(connection_on(stage, **changes))


def connection_on(stage: Stage, **changes: Any) -> Connection:
    """A test connection to the stage's double."""
    values: dict[str, Any] = {"api_base": str(stage.client.base_url).rstrip("/"), "api_key": stage.double.secret_key}
    named = {"name": "stripe-eu", "platform": Platform.STRIPE, "api_version": stage.version.value}
    return make_connection(**(named | values | changes))


def charge_of(invoice: Invoice, card: Card, key: str, name: str = "retry_payment", known: tuple[str, ...] = ()) -> Effect:
    """An attempt on all that is owed."""
    money = {"credential_id": "crd_1", "credential_vendor_id": card.id, "amount_minor": invoice.amount, "currency": "EUR"}
    return effect_on(invoice, name, key, known=known, **money)


def effect_on(invoice: Invoice, name: str, key: str = "act_1", known: tuple[str, ...] = (), **args: object) -> Effect:
    """Any effect on an invoice."""
    return Effect(
        key=key,
        name=name,
        invoice_vendor_id=invoice.id,
        subscription_vendor_id=invoice.subscription,
        account_vendor_id=invoice.customer,
        args=args,
        known_transactions=known,
    )
