"""Stripe's invoices of every age, and the tries that stand in them, say the same things in our words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from recoup.events import EventKind
from recoup.invoice import AttemptStatus, BillingReason, CollectionMethod, Initiator, InvoiceStatus
from tests.stripe_samples import AT, CREATED, DECLINED, INTENT, INVOICE, METHOD, PAID_AT, read


def test_a_failed_payment_brings_invoice_account_and_attempt() -> None:
    reading = read(
        "invoice.payment_failed", INVOICE | {"charge": "ch_1", "payment_intent": "pi_1", "customer_email": "ada@customer.example"}
    )
    assert (reading.kind, reading.occurred_at, reading.livemode) == (EventKind.PAYMENT_FAILED, AT, True)
    assert reading.invoice is not None
    assert (reading.invoice.status, reading.invoice.currency, reading.invoice.remaining_minor) == (InvoiceStatus.OPEN, "EUR", 4900)
    assert reading.invoice.collection_method is CollectionMethod.CHARGE_AUTOMATICALLY
    assert reading.invoice.billing_reason is BillingReason.SUBSCRIPTION_CYCLE
    (attempt,) = reading.attempts
    assert (attempt.vendor_key, attempt.intent_vendor_id, attempt.status) == ("ch_1", "pi_1", AttemptStatus.FAILED)
    assert reading.account is not None
    assert reading.account.email == "ada@customer.example"


@pytest.mark.parametrize(
    ("where", "shape"),
    [
        ("on the invoice", {"subscription": "sub_1"}),
        ("expanded", {"subscription": {"id": "sub_1", "object": "subscription"}}),
        ("in the parent", {"parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}}}),
        ("on a line", {"lines": {"data": [{"id": "il_1", "subscription": None}, {"id": "il_2", "subscription": "sub_1"}]}}),
        ("as a line", {"lines": {"data": [{"id": "sub_1", "type": "subscription"}]}}),
        (
            "in a line's parent",
            {
                "lines": {
                    "data": [{"parent": {"type": "subscription_item_details", "subscription_item_details": {"subscription": "sub_1"}}}]
                }
            },
        ),
    ],
)
def test_the_subscription_is_found(where: str, shape: dict[str, Any]) -> None:
    assert read("invoice.updated", INVOICE | shape).subscription_vendor_id == "sub_1", where


def test_details_that_the_parents_type_does_not_name_do_not_count() -> None:
    parent = {"type": "quote_details", "quote_details": {"quote": "qt_1"}, "subscription_details": {"subscription": "sub_left_over"}}
    assert read("invoice.updated", INVOICE | {"parent": parent}).subscription_vendor_id is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"tax": 522}, 522),
        ({"tax": None, "total_tax_amounts": [{"amount": 500}, {"amount": 22}]}, 522),
        ({"total_taxes": [{"amount": 522}]}, 522),
        ({"total_taxes": []}, 0),
        ({}, None),
    ],
)
def test_tax_is_found_wherever_the_version_keeps_it(told: dict[str, Any], expected: int | None) -> None:
    reading = read("invoice.updated", INVOICE | told)
    assert reading.invoice is not None
    assert reading.invoice.tax_minor == expected


@pytest.mark.parametrize(
    ("flags", "status", "remaining"),
    [
        ({"paid": True}, InvoiceStatus.PAID, 0),
        ({"paid": False}, InvoiceStatus.OPEN, 4900),
        ({"paid": False, "closed": True}, InvoiceStatus.VOID, 4900),
        ({"paid": False, "closed": True, "forgiven": True}, InvoiceStatus.UNCOLLECTIBLE, 4900),
    ],
)
def test_an_invoice_of_2018_has_flags_instead_of_a_status(flags: dict[str, bool], status: InvoiceStatus, remaining: int) -> None:
    old = {"object": "invoice", "id": "in_1", "customer": "cus_1", "currency": "usd", "amount_due": 4900, "billing": "send_invoice"} | flags
    reading = read("invoice.updated", old)
    assert reading.invoice is not None
    assert (reading.invoice.status, reading.invoice.remaining_minor) == (status, remaining)
    assert reading.invoice.collection_method is CollectionMethod.SEND_INVOICE


def test_credit_notes_and_times_are_told() -> None:
    more = {"pre_payment_credit_notes_amount": 100, "post_payment_credit_notes_amount": 50, "next_payment_attempt": CREATED + 10}
    reading = read("invoice.updated", INVOICE | more | {"status_transitions": {"finalized_at": CREATED - 10}, "due_date": CREATED})
    assert reading.invoice is not None
    assert reading.invoice.credited_minor == 150
    assert reading.invoice.next_platform_attempt_at == datetime.fromtimestamp(CREATED + 10, UTC)
    assert (reading.invoice.issued_at, reading.invoice.due_at) == (datetime.fromtimestamp(CREATED - 10, UTC), AT)


def test_a_failure_without_ids_is_known_by_the_platforms_number_and_a_success_by_another_key() -> None:
    assert read("invoice.payment_failed").attempts[0].vendor_key == "attempt-2"
    paid = INVOICE | {"status": "paid", "amount_paid": 4900, "amount_remaining": 0, "status_transitions": {"paid_at": PAID_AT}}
    (attempt,) = read("invoice.paid", paid).attempts
    assert (attempt.vendor_key, attempt.amount_minor) == ("attempt-2-paid", 4900)
    assert attempt.occurred_at == datetime.fromtimestamp(PAID_AT, UTC)


def test_an_invoice_that_cost_nothing_had_no_attempt() -> None:
    assert read("invoice.paid", INVOICE | {"status": "paid", "amount_due": 0, "amount_remaining": 0}).attempts == ()


def test_a_payment_out_of_band_is_the_merchants() -> None:
    paid = INVOICE | {"status": "paid", "amount_paid": 4900, "paid_out_of_band": True, "charge": None}
    assert read("invoice.paid", paid).attempts[0].initiator is Initiator.MERCHANT


@pytest.mark.parametrize(
    "shape",
    [
        {"charge": DECLINED},
        {"payments": {"data": [{"object": "invoice_payment", "status": "open", "payment": {"type": "charge", "charge": DECLINED}}]}},
    ],
)
def test_an_expanded_charge_tells_its_codes(shape: dict[str, Any]) -> None:
    reading = read("invoice.payment_failed", INVOICE | shape)
    (attempt,) = reading.attempts
    assert attempt.vendor_key == "ch_1"
    assert attempt.codes is not None
    assert (attempt.codes.decline_code, attempt.codes.network_decline_code) == ("insufficient_funds", "51")


def test_an_expanded_intent_tells_its_error_charge_and_method() -> None:
    error = {"code": "card_declined", "decline_code": "do_not_honor", "charge": "ch_9", "payment_method": METHOD}
    intent = INTENT | {"status": "requires_payment_method", "last_payment_error": error}
    reading = read("invoice.payment_failed", INVOICE | {"payment_intent": intent})
    (attempt,) = reading.attempts
    assert (attempt.vendor_key, attempt.intent_vendor_id, attempt.credential_vendor_id) == ("ch_9", "pi_1", "pm_1")
    assert attempt.codes is not None
    assert attempt.codes.decline_code == "do_not_honor"
    assert [credential.fingerprint for credential in reading.credentials] == ["fp_1"]


@pytest.mark.parametrize(
    ("payment", "key"),
    [({"type": "payment_intent", "payment_intent": "pi_7"}, "pi_7"), ({"type": "charge", "charge": "ch_7"}, "ch_7")],
)
def test_an_invoice_payment_links_what_paid_to_its_invoice(payment: dict[str, Any], key: str) -> None:
    subject = {"object": "invoice_payment", "id": "inpay_1", "invoice": "in_1", "status": "paid", "amount_paid": 2000, "currency": "usd"}
    reading = read("invoice_payment.paid", subject | {"payment": payment, "status_transitions": {"paid_at": PAID_AT}})
    assert reading.kind is EventKind.PAYMENT_SUCCEEDED
    assert reading.invoice is not None
    assert (reading.invoice.vendor_id, reading.invoice.status) == ("in_1", None)
    (attempt,) = reading.attempts
    assert (attempt.vendor_key, attempt.amount_minor, attempt.payment_vendor_id) == (key, 2000, "inpay_1")


def test_the_object_counts_and_not_what_the_type_says_it_is() -> None:
    subject: dict[str, Any] = {"object": "invoice_payment", "id": "inpay_1", "invoice": "in_1", "status": "open", "payment": {}}
    reading = read("invoice.payment_failed", subject)
    assert (reading.kind, reading.attempts) == (EventKind.INVOICE_CHANGED, ())
