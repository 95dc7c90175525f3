"""How a debt stands, from what the platform says of the invoice and of its attempts."""

import pytest

from recoup.case import DebtState
from recoup.debt import debt_of, overpaid_minor, remaining_minor
from recoup.invoice import AttemptSnapshot, AttemptStatus, BillingReason, CollectionMethod, InvoiceSnapshot, InvoiceStatus
from tests.factories import attempt_snapshot, invoice_snapshot

PAID = {"status": InvoiceStatus.PAID, "paid_minor": 4900, "remaining_minor": 0}


def attempt(status: AttemptStatus, amount: int | None = 4900) -> AttemptSnapshot:
    return attempt_snapshot(status=status, amount_minor=amount)


def debt(*attempts: AttemptSnapshot, **changes: object) -> DebtState:
    return debt_of(invoice_snapshot(**changes), attempts or (attempt(AttemptStatus.FAILED),))


@pytest.mark.parametrize(
    ("changes", "is_dunnable"),
    [
        ({}, True),
        ({"collection_method": None, "billing_reason": None}, True),
        ({"collection_method": CollectionMethod.SEND_INVOICE}, False),
        ({"billing_reason": BillingReason.MANUAL}, False),
        ({"billing_reason": BillingReason.SUBSCRIPTION_CREATE}, False),
        ({"billing_reason": BillingReason.SUBSCRIPTION_UPDATE}, True),
    ],
)
def test_what_is_dunned(changes: dict[str, object], is_dunnable: bool) -> None:
    assert debt(**changes).is_dunnable is is_dunnable


@pytest.mark.parametrize(
    ("changes", "is_owed"),
    [
        ({}, True),
        ({"status": InvoiceStatus.DRAFT}, False),
        ({"status": InvoiceStatus.UNCOLLECTIBLE}, False),
        ({"status": InvoiceStatus.VOID}, False),
        ({"status": None}, False),
        ({"currency": None}, False),
        ({"remaining_minor": None, "total_minor": None, "due_minor": None}, False),
        (PAID, False),
    ],
)
def test_what_is_owed(changes: dict[str, object], is_owed: bool) -> None:
    assert debt(**changes).is_owed is is_owed


def test_a_cancellation_that_took_the_debt_leaves_nothing_owed() -> None:
    assert not debt_of(invoice_snapshot(), [attempt(AttemptStatus.FAILED)], is_cancelled=True).is_owed


@pytest.mark.parametrize(
    ("changes", "remaining"),
    [
        ({"remaining_minor": 100}, 100),
        ({"remaining_minor": None, "paid_minor": 900, "credited_minor": 1000}, 3000),
        ({"remaining_minor": None, "total_minor": None, "due_minor": 2000}, 2000),
        ({"status": InvoiceStatus.PAID, "remaining_minor": 4900}, 0),
        ({"remaining_minor": -100}, 0),
        ({"remaining_minor": None, "total_minor": None, "due_minor": None}, None),
    ],
)
def test_what_remains_is_what_the_platform_says_or_what_it_comes_to(changes: dict[str, object], remaining: int | None) -> None:
    assert remaining_minor(invoice_snapshot(**changes)) == remaining


def test_money_that_went_back_is_owed_again_although_the_platform_keeps_the_invoice_paid() -> None:
    state = debt(attempt(AttemptStatus.REVERSED), **PAID)
    assert (state.remaining_minor, state.is_owed) == (4900, True)


def test_it_is_not_once_another_payment_covers_it() -> None:
    state = debt(attempt(AttemptStatus.REVERSED), attempt(AttemptStatus.SUCCEEDED), **PAID)
    assert (state.remaining_minor, state.is_owed) == (0, False)


def test_a_reversal_of_unknown_amount_took_everything() -> None:
    assert debt(attempt(AttemptStatus.REVERSED, None), **PAID).remaining_minor == 4900


@pytest.mark.parametrize(
    ("changes", "overpaid"),
    [
        ({}, 0),
        (PAID, 0),
        ({"paid_minor": 9800}, 4900),
        ({"paid_minor": 9800, "refunded_minor": 4900}, 0),
        ({"paid_minor": 9800, "total_minor": None, "due_minor": None}, 0),
    ],
)
def test_what_was_paid_twice(changes: dict[str, object], overpaid: int) -> None:
    assert overpaid_minor(invoice_snapshot(**changes)) == overpaid


def test_an_attempt_in_flight_or_unknown_is_processing() -> None:
    for status in (AttemptStatus.PENDING, AttemptStatus.PROCESSING, AttemptStatus.UNKNOWN):
        assert debt(attempt(status)).has_processing_attempt


def test_an_invoice_that_tells_nothing_is_no_debt() -> None:
    bare = InvoiceSnapshot(vendor_id="in_1", observed_at=invoice_snapshot().observed_at)
    assert not debt_of(bare, []).is_owed
