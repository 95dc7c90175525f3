"""Recurly's notifications, rich or thin, say the same things in our words."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from recoup.errors import Malformed
from recoup.events import CancellationKind, EventKind, Reading
from recoup.invoice import AttemptStatus, CollectionMethod, Initiator, InvoiceStatus
from recoup.settings import Platform
from tools.billing.recurly_events import UNTIMED, event_identity, read_event
from tools.billing.webhook import read_webhook

XML, JSON = "application/xml", "application/json"
ACCOUNT = (
    '<account><account_code>a-1</account_code><username nil="true">left over</username><email>ada@customer.example</email>'
    '<first_name>Ada</first_name><last_name>Example</last_name><company_name nil="true"/></account>'
)
TRANSACTION = {
    "id": "t1",
    "invoice_id": "i1",
    "invoice_number": "1000",
    "subscription_id": "s1",
    "action": "purchase",
    "date": "2026-01-02T03:04:05Z",
    "amount_in_cents": "4900",
    "status": "Declined",
    "test": "true",
}
INVOICE = {
    "uuid": "i1",
    "state": "past_due",
    "origin": "renewal",
    "invoice_number_prefix": "EU",
    "invoice_number": "1000",
    "currency": "EUR",
    "balance_in_cents": "4000",
    "total_in_cents": "4900",
    "tax_in_cents": "900",
    "subscription_ids": "<subscription_id>s1</subscription_id><subscription_id>s2</subscription_id>",
    "updated_at": "2026-01-02T03:04:05Z",
    "collection_method": "automatic",
}
SUBSCRIPTION = {
    "uuid": "s1",
    "state": "canceled",
    "canceled_at": "2026-01-02T03:04:05Z",
    "expires_at": "2026-02-01T00:00:00Z",
    "current_period_ends_at": "2026-02-01T00:00:00Z",
}
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def notification(name: str, **parts: dict[str, str]) -> str:
    """A classic notification of Ada's account."""
    inner = "".join(f"<{tag}>{''.join(f'<{k}>{v}</{k}>' for k, v in values.items())}</{tag}>" for tag, values in parts.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}_notification>{ACCOUNT}{inner}</{name}_notification>'


def read(name: str, **parts: dict[str, str]) -> Reading:
    """What that notification says."""
    return read_event(notification(name, **parts), XML)


def thin(**changes: Any) -> str:
    """A JSON notification."""
    event = {"id": "p1", "object_type": "payment", "site_id": "x", "event_type": "failed", "event_time": "2026-01-02T03:04:05Z"}
    return json.dumps(event | changes)


def test_a_failed_payment_tells_its_codes_and_its_invoice() -> None:
    codes = {"error_code": "insufficient_funds", "gateway_error_codes": "51", "failure_type": "Declined by the gateway"}
    reading = read("failed_payment", transaction=TRANSACTION | codes)
    assert (reading.kind, reading.occurred_at, reading.livemode) == (EventKind.PAYMENT_FAILED, AT, False)
    assert reading.invoice is not None
    assert (reading.invoice.vendor_id, reading.invoice.number, reading.invoice.status) == ("i1", "1000", None)
    (attempt,) = reading.attempts
    assert (attempt.vendor_key, attempt.status, attempt.amount_minor) == ("t1", AttemptStatus.FAILED, 4900)
    assert attempt.codes is not None
    assert (attempt.codes.decline_code, attempt.codes.gateway_code, attempt.codes.network_decline_code) == (
        "insufficient_funds",
        "51",
        None,
    )


def test_without_an_error_code_the_failure_type_is_the_code() -> None:
    (attempt,) = read("failed_payment", transaction=TRANSACTION | {"failure_type": "invalid_data"}).attempts
    assert attempt.codes is not None
    assert attempt.codes.decline_code == "invalid_data"


def test_all_tries_of_an_account_count_on_its_one_billing_info() -> None:
    paid = read("successful_payment", transaction=TRANSACTION)
    updated = read("billing_info_updated", billing_info={"card_type": "Visa", "year": "2027", "month": "4", "last_four": "4242"})
    assert paid.attempts[0].credential_vendor_id == paid.credentials[0].vendor_id == updated.credentials[0].vendor_id
    assert (updated.kind, updated.credentials[0].expires, updated.credentials[0].brand) == (EventKind.METHOD_UPDATED, "2027-04", "visa")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("success", EventKind.PAYMENT_SUCCEEDED),
        ("declined", EventKind.PAYMENT_FAILED),
        ("void", EventKind.PAYMENT_REVERSED),
        ("chargeback", EventKind.PAYMENT_REVERSED),
        ("processing", EventKind.PAYMENT_PROCESSING),
        ("levitating", EventKind.OTHER),
    ],
)
def test_an_updated_transaction_says_itself_where_it_stands(status: str, kind: EventKind) -> None:
    assert read("transaction_status_updated", transaction=TRANSACTION | {"status": status}).kind is kind


