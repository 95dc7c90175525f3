"""Readings merge to the same row in whatever order, number and completeness they come."""

import functools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.invoice import (
    AccountSnapshot,
    AttemptSnapshot,
    AttemptStatus,
    CredentialSnapshot,
    DeclineCodes,
    Initiator,
    InvoiceSnapshot,
    InvoiceStatus,
    Rail,
)
from recoup.merge import (
    Merged,
    join,
    matches,
    merge_account,
    merge_attempt,
    merge_credential,
    merge_invoice,
    same_attempt,
)
from recoup.record import Record
from tests.factories import FAILED_AT, attempt_snapshot, credential_snapshot, invoice_snapshot

T0 = datetime(2026, 3, 1, tzinfo=UTC)


# Random readings, partial ones included: few distinct times and values, so that ties are common.


times = st.integers(0, 3).map(lambda second: T0 + timedelta(seconds=second))
amounts = st.sampled_from([0, 1000, 4900])
declines = [DeclineCodes(processor="stripe", decline_code=code) for code in ("insufficient_funds", "do_not_honor")]

invoice_readings = st.fixed_dictionaries(
    {"vendor_id": st.just("in_1"), "observed_at": times},
    optional={
        "revision": st.integers(0, 2),
        "status": st.sampled_from(InvoiceStatus),
        "currency": st.just("USD"),
        "total_minor": amounts,
        "paid_minor": amounts,
        "remaining_minor": amounts,
        "credited_minor": amounts,
        "number": st.sampled_from(["A-1", "A-2"]),
    },
).map(InvoiceSnapshot.model_validate)
attempt_readings = st.fixed_dictionaries(
    {
        "vendor_key": st.sampled_from(["ch_1", "pi_1", "1"]),
        "occurred_at": times,
        "observed_at": times,
        "status": st.sampled_from(AttemptStatus),
    },
    optional={
        "amount_minor": amounts,
        "charge_vendor_id": st.just("ch_1"),
        "intent_vendor_id": st.just("pi_1"),
        "initiator": st.sampled_from(Initiator),
        "customer_initiated": st.booleans(),
        "cit_confidence": st.sampled_from([0.0, 0.5, 0.9]),
        "codes": st.sampled_from(declines),
    },
).map(AttemptSnapshot.model_validate)
credential_readings = st.tuples(
    st.fixed_dictionaries(
        {"vendor_id": st.just("pm_1")},
        optional={
            "fingerprint": st.just("fp_1"),
            "rail": st.sampled_from(Rail),
            "expires": st.sampled_from(["2029-12", "2031-01"]),
            "brand": st.just("visa"),
        },
    ).map(CredentialSnapshot.model_validate),
    times,
)
account_readings = st.fixed_dictionaries(
    {"vendor_id": st.just("cus_1"), "observed_at": times},
    optional={
        "email": st.sampled_from(["a@x.example", "b@x.example"]),
        "locale": st.sampled_from(["en", "de"]),
        "country": st.just("US"),
    },
).map(AccountSnapshot.model_validate)


def lifted(reading: object) -> Merged[Record]:
    match reading:
        case InvoiceSnapshot():
            merged = merge_invoice(None, reading)
        case AttemptSnapshot():
            merged = merge_attempt(None, reading)
        case AccountSnapshot():
            merged = merge_account(None, reading)
        case (CredentialSnapshot() as credential, datetime() as at):
            merged = merge_credential(None, credential, at)
        case _:
            pytest.fail(f"no merge for {reading}")
    return Merged(merged.snapshot, merged.stamps)


readings = st.one_of(
    st.lists(invoice_readings, min_size=1, max_size=6),
    st.lists(attempt_readings, min_size=1, max_size=6),
    st.lists(account_readings, min_size=1, max_size=6),
    st.lists(credential_readings, min_size=1, max_size=6),
)


@given(readings, st.data())
def test_order_and_repetition_change_nothing(seen: list[object], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(seen), max_size=4))
    shuffled = data.draw(st.permutations(seen + again))
    in_order = functools.reduce(join, (lifted(reading) for reading in seen))
    in_disorder = functools.reduce(join, (lifted(reading) for reading in shuffled))
    assert in_order.snapshot == in_disorder.snapshot
    assert in_order.stamps == in_disorder.stamps


