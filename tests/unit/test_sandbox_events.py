"""What the sandbox platform's webhooks say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from recoup.errors import Malformed
from recoup.events import CancellationKind, EventKind
from tools.billing.sandbox_events import KINDS, event_identity, read_event

AT = datetime(2026, 1, 8, 9, tzinfo=UTC)


def webhook(event_type: str, **data: Any) -> str:
    about = {"invoice": "in_000001_0", "customer": "cus_000001", "subscription": "sub_000001_0", "revision": 3}
    return json.dumps({"id": "evt_1", "type": event_type, "livemode": False, "created": AT.isoformat(), "data": about | data})


def test_a_notice_names_the_invoice_and_tells_nothing_else_of_it() -> None:
    reading = read_event(webhook("invoice.payment_failed", charge="ch_1"), "application/json")
    assert (reading.kind, reading.occurred_at, reading.charge_vendor_id) == (EventKind.PAYMENT_FAILED, AT, "ch_1")
    assert reading.invoice is not None
    assert reading.invoice.vendor_id == "in_000001_0"
    assert reading.invoice.status is None
    assert reading.account is not None
    assert reading.account.vendor_id == "cus_000001"
    assert reading.attempts == ()


@pytest.mark.parametrize(
    ("event_type", "data", "field", "expected"),
    [
        ("dispute.closed", {"won": False}, "dispute_won", False),
        ("dispute.closed", {"won": True}, "dispute_won", True),
        ("subscription.cancelled", {"cancellation": "period_end"}, "cancellation", CancellationKind.PERIOD_END),
        ("customer.opted_out", {"channel": "sms"}, "channel", "sms"),
        ("customer.opted_out", {"channel": None}, "channel", None),
    ],
)
def test_what_goes_beyond_the_invoice_is_in_the_notice(event_type: str, data: dict[str, Any], field: str, expected: object) -> None:
    reading = read_event(webhook(event_type, **data), "application/json")
    assert reading.kind is KINDS[event_type]
    assert getattr(reading, field) == expected


def test_an_unknown_type_is_ignored_with_that_reason_and_a_ping_with_its_own() -> None:
    assert read_event(webhook("invoice.melted"), "application/json").ignored_because == "unknown type invoice.melted"
    assert read_event(webhook("ping"), "application/json").ignored_because == "a test of the connection"


@pytest.mark.parametrize(
    "payload",
    ["", "[]", "{}", '{"id": "evt_1"}', json.dumps({"id": "evt_1", "type": "invoice.paid", "created": AT.isoformat(), "data": {}})],
)
def test_what_is_no_event_is_refused(payload: str) -> None:
    with pytest.raises(Malformed):
        read_event(payload, "application/json")


def test_identity_needs_no_data() -> None:
    assert event_identity(webhook("invoice.melted"), "application/json") == ("evt_1", "invoice.melted", False)
