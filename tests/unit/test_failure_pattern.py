"""What kind of failure it is: one of many, a pattern, or the sign of misuse."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.failure_pattern import PatternKind, failure_pattern
from recoup.facts import CaseFacts, LedgerEntry
from recoup.invoice import DeclineCodes, Initiator
from tests.factories import FAILED_AT, NOW, attempt_facts, credential_facts, ledger_entry, make_facts

ONE_TIME, RECURRING, CHRONIC, FRAUD = PatternKind
DAY = timedelta(days=1)
ENTRY = ledger_entry()


def coded(code: str, **more: str) -> DeclineCodes:
    return DeclineCodes(processor="stripe", decline_code=code, **more)


def before(days: float, number: int, **changes: Any) -> LedgerEntry:
    """A payment of another invoice that failed so many days before this one."""
    values: dict[str, Any] = {"id": f"att_x{number}", "invoice_id": f"inv_x{number}", "own_case": False, "at": FAILED_AT - days * DAY}
    return ledger_entry(**(values | {"codes": coded("insufficient_funds")} | changes))


def card(number: int, minutes: float = 0, code: str = "insufficient_funds", **changes: Any) -> LedgerEntry:
    """The customer's own try with one of their cards, so many minutes before the failure."""
    values = {"credential_id": f"crd_{number}", "initiator": Initiator.CUSTOMER, "customer_initiated": True, "codes": coded(code)}
    return before(minutes / 1440, number, **(values | {"invoice_id": "inv_1", "own_case": True} | changes))


TABLE: list[tuple[str, tuple[LedgerEntry, ...], PatternKind]] = [
    ("nothing else ever failed", (), ONE_TIME),
    ("the same invoice failed before", (before(20, 1, invoice_id="inv_1", own_case=True),), ONE_TIME),
    ("another invoice failed in the same week", (before(6, 1),), ONE_TIME),
    ("another invoice failed a month ago", (before(30, 1),), RECURRING),
    ("an invoice that nobody named failed a month ago", (before(30, 1, invoice_id=None),), RECURRING),
    ("another invoice waits for the customer's confirmation", (before(30, 1, state="requires_action", codes=None),), RECURRING),
    ("another invoice was paid a month ago", (before(30, 1, state="succeeded", codes=None, category=None),), ONE_TIME),
    ("another invoice failed more than half a year ago", (before(180, 1),), ONE_TIME),
    ("two others failed, months apart", (before(60, 1), before(30, 2)), RECURRING),
    ("two others failed in one week, and another before", (before(60, 1), before(30, 2), before(29, 3)), RECURRING),
    ("three others failed, months apart", (before(90, 1), before(60, 2), before(30, 3)), CHRONIC),
    ("three invoices that nobody named", tuple(before(30 * n, n, invoice_id=None) for n in (1, 2, 3)), RECURRING),
    ("another invoice was refused as fraud", (before(30, 1, codes=coded("fraudulent")),), FRAUD),
    ("the network's code speaks of fraud", (before(30, 1, codes=coded("generic_decline", network_decline_code="59")),), FRAUD),
    ("the merchant's own block list", (before(30, 1, codes=coded("merchant_blacklist")),), FRAUD),
    ("a word of fraud more than a quarter ago", (before(90, 1, codes=coded("fraudulent")),), RECURRING),
    ("a card was lost a month ago", (before(30, 1, codes=coded("lost_card")),), RECURRING),
    (
        "two cards were lost",
        (before(30, 1, codes=coded("lost_card")), before(10, 2, codes=coded("stolen_card"), credential_id="crd_2")),
        FRAUD,
    ),
    (
        "a lost card that the network declines for want of money, and another one",
        (
            before(30, 1, codes=coded("lost_card", network_decline_code="51")),
            before(10, 2, codes=coded("stolen_card"), credential_id="crd_2"),
        ),
        FRAUD,
    ),
    ("one card was refused for good twice", (before(30, 1, codes=coded("lost_card")), before(25, 2, codes=coded("lost_card"))), RECURRING),
    (
        "two mandates were withdrawn",
        tuple(before(30 * n, n, codes=coded("stop_payment_order"), credential_id=f"crd_{n}") for n in (1, 2)),
        RECURRING,
    ),
    ("three cards within the hour", (card(1, 40), card(2, 20), card(3, 1)), FRAUD),
    ("three cards, one of them paid", (card(1, 40), card(2, 20), card(3, 1, state="succeeded", codes=None, category=None)), ONE_TIME),
    ("three cards in an afternoon", (card(1, 130), card(2, 65), card(3, 1)), ONE_TIME),
    ("two cards within the hour, one of them twice", (card(1, 40), card(2, 20), card(2, 1)), ONE_TIME),
    (
        "three cards that the platform tried by itself",
        tuple(card(n, n, initiator=Initiator.PLATFORM, customer_initiated=False) for n in (1, 2, 3)),
        ONE_TIME,
    ),
    ("three cards within an hour of last month", tuple(card(n, 43_200 + n) for n in (1, 2, 3)), FRAUD),
]


