"""The events of all three platforms under the contract of webhook formats."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from recoup.settings import Platform
from tests import stripe_samples as stripe
from tests.contract.webhook_format import Delivery, FormatBench, WebhookFormatContract
from tests.unit.test_recurly_events import INVOICE, SUBSCRIPTION, TRANSACTION, notification, thin
from tests.unit.test_sandbox_events import webhook
from tools.billing.sandbox_events import KINDS
from tools.billing.signatures import sign_recurly, sign_stripe
from tools.billing.webhook import FORMATS

XML = "application/xml"
PERSON = {"customer_email": "ada@customer.example", "customer_name": "Ada Example"}


def like_stripe(body: bytes, secret: str, wall_seconds: float) -> str:
    return sign_stripe(body, secret, int(wall_seconds))


def like_recurly(body: bytes, secret: str, wall_seconds: float) -> str:
    return sign_recurly(body, secret, int(wall_seconds * 1000))


STRIPE_EVENTS: Mapping[str, dict[str, Any]] = {
    "invoice.payment_failed": stripe.INVOICE | PERSON | {"charge": stripe.DECLINED | {"billing_details": {"name": "Ada Example"}}},
    "invoice.paid": stripe.INVOICE | PERSON | {"status": "paid", "amount_paid": 4900, "amount_remaining": 0},
    "charge.failed": stripe.DECLINED | {"receipt_email": "ada@customer.example", "invoice": "in_1"},
    "payment_intent.payment_failed": stripe.INTENT | {"status": "requires_payment_method", "receipt_email": "ada@customer.example"},
    "charge.dispute.created": stripe.DISPUTE,
    "customer.subscription.deleted": stripe.SUBSCRIPTION | {"status": "canceled"},
    "payment_method.attached": stripe.METHOD | {"billing_details": {"name": "Ada Example", "email": "ada@customer.example"}},
    "customer.updated": stripe.CUSTOMER,
    "plan.created": {"object": "plan", "id": "plan_1"},
}


class TestStripe(WebhookFormatContract):
    @pytest.fixture
    def bench(self) -> FormatBench:
        numbered = enumerate(STRIPE_EVENTS.items())
        return FormatBench(
            form=FORMATS[Platform.STRIPE],
            events=tuple(Delivery(stripe.event(kind, subject, id=f"evt_{number}")) for number, (kind, subject) in numbered),
            unknown=Delivery(stripe.event("invoice.melted")),
            livemode=True,
            personal=tuple(PERSON.values()),
            sign=like_stripe,
        )


class TestRecurly(WebhookFormatContract):
    @pytest.fixture
    def bench(self) -> FormatBench:
        silent = (
            Delivery(notification("past_due_charge_invoice", invoice=INVOICE), XML),
            Delivery(notification("canceled_subscription", subscription=SUBSCRIPTION), XML),
            Delivery(notification("billing_info_updated", billing_info={"card_type": "Visa", "last_four": "4242"}), "text/xml"),
            Delivery(notification("new_shipping_address"), XML),
            Delivery(thin()),
            Delivery(thin(object_type="invoice", event_type="past_due")),
            Delivery(thin(object_type="item")),
        )
        return FormatBench(
            form=FORMATS[Platform.RECURLY],
            events=(Delivery(notification("failed_payment", transaction=TRANSACTION), XML), *silent),
            unknown=Delivery(thin(object_type="moon")),
            livemode=False,
            personal=("ada@customer.example", "Ada", "Example"),
            sign=like_recurly,
            livemode_untold=frozenset(silent),
        )


class TestSandbox(WebhookFormatContract):
    @pytest.fixture
    def bench(self) -> FormatBench:
        documents = [json.loads(webhook(kind)) | {"id": f"evt_{number}"} for number, kind in enumerate((*KINDS, "ping"))]
        return FormatBench(
            form=FORMATS[Platform.SANDBOX],
            events=tuple(Delivery(json.dumps(document)) for document in documents),
            unknown=Delivery(webhook("invoice.melted")),
            livemode=False,
            sign=like_stripe,
        )
