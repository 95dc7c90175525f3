"""Stripe's events of every age say the same things in our words; its invoices have a file of their own."""

from datetime import UTC, datetime
from typing import Any

import pytest

from recoup.errors import Malformed
from recoup.events import CancellationKind, EventKind
from recoup.invoice import AttemptStatus, CredentialSlot, Rail
from tests.stripe_samples import CARD, CREATED, CUSTOMER, DECLINED, DISPUTE, INTENT, INVOICE, METHOD, SUBSCRIPTION, event, read
from tools.billing.stripe_events import event_identity, read_event
from tools.billing.stripe_types import TYPES, reason_to_ignore


def test_a_declined_charge_tells_codes_and_card() -> None:
    reading = read("charge.failed", DECLINED)
    (attempt,) = reading.attempts
    assert reading.kind is EventKind.PAYMENT_FAILED
    assert reading.invoice is None
    assert (reading.charge_vendor_id, reading.intent_vendor_id) == ("ch_1", "pi_1")
    assert attempt.occurred_at == datetime.fromtimestamp(CREATED - 5, UTC)
    assert attempt.codes is not None
    assert attempt.codes.model_dump(exclude_none=True) == {
        "processor": "stripe",
        "decline_code": "insufficient_funds",
        "network_decline_code": "51",
        "advice_code": "try_again_later",
        "network_advice_code": "24",
    }
    (credential,) = reading.credentials
    assert (credential.vendor_id, credential.fingerprint, credential.expires, credential.rail) == ("pm_1", "fp_1", "2027-04", Rail.CARD)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "succeeded", "captured": True}, AttemptStatus.SUCCEEDED),
        ({"status": "succeeded", "captured": False}, AttemptStatus.PENDING),
        ({"status": "pending"}, AttemptStatus.PROCESSING),
        ({"status": None, "paid": True}, AttemptStatus.SUCCEEDED),
        ({"status": None, "paid": False}, AttemptStatus.FAILED),
        ({"status": "something_new"}, AttemptStatus.UNKNOWN),
    ],
)
def test_a_charge_stands_where_it_says(changes: dict[str, Any], status: AttemptStatus) -> None:
    assert read("charge.updated", DECLINED | changes).attempts[0].status is status


def test_other_rails_have_only_a_failure_code() -> None:
    charge = DECLINED | {
        "outcome": None,
        "failure_code": "account_closed",
        "payment_method_details": {"type": "sepa_debit", "sepa_debit": {"last4": "3000"}},
    }
    reading = read("charge.failed", charge)
    assert reading.attempts[0].codes is not None
    assert reading.attempts[0].codes.decline_code == "account_closed"
    assert reading.credentials[0].rail is Rail.SEPA


def test_an_old_charge_names_its_invoice_and_a_refund_how_much_went_back() -> None:
    reading = read("charge.refunded", DECLINED | {"status": "succeeded", "invoice": "in_1", "amount_refunded": 900, "refunded": False})
    assert reading.kind is EventKind.PAYMENT_REFUNDED
    assert reading.invoice is not None
    assert (reading.invoice.vendor_id, reading.invoice.refunded_minor) == ("in_1", 900)


@pytest.mark.parametrize(
    ("event_type", "status", "kind"),
    [
        ("payment_intent.succeeded", "succeeded", EventKind.PAYMENT_SUCCEEDED),
        ("payment_intent.processing", "processing", EventKind.PAYMENT_PROCESSING),
        ("payment_intent.requires_action", "requires_action", EventKind.PAYMENT_ACTION_REQUIRED),
        ("payment_intent.payment_failed", "requires_payment_method", EventKind.PAYMENT_FAILED),
        ("payment_intent.payment_failed", "requires_source", EventKind.PAYMENT_FAILED),
    ],
)
def test_an_intent_stands_where_it_says(event_type: str, status: str, kind: EventKind) -> None:
    assert read(event_type, INTENT | {"status": status, "latest_charge": "ch_3"}).kind is kind


def test_an_intent_names_its_newest_charge_in_either_shape() -> None:
    new = read("payment_intent.succeeded", INTENT | {"status": "succeeded", "latest_charge": "ch_3", "amount_received": 4000})
    old = read("payment_intent.succeeded", INTENT | {"status": "succeeded", "charges": {"data": [{"id": "ch_3"}, {"id": "ch_2"}]}})
    assert [reading.attempts[0].vendor_key for reading in (new, old)] == ["ch_3", "ch_3"]
    assert new.attempts[0].amount_minor == 4000