@pytest.mark.parametrize(
    ("more", "initiator"),
    [
        ({"source": "subscription"}, Initiator.PLATFORM),
        ({"origin": "hpp"}, Initiator.CUSTOMER),
        ({"manually_entered": "true"}, Initiator.MERCHANT),
    ],
)
def test_a_transaction_tells_who_made_it(more: dict[str, str], initiator: Initiator) -> None:
    assert read("successful_payment", transaction=TRANSACTION | more).attempts[0].initiator is initiator


def test_a_refund_is_no_attempt() -> None:
    reading = read("successful_refund", transaction=TRANSACTION | {"action": "credit", "status": "success"})
    assert (reading.kind, reading.attempts) == (EventKind.PAYMENT_REFUNDED, ())
    assert reading.invoice is not None
    assert reading.invoice.refunded_minor == 4900


def test_an_invoice_tells_all_its_amounts() -> None:
    reading = read("past_due_charge_invoice", invoice=INVOICE)
    invoice = reading.invoice
    assert invoice is not None
    assert (invoice.number, invoice.currency, invoice.total_minor, invoice.tax_minor) == ("EU1000", "EUR", 4900, 900)
    assert (invoice.paid_minor, invoice.remaining_minor, invoice.status) == (900, 4000, InvoiceStatus.OPEN)
    assert (invoice.collection_method, invoice.subscription_vendor_id) == (CollectionMethod.CHARGE_AUTOMATICALLY, "s1")
    assert (reading.kind, reading.occurred_at) == (EventKind.INVOICE_CHANGED, AT)


@pytest.mark.parametrize(
    ("state", "kind", "remaining"),
    [("collected", EventKind.PAYMENT_SUCCEEDED, 0), ("failed", EventKind.INVOICE_UNCOLLECTIBLE, 4900)],
)
def test_an_old_invoice_without_a_balance_is_closed_as_paid_or_given_up(state: str, kind: EventKind, remaining: int) -> None:
    old = {"uuid": "i1", "state": state, "total_in_cents": "4900", "currency": "USD", "date": "2014-01-01T20:20:29Z"}
    reading = read("closed_invoice", invoice=old)
    assert reading.kind is kind
    assert reading.invoice is not None
    assert reading.invoice.remaining_minor == remaining


def test_a_dunning_event_that_is_not_the_last_leaves_the_invoice_owed() -> None:
    steps = [INVOICE | {"state": "failed", "final_dunning_event": final} for final in ("false", "true")]
    going_on, given_up = (read("new_dunning_event", invoice=step, transaction=TRANSACTION) for step in steps)
    assert going_on.invoice is not None
    assert given_up.invoice is not None
    assert (going_on.kind, going_on.invoice.status) == (EventKind.PAYMENT_FAILED, InvoiceStatus.OPEN)
    assert given_up.invoice.status is InvoiceStatus.UNCOLLECTIBLE


def test_a_credit_invoice_owes_nothing() -> None:
    credit = INVOICE | {"total_in_cents": "-4882", "balance_in_cents": "-100", "state": "open"}
    reading = read("new_credit_invoice", invoice=credit)
    assert reading.kind is EventKind.INVOICE_CREDITED
    assert reading.invoice is not None
    assert (reading.invoice.total_minor, reading.invoice.due_minor, reading.invoice.remaining_minor) == (-4882, 0, 0)


@pytest.mark.parametrize(
    ("more", "cancellation"),
    [
        ({}, CancellationKind.PERIOD_END),
        ({"expires_at": "2026-01-10T00:00:00Z"}, CancellationKind.IMMEDIATE),
        ({"expiration_reason": "nonpayment"}, CancellationKind.NON_PAYMENT),
    ],
)
def test_a_subscription_ends_in_one_of_three_ways(more: dict[str, str], cancellation: CancellationKind) -> None:
    for name in ("canceled_subscription", "expired_subscription"):
        reading = read(name, subscription=SUBSCRIPTION | more)
        assert (reading.kind, reading.cancellation) == (EventKind.SUBSCRIPTION_CANCELLED, cancellation)


def test_nil_means_nothing_even_where_a_text_is_left() -> None:
    payload = notification("failed_payment", transaction=TRANSACTION).replace("<subscription_id>", '<subscription_id nil="true">')
    assert read_event(payload, XML).subscription_vendor_id is None


def test_a_notification_without_a_time_counts_from_its_arrival() -> None:
    payload = notification("billing_info_updated")
    assert read_event(payload, XML).occurred_at == UNTIMED
    reading = read_webhook(Platform.RECURLY, payload, XML, AT)
    assert (reading.occurred_at, reading.account and reading.account.observed_at) == (AT, AT)


def test_a_thin_event_only_points_at_its_object() -> None:
    reading = read_event(thin(), JSON)
    assert (reading.kind, reading.occurred_at, reading.attempts) == (EventKind.PAYMENT_FAILED, AT, ())
    assert reading.fetch is not None
    assert (reading.fetch.kind, reading.fetch.vendor_id) == ("payment", "p1")