@given(readings, st.data())
def test_groups_merged_apart_and_then_together_are_the_same(seen: list[object], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(seen) - 1))
    parts = [lifted(reading) for reading in seen]
    left, right = parts[: cut + 1], parts[cut + 1 :]
    together = functools.reduce(join, parts)
    apart = functools.reduce(join, left)
    if right:
        apart = join(apart, functools.reduce(join, right))
    assert apart == together


@given(st.lists(invoice_readings, min_size=1, max_size=6))
def test_money_fields_of_complete_readings_come_from_one_reading(seen: list[InvoiceSnapshot]) -> None:
    complete = [
        invoice_snapshot(observed_at=reading.observed_at, paid_minor=paid, remaining_minor=4900 - paid, number=reading.number)
        for reading in seen
        if (paid := reading.paid_minor) is not None
    ]
    merged = None
    for reading in complete:
        merged = merge_invoice(merged, reading)
    if merged is not None:
        assert (merged.snapshot.paid_minor, merged.snapshot.remaining_minor) in {(r.paid_minor, r.remaining_minor) for r in complete}


@given(st.lists(attempt_readings, min_size=1, max_size=6))
def test_an_attempt_never_moves_backwards(seen: list[AttemptSnapshot]) -> None:
    merged = None
    for reading in seen:
        before = merged
        merged = merge_attempt(merged, reading)
        if before is not None and before.snapshot.status in {AttemptStatus.SUCCEEDED, AttemptStatus.REVERSED}:
            assert merged.snapshot.status in {before.snapshot.status, AttemptStatus.REVERSED}


# Examples that read as the rules


def test_a_partial_reading_leaves_what_it_does_not_tell() -> None:
    whole = merge_invoice(None, invoice_snapshot())
    merged = merge_invoice(whole, InvoiceSnapshot(vendor_id="in_1", observed_at=FAILED_AT + timedelta(hours=1), paid_minor=4900))
    assert (merged.snapshot.paid_minor, merged.snapshot.total_minor, merged.snapshot.currency) == (4900, 4900, "USD")


def test_a_default_that_nobody_wrote_overwrites_nothing() -> None:
    known = merge_credential(None, credential_snapshot(rail=Rail.SEPA), FAILED_AT)
    merged = merge_credential(known, CredentialSnapshot(vendor_id="pm_1", brand="visa"), FAILED_AT + timedelta(hours=1))
    assert merged.snapshot.rail is Rail.SEPA


def test_of_one_second_the_paid_reading_wins() -> None:
    paid = invoice_snapshot(status=InvoiceStatus.PAID, paid_minor=4900, remaining_minor=0)
    merged = merge_invoice(merge_invoice(None, paid), invoice_snapshot())
    assert (merged.snapshot.status, merged.snapshot.remaining_minor) == (InvoiceStatus.PAID, 0)


def test_the_platforms_revision_beats_its_clock() -> None:
    newer = invoice_snapshot(revision=2, status=InvoiceStatus.PAID)
    older = invoice_snapshot(revision=1, observed_at=FAILED_AT + timedelta(hours=1))
    assert merge_invoice(merge_invoice(None, newer), older).snapshot.status is InvoiceStatus.PAID


def test_a_reopened_invoice_is_open_again() -> None:
    paid = invoice_snapshot(status=InvoiceStatus.PAID, paid_minor=4900, remaining_minor=0)
    reopened = invoice_snapshot(observed_at=FAILED_AT + timedelta(days=9))
    assert merge_invoice(merge_invoice(None, paid), reopened).snapshot.status is InvoiceStatus.OPEN


def test_a_plan_that_the_platform_dropped_is_gone() -> None:
    planned = merge_invoice(None, invoice_snapshot(next_platform_attempt_at=FAILED_AT + timedelta(days=3)))
    dropped = merge_invoice(planned, invoice_snapshot(observed_at=FAILED_AT + timedelta(hours=1)))
    assert dropped.snapshot.next_platform_attempt_at is None


def test_an_attempt_seen_late_keeps_the_moment_it_was_made() -> None:
    early = attempt_snapshot(occurred_at=FAILED_AT)
    late = attempt_snapshot(occurred_at=FAILED_AT + timedelta(days=1), observed_at=FAILED_AT + timedelta(days=1))
    assert merge_attempt(merge_attempt(None, late), early).snapshot.occurred_at == FAILED_AT