def test_an_error_without_a_decline_code_tells_its_own_code() -> None:
    intent = INTENT | {"status": "requires_payment_method", "last_payment_error": {"code": "authentication_required"}}
    (attempt,) = read("payment_intent.payment_failed", intent).attempts
    assert (attempt.vendor_key, attempt.codes and attempt.codes.decline_code) == ("pi_1", "authentication_required")


@pytest.mark.parametrize(("status", "won"), [("won", True), ("warning_closed", True), ("lost", False)])
def test_a_closed_dispute_is_won_or_lost(status: str, won: bool) -> None:
    reading = read("charge.dispute.closed", DISPUTE | {"status": status})
    assert (reading.kind, reading.dispute_won, reading.charge_vendor_id) == (EventKind.DISPUTE_CLOSED, won, "ch_1")


def test_an_opened_dispute_names_charge_and_intent() -> None:
    reading = read("charge.dispute.created", DISPUTE | {"charge": {"id": "ch_1", "object": "charge"}})
    assert (reading.kind, reading.charge_vendor_id, reading.intent_vendor_id) == (EventKind.DISPUTE_OPENED, "ch_1", "pi_1")


@pytest.mark.parametrize(
    ("changes", "cancellation"),
    [
        ({}, CancellationKind.IMMEDIATE),
        ({"cancellation_details": {"reason": "cancellation_requested"}}, CancellationKind.IMMEDIATE),
        ({"cancel_at_period_end": True}, CancellationKind.PERIOD_END),
        ({"cancellation_details": {"reason": "payment_failed"}}, CancellationKind.NON_PAYMENT),
    ],
)
def test_a_deleted_subscription_ended_in_one_of_three_ways(changes: dict[str, Any], cancellation: CancellationKind) -> None:
    reading = read("customer.subscription.deleted", SUBSCRIPTION | {"status": "canceled"} | changes)
    assert (reading.kind, reading.cancellation, reading.subscription_vendor_id) == (EventKind.SUBSCRIPTION_CANCELLED, cancellation, "sub_1")


def test_a_subscription_set_to_end_is_cancelled_once_and_any_other_change_is_a_change() -> None:
    ending = SUBSCRIPTION | {"cancel_at_period_end": True}
    now = read("customer.subscription.updated", ending, {"cancel_at_period_end": False})
    later = read("customer.subscription.updated", ending, {"quantity": 1})
    assert (now.kind, now.cancellation) == (EventKind.SUBSCRIPTION_CANCELLED, CancellationKind.PERIOD_END)
    assert (later.kind, later.cancellation) == (EventKind.SUBSCRIPTION_CHANGED, None)


def test_a_new_card_on_the_subscription_is_its_method() -> None:
    subscription = SUBSCRIPTION | {"default_payment_method": "pm_2"}
    reading = read("customer.subscription.updated", subscription, {"default_payment_method": "pm_1"})
    assert reading.kind is EventKind.METHOD_UPDATED
    assert [(c.vendor_id, c.slot) for c in reading.credentials] == [("pm_2", CredentialSlot.SUBSCRIPTION)]


def test_an_attached_method_waits_as_a_backup_and_a_detached_one_is_gone() -> None:
    attached = read("payment_method.attached", METHOD)
    detached = read("payment_method.detached", METHOD | {"customer": None}, {"customer": "cus_1"})
    assert [(c.slot, c.is_usable) for c in attached.credentials] == [(CredentialSlot.BACKUP, True)]
    assert (detached.kind, detached.account and detached.account.vendor_id) == (EventKind.METHOD_REMOVED, "cus_1")
    assert [c.is_usable for c in detached.credentials] == [False]


def test_an_updater_changes_a_cards_data_and_says_nothing_of_its_slot() -> None:
    (credential,) = read("payment_method.automatically_updated", METHOD, {"card": {"exp_year": 2024}}).credentials
    assert credential.expires == "2027-04"
    assert "slot" not in credential.model_fields_set


def test_an_old_source_is_a_method_too() -> None:
    source = {"object": "card", "id": "card_1", "customer": "cus_1"} | CARD | {"brand": "American Express"}
    (credential,) = read("customer.source.updated", source).credentials
    assert (credential.vendor_id, credential.brand, credential.rail) == ("card_1", "amex", Rail.CARD)