def test_events_of_one_object_are_different_events() -> None:
    identities = {
        event_identity(payload, JSON).vendor_event_id
        for payload in (thin(), thin(event_type="succeeded"), thin(event_time="2026-01-02T03:04:06Z"), thin(object_type="invoice"))
    }
    assert len(identities) == 4
    assert event_identity(thin(site_id="y"), JSON) == ("payment:p1:failed:2026-01-02T03:04:05Z", "payment.failed", None)


def test_xml_is_identified_by_its_content() -> None:
    one, other = (
        notification("failed_payment", transaction=TRANSACTION),
        notification("failed_payment", transaction=TRANSACTION | {"id": "t2"}),
    )
    assert event_identity(one, XML) == event_identity(one, XML)
    assert event_identity(one, XML).vendor_event_id != event_identity(other, XML).vendor_event_id
    assert event_identity(one, XML)[1:] == ("failed_payment_notification", False)


def test_what_needs_nothing_is_ignored_and_what_is_new_is_unknown() -> None:
    assert read_event(thin(object_type="item"), JSON).ignored_because
    assert read_event(thin(object_type="hologram"), JSON).ignored_because == "unknown type"
    assert read("levitating_invoice").ignored_because == "unknown type"


@pytest.mark.parametrize(
    "payload",
    [
        '<!DOCTYPE x [<!ENTITY e "boom">]><x_notification>&e;</x_notification>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x_notification>&e;</x_notification>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x_notification/>',
        "<x_notification>",
        "<something_else/>",
        "not xml",
        "",
    ],
)
def test_xml_with_a_dtd_or_no_xml_at_all_is_malformed(payload: str) -> None:
    for reader in (read_event, event_identity):
        with pytest.raises(Malformed):
            reader(payload, XML)


@pytest.mark.parametrize(
    ("payload", "content_type", "named"),
    [
        (notification("failed_payment"), XML, "transaction"),
        (notification("failed_payment", transaction={"amount_in_cents": "1"}), XML, "transaction.id"),
        (notification("failed_payment", transaction=TRANSACTION | {"amount_in_cents": "1.5"}), XML, "amount_in_cents"),
        (notification("failed_payment", transaction=TRANSACTION | {"date": "yesterday"}), XML, "date"),
        (notification("failed_payment", transaction=TRANSACTION | {"test": "maybe"}), XML, "test"),
        (notification("new_invoice", invoice=INVOICE | {"currency": "XXXX"}), XML, "XXXX"),
        (notification("new_account").replace("account_code", "code"), XML, "account_code"),
        (thin(id=None), JSON, "id"),
        (thin(event_time="soon"), JSON, "event_time"),
        ("{}", JSON, "object_type"),
    ],
)
def test_what_is_missing_or_wrong_is_named(payload: str, content_type: str, named: str) -> None:
    with pytest.raises(Malformed, match=named):
        read_event(payload, content_type)


@pytest.mark.parametrize(
    ("name", "parts", "ref"),
    [
        ("failed_payment", {"transaction": TRANSACTION}, ("invoice", "number-1000")),
        ("failed_payment", {"transaction": TRANSACTION | {"invoice_number": ""}}, ("payment", "uuid-t1")),
        ("past_due_charge_invoice", {"invoice": INVOICE}, ("invoice", "number-EU1000")),
        ("canceled_subscription", {"subscription": SUBSCRIPTION}, ("subscription", "uuid-s1")),
        ("updated_account", {}, ("account", "code-a-1")),
        ("billing_info_updated", {"billing_info": {"card_type": "Visa"}}, ("billing_info", "code-a-1/")),
    ],
)
def test_where_recurly_can_be_read_a_classic_notification_only_points(
    name: str, parts: dict[str, dict[str, str]], ref: tuple[str, str]
) -> None:
    told, pointer = (
        read_webhook(Platform.RECURLY, notification(name, **parts), XML, AT, can_fetch=can_fetch) for can_fetch in (False, True)
    )
    assert told.fetch is None
    assert pointer.fetch is not None
    assert (pointer.fetch.kind, pointer.fetch.vendor_id) == ref
    assert (pointer.kind, pointer.event_type, pointer.occurred_at) == (told.kind, told.event_type, told.occurred_at)
    assert (pointer.invoice, pointer.account, pointer.attempts, pointer.subscription_vendor_id) == (None, None, (), None)


def test_what_is_gone_is_not_fetched() -> None:
    reading = read_event(thin(id="bi1", object_type="billing_info", event_type="deleted", account_code="a-1"), JSON)
    assert (reading.kind, reading.fetch) == (EventKind.METHOD_REMOVED, None)
    assert [(one.vendor_id, one.is_usable) for one in reading.credentials] == [("bi1", False)]