@pytest.mark.parametrize(("what", "ledger", "kind"), TABLE, ids=[row[0] for row in TABLE])
def test_it_is_told_from_everybodys_attempts_that(what: str, ledger: tuple[LedgerEntry, ...], kind: PatternKind) -> None:
    facts = make_facts(ledger=(*ledger, ENTRY))
    pattern = failure_pattern(facts)
    assert pattern.kind is kind
    assert pattern.reasons
    assert set(pattern.evidence) <= facts.row_ids()


def test_the_reasons_and_rows_of_every_sign_of_fraud_are_given() -> None:
    ledger = (
        before(30, 1, codes=coded("fraudulent")),
        before(10, 2, codes=coded("lost_card"), credential_id="crd_2"),
        *(card(n, n, "stolen_card") for n in (4, 5, 6)),
        before(3, 9),
    )
    pattern = failure_pattern(make_facts(ledger=ledger))
    assert pattern.reasons == (
        "an answer speaks of fraud, the last on 2026-02-08",
        "5 payment methods were refused for good in 90 days",
        "the customer tried 3 payment methods within an hour",
    )
    assert set(pattern.evidence) == {"att_x1", "att_x2", "att_x4", "att_x5", "att_x6"}


def test_the_cases_own_attempts_count_where_the_ledger_has_none() -> None:
    fraud = attempt_facts(codes=coded("fraudulent"))
    assert failure_pattern(make_facts(attempts=(fraud,), ledger=())).kind is FRAUD
    assert failure_pattern(make_facts(attempts=(), ledger=())).kind is ONE_TIME


CODES = ("insufficient_funds", "do_not_honor", "lost_card", "fraudulent", "expired_card", "authentication_required", "strange")


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[LedgerEntry, ...]:
    def entry(number: int) -> LedgerEntry:
        return before(
            draw(st.floats(-0.04, 200)),
            number,
            codes=coded(draw(st.sampled_from(CODES))),
            state=draw(st.sampled_from(["failed", "succeeded", "requires_action", "reserved", "unknown"])),
            credential_id=draw(st.sampled_from([None, "crd_1", "crd_2", "crd_of_old"])),
            invoice_id=draw(st.sampled_from([None, "inv_2", "inv_3", "inv_4", "inv_5", "inv_6"])),
            customer_initiated=draw(st.booleans()),
        )

    return tuple(entry(number) for number in range(draw(st.integers(0, 12))))


def with_ledger(ledger: tuple[LedgerEntry, ...], now: datetime = NOW) -> CaseFacts:
    return make_facts(now=now, ledger=ledger, backups=(credential_facts(id="crd_2"),))


@given(ledgers(), st.randoms(use_true_random=False))
def test_the_order_in_which_attempts_are_listed_tells_nothing(ledger: tuple[LedgerEntry, ...], random: Any) -> None:
    shuffled = list(ledger)
    random.shuffle(shuffled)
    assert failure_pattern(with_ledger(tuple(shuffled))) == failure_pattern(with_ledger(ledger))


@given(ledgers())
def test_its_evidence_are_rows_of_the_facts_and_one_word_of_fraud_outweighs_the_rest(ledger: tuple[LedgerEntry, ...]) -> None:
    facts = with_ledger(ledger)
    pattern = failure_pattern(facts)
    assert set(pattern.evidence) <= facts.row_ids()
    one_more = failure_pattern(with_ledger((*ledger, before(0, 99, codes=coded("fraudulent")))))
    assert one_more.kind is FRAUD


@given(ledgers())
def test_suspicion_dies_down_a_quarter_after_the_last_attempt(ledger: tuple[LedgerEntry, ...]) -> None:
    later = with_ledger(ledger, now=NOW + 91 * DAY)
    assert failure_pattern(later).kind is not FRAUD