def test_the_charge_names_an_attempt_once_it_is_known() -> None:
    by_intent = attempt_snapshot(vendor_key="pi_1", charge_vendor_id=None, intent_vendor_id="pi_1")
    by_charge = attempt_snapshot(intent_vendor_id="pi_1")
    assert merge_attempt(merge_attempt(None, by_charge), by_intent).snapshot.vendor_key == "ch_1"
    assert merge_attempt(merge_attempt(None, by_intent), by_charge).snapshot.vendor_key == "ch_1"


# Which readings speak of one attempt

CHARGE = attempt_snapshot(intent_vendor_id="pi_1")
SECOND_CHARGE = attempt_snapshot(
    vendor_key="ch_2", charge_vendor_id="ch_2", intent_vendor_id="pi_1", occurred_at=FAILED_AT + timedelta(days=2)
)
INTENT = attempt_snapshot(vendor_key="pi_1", charge_vendor_id=None, intent_vendor_id="pi_1")
OTHER_INTENT = attempt_snapshot(vendor_key="pi_2", charge_vendor_id=None, intent_vendor_id="pi_2")
NUMBER = attempt_snapshot(vendor_key="1", charge_vendor_id=None)
LATER_NUMBER = attempt_snapshot(vendor_key="2", charge_vendor_id=None, occurred_at=FAILED_AT + timedelta(days=2))

SAME = [
    ("a charge is itself", CHARGE, CHARGE, True),
    ("two charges of one intent are two attempts", CHARGE, SECOND_CHARGE, False),
    ("an intent speaks of its charge", INTENT, CHARGE, True),
    ("but not of another's", OTHER_INTENT, CHARGE, False),
    (
        "nor of a charge that failed before the intent succeeded",
        INTENT.model_copy(update={"status": AttemptStatus.SUCCEEDED}),
        CHARGE,
        False,
    ),
    ("two intents are two attempts", INTENT, OTHER_INTENT, False),
    ("an attempt number is the charge of that moment", NUMBER, CHARGE, True),
    ("but not one of two days later", NUMBER, SECOND_CHARGE, False),
    ("two attempt numbers are two attempts", NUMBER, LATER_NUMBER, False),
    ("a failure is not the success of the same moment", NUMBER, CHARGE.model_copy(update={"status": AttemptStatus.SUCCEEDED}), False),
]


@pytest.mark.parametrize(("line", "one", "other", "expected"), SAME, ids=[row[0] for row in SAME])
def test_same_attempt(line: str, one: AttemptSnapshot, other: AttemptSnapshot, expected: bool) -> None:
    assert same_attempt(one, other) is expected
    assert same_attempt(other, one) is expected


def test_a_reading_that_knows_all_ids_folds_what_was_told_apart() -> None:
    assert matches([NUMBER, INTENT, SECOND_CHARGE], CHARGE) == [0, 1]


def test_charges_of_one_intent_are_never_folded_by_it() -> None:
    assert matches([CHARGE, SECOND_CHARGE], INTENT) == [0]


def test_an_intent_that_waits_for_the_customer_after_its_charge_failed_is_a_new_try() -> None:
    refused = attempt_snapshot(vendor_key="ch_1", charge_vendor_id="ch_1", intent_vendor_id="pi_1", occurred_at=FAILED_AT)
    later = {"occurred_at": FAILED_AT + timedelta(hours=1), "observed_at": FAILED_AT + timedelta(hours=1)}
    waits = attempt_snapshot(
        vendor_key="pi_1", charge_vendor_id=None, intent_vendor_id="pi_1", status=AttemptStatus.REQUIRES_ACTION, codes=None, **later
    )
    assert not same_attempt(refused, waits)
    assert not same_attempt(waits, refused)
    stale = waits.model_copy(update={"occurred_at": FAILED_AT - timedelta(seconds=9)})
    assert same_attempt(refused, stale), "what waited before the charge failed is the try that failed"
    paid = attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2", intent_vendor_id="pi_1", status=AttemptStatus.SUCCEEDED, codes=None)
    assert same_attempt(waits, paid)
    assert matches((refused, waits), paid) == [1]
