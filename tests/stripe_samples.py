"""Small Stripe objects of our own, and events around them; a test names only what it is about."""

import json
from datetime import UTC, datetime
from typing import Any

from recoup.events import Reading
from tools.billing.stripe_events import read_event

CREATED = 1_750_000_000
AT = datetime.fromtimestamp(CREATED, UTC)
PAID_AT = CREATED - 60

INVOICE: dict[str, Any] = {
    "object": "invoice",
    "id": "in_1",
    "customer": "cus_1",
    "currency": "eur",
    "status": "open",
    "amount_due": 4900,
    "amount_paid": 0,
    "amount_remaining": 4900,
    "total": 4900,
    "attempt_count": 2,
    "billing_reason": "subscription_cycle",
    "collection_method": "charge_automatically",
}
CARD = {"brand": "visa", "last4": "4242", "exp_month": 4, "exp_year": 2027, "fingerprint": "fp_1", "funding": "debit", "country": "DE"}
METHOD = {"object": "payment_method", "id": "pm_1", "type": "card", "card": CARD, "customer": "cus_1"}
DECLINED = {
    "object": "charge",
    "id": "ch_1",
    "amount": 4900,
    "currency": "eur",
    "created": CREATED - 5,
    "status": "failed",
    "customer": "cus_1",
    "payment_intent": "pi_1",
    "payment_method": "pm_1",
    "payment_method_details": {"type": "card", "card": CARD},
    "failure_code": "card_declined",
    "outcome": {
        "type": "issuer_declined",
        "reason": "insufficient_funds",
        "network_decline_code": "51",
        "network_advice_code": "24",
        "advice_code": "try_again_later",
    },
}
INTENT = {"object": "payment_intent", "id": "pi_1", "amount": 4900, "currency": "eur", "customer": "cus_1"}
DISPUTE = {"object": "dispute", "id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1", "status": "needs_response", "amount": 4900}
SUBSCRIPTION = {"object": "subscription", "id": "sub_1", "customer": "cus_1", "status": "active", "cancel_at_period_end": False}
CUSTOMER = {"object": "customer", "id": "cus_1", "email": "ada@customer.example", "name": "Ada Example"}


def event(event_type: str, subject: dict[str, Any] | None = None, previous: dict[str, Any] | None = None, **changes: Any) -> str:
    """One event around ``subject``."""
    data = {"object": subject if subject is not None else INVOICE} | ({"previous_attributes": previous} if previous else {})
    envelope = {"id": "evt_1", "object": "event", "type": event_type, "created": CREATED, "livemode": True, "data": data}
    return json.dumps(envelope | changes)


def read(event_type: str, subject: dict[str, Any] | None = None, previous: dict[str, Any] | None = None, **changes: Any) -> Reading:
    """What that event says."""
    return read_event(event(event_type, subject, previous, **changes), "application/json")