@pytest.mark.parametrize(
    ("subject", "previous"),
    [
        ({"invoice_settings": {"default_payment_method": "pm_2"}}, {"invoice_settings": {"default_payment_method": "pm_1"}}),
        ({"default_source": "pm_2"}, {"default_source": None}),
    ],
)
def test_a_new_default_of_the_customer_is_a_new_method(subject: dict[str, Any], previous: dict[str, Any]) -> None:
    reading = read("customer.updated", CUSTOMER | subject, previous)
    assert reading.kind is EventKind.METHOD_UPDATED
    assert [(c.vendor_id, c.slot) for c in reading.credentials] == [("pm_2", CredentialSlot.CUSTOMER)]


def test_a_customer_tells_language_and_country_and_no_time_zone() -> None:
    reading = read(
        "customer.updated", CUSTOMER | {"preferred_locales": ["de-AT", "en"], "address": {"country": "AT"}}, {"email": "old@x.example"}
    )
    assert reading.kind is EventKind.ACCOUNT_CHANGED
    assert reading.account is not None
    assert (reading.account.locale, reading.account.country, reading.account.timezone) == ("de-AT", "AT", None)
    assert read("customer.deleted", CUSTOMER | {"deleted": True}).kind is EventKind.ACCOUNT_CLOSED


def test_a_mandate_that_stopped_makes_its_method_unusable() -> None:
    mandate = {"object": "mandate", "id": "mandate_1", "payment_method": "pm_1", "status": "inactive", "type": "multi_use"}
    reading = read("mandate.updated", mandate)
    (credential,) = reading.credentials
    assert (reading.kind, credential.is_usable, credential.mandate_status) == (EventKind.METHOD_REMOVED, False, "inactive")


def test_a_credit_note_names_its_invoice_and_not_the_sum_of_all_notes() -> None:
    note = {"object": "credit_note", "id": "cn_1", "invoice": "in_1", "customer": "cus_1", "currency": "usd", "amount": 500}
    reading = read("credit_note.created", note)
    assert reading.kind is EventKind.INVOICE_CREDITED
    assert reading.invoice is not None
    assert (reading.invoice.vendor_id, reading.invoice.credited_minor) == ("in_1", None)


@pytest.mark.parametrize("event_type", ["checkout.session.completed", "invoice.upcoming", "refund.created", "product.updated", "ping"])
def test_what_needs_nothing_is_ignored_for_a_reviewed_reason(event_type: str) -> None:
    reading = read(event_type, {"object": "whatever"})
    assert reading.ignored_because == reason_to_ignore(event_type)
    assert reading.ignored_because


def test_an_unknown_type_is_kept_and_said_to_be_unknown() -> None:
    assert read("invoice.levitated").ignored_because == "unknown type"
    assert read("v2.core.account.updated", created="2026-01-01T00:00:00Z").ignored_because == "unknown type"


def test_no_type_is_both_read_and_ignored_by_name() -> None:
    assert [name for name in TYPES if reason_to_ignore(name)] == []


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (event("invoice.paid", {"object": "invoice", "customer": "cus_1"}), "data.object.id"),
        (event("invoice.paid", {}), "data.object"),
        (event("invoice.paid", INVOICE | {"amount_due": "4900"}), "data.object.amount_due"),
        (event("invoice.paid", INVOICE | {"amount_due": True}), "data.object.amount_due"),
        (event("invoice.paid", INVOICE | {"amount_due": 2**63}), "data.object.amount_due"),
        (event("invoice.paid", INVOICE | {"currency": "doubloons"}), "currency"),
        (event("invoice.paid", INVOICE | {"due_date": 10**18}), "data.object.due_date"),
        (event("invoice.paid", created=None), "created"),
        (event("charge.dispute.created", {"object": "dispute", "status": "lost"}), "data.object.charge"),
        (event("credit_note.created", {"object": "credit_note", "id": "cn_1"}), "data.object.invoice"),
        ("{}", "type"),
        ('{"id": "evt_1", "id": "evt_2"}', "twice"),
        ('{"id": NaN}', "NaN"),
        ("[1]", "object"),
        ("[" * 100_000, "nested"),
        ("nothing", "JSON"),
    ],
)
def test_what_is_missing_or_wrong_is_named(payload: str, named: str) -> None:
    with pytest.raises(Malformed, match=named):
        read_event(payload, "application/json")


def test_texts_that_postgresql_cannot_keep_are_cleaned() -> None:
    reading = read("invoice.updated", INVOICE | {"customer_name": "A\x00da \ud800"})
    assert reading.account is not None
    assert reading.account.full_name == "Ada ?"


def test_the_identity_is_the_events_own_id_and_mode() -> None:
    other_mode = event("invoice.paid", INVOICE | {"livemode": False})
    assert event_identity(other_mode, "application/json") == ("evt_1", "invoice.paid", True)
    assert read_event(other_mode, "application/json").livemode is True
