"""The independent checker of network rules, what caps and series count: a history that keeps each by one attempt or second, and one that
does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evals.network_checker import Card, Try, breaches
from tests.network_histories import ACH, AMEX, DAY, HOUR, MASTERCARD, NOVA, SECOND, SEPA, START, VISA, elses, found, paid, series, tried

# How many of somebody else's attempts we may still follow with one of ours, and with how many more it is one too many.
CAPS: list[tuple[str, Card, list[Try], Try]] = [
    ("20 reattempts on a Visa", VISA, series(21, 33 * HOUR), tried(30 * DAY - SECOND)),
    ("10 tries on a Mastercard in 24 hours", MASTERCARD, series(10, 2 * HOUR), tried(DAY - SECOND)),
    ("10 tries on a Mastercard in one UTC day", MASTERCARD, series(10, SECOND), tried(9 * HOUR - SECOND)),
    ("35 tries of one amount on a Mastercard in 30 days", MASTERCARD, series(35, 20 * HOUR), tried(30 * DAY - SECOND)),
    ("7 tries of one amount on a Brazilian Mastercard", replace(MASTERCARD, country="BR"), series(7, 4 * DAY), tried(31 * DAY - SECOND)),
    ("15 tries on an Amex in 30 days", AMEX, series(15, DAY), tried(30 * DAY - SECOND)),
    ("15 tries on a Discover in 30 days", Card("card", "discover"), series(15, DAY), tried(30 * DAY - SECOND)),
    ("15 tries on a card of an unknown network", NOVA, series(15, DAY), tried(30 * DAY - SECOND)),
    ("10 tries on a card of an unknown network in a day", Card("card"), series(10, 2 * HOUR), tried(DAY - SECOND)),
    ("7 tries on a Brazilian card of an unknown network", Card("card", country="BR"), series(7, 4 * DAY), tried(31 * DAY - SECOND)),
    ("3 debits by ACH in 180 days", ACH, series(3, 80 * DAY), tried(180 * DAY - SECOND)),
    ("a debit by SEPA and two more in 42 days", SEPA, series(3, 20 * DAY), tried(42 * DAY - SECOND)),
]


@pytest.mark.parametrize(("card", "before", "ours"), [row[1:] for row in CAPS], ids=[row[0] for row in CAPS])
def test_no_try_goes_beyond(card: Card, before: list[Try], ours: Try) -> None:
    assert not found(card, *before[1:], ours), "one less was permitted"
    [problem, *_] = found(card, *before, ours)
    assert problem.startswith("more than")


# What does not count, or no longer: each history would be one attempt too many without it.
KEEPS: list[tuple[str, Card, list[Try]]] = [
    ("a Visa's reattempt leaves the window", VISA, [*series(21, 33 * HOUR), tried(30 * DAY + 33 * HOUR)]),
    ("the customer's own reattempts on a Visa", VISA, [*series(25, HOUR, by_customer_surely=True), tried(3 * DAY)]),
    ("a Visa is charged another amount", VISA, [*series(21, 24 * HOUR), tried(25 * DAY, amount=900)]),
    ("a Visa is charged in another currency", VISA, [*series(21, 24 * HOUR), tried(25 * DAY, currency="EUR")]),
    ("a Mastercard's first try is a day old", MASTERCARD, [elses(0 * DAY), *[elses((12 + n) * HOUR) for n in range(9)], tried(DAY)]),
    ("a Mastercard's new day has begun", MASTERCARD, [elses(-6 * HOUR), *series(9, HOUR), tried(18 * HOUR)]),
    ("a Mastercard's 36th try comes after 30 days", MASTERCARD, [*series(35, 20 * HOUR), tried(30 * DAY)]),
    ("an eighth try in Brazil of another amount", replace(MASTERCARD, country="BR"), [*series(7, 2 * DAY), tried(20 * DAY, amount=900)]),
    ("an eighth try in Brazil after 31 days", replace(MASTERCARD, country="BR"), [*series(7, 4 * DAY), tried(31 * DAY)]),
    ("an eighth try outside Brazil", replace(MASTERCARD, country="PT"), [*series(7, 2 * DAY), tried(20 * DAY)]),
    ("an Amex's window has passed", AMEX, [*series(15, DAY), tried(30 * DAY)]),
    ("an Amex's payments and released tries", AMEX, [*series(9, DAY), *series(9, DAY, status="released"), paid(9 * DAY), tried(10 * DAY)]),
    ("an ACH debit's half year has passed", ACH, [*series(3, 80 * DAY, code="R01"), tried(180 * DAY)]),
    ("an ACH debit of that amount went through", ACH, [*series(3, 2 * DAY, code="R01"), paid(7 * DAY), tried(8 * DAY)]),
    ("an ACH debit of another amount", ACH, [*series(3, 2 * DAY, code="R09"), tried(8 * DAY, amount=900)]),
    ("a SEPA debit's 42 days have passed", SEPA, [elses(0 * DAY, "AM04"), elses(DAY, "MS03"), elses(3 * DAY, "AM04"), tried(43 * DAY)]),
    ("a SEPA debit of that amount went through", SEPA, [*series(3, 2 * DAY, code="AM04"), paid(7 * DAY), tried(8 * DAY)]),
]


@pytest.mark.parametrize(("card", "tries"), [row[1:] for row in KEEPS], ids=[row[0] for row in KEEPS])
def test_it_is_permitted_when(card: Card, tries: list[Try]) -> None:
    assert found(card, *tries) == []


def test_what_is_permitted_is_so_to_the_second() -> None:
    for _, card, tries in KEEPS:
        if tries[-1].at - tries[0].at in {30 * DAY, 31 * DAY, 180 * DAY, DAY}:
            assert found(card, *tries[:-1], replace(tries[-1], at=tries[-1].at - SECOND))


@pytest.mark.parametrize("status", ["reserved", "pending", "processing", "requires_action", "unknown", "failed"])
def test_a_try_that_is_still_open_counts_as_one_that_failed(status: str) -> None:
    before = series(15, DAY)
    before[7] = elses(7 * DAY, None, status=status)
    problems = found(AMEX, *before, tried(20 * DAY))
    assert "more than 15 attempts in 30 days (other networks)" in problems


@pytest.mark.parametrize(("card", "counts"), [(AMEX, False), (ACH, True), (SEPA, True)])
def test_a_payment_that_was_taken_back_counts_only_where_it_was_a_debit(card: Card, counts: bool) -> None:
    before = series(15, DAY, code=None, status="reversed")
    assert bool(found(card, *before, tried(20 * DAY))) is counts


def test_a_debit_that_went_through_begins_a_new_count_for_its_own_amount_alone() -> None:
    for card, code in ((ACH, "R01"), (SEPA, "AM04")):
        before = [*series(3, 2 * DAY, code=code), paid(7 * DAY, amount=900)]
        assert found(card, *before, tried(8 * DAY))
        assert not found(card, *before, paid(7 * DAY), tried(8 * DAY))


def test_a_visa_had_five_reattempts_fewer_before_may_2025() -> None:
    for at, most in ((datetime(2025, 5, 19, tzinfo=UTC) - SECOND, 15), (datetime(2025, 5, 19, tzinfo=UTC), 20)):
        first = at - 28 * DAY - START
        before = [elses(first + n * DAY) for n in range(most + 1)]
        assert not found(VISA, *before[1:], tried(at - START))
        assert found(VISA, *before, tried(at - START)) == [f"more than {most} reattempts of one amount in 30 days (Visa)"]


def test_a_mastercards_customer_counts_as_anybody_and_a_visas_unsure_one_as_the_merchant() -> None:
    ten = series(10, 2 * HOUR, by_customer_surely=True)
    assert found(MASTERCARD, *ten, tried(DAY - SECOND)) == ["more than 10 attempts in 24 hours (Mastercard)"]
    assert found(VISA, *series(21, DAY), tried(25 * DAY))


@pytest.mark.parametrize(
    ("brands", "cap"),
    [
        ("Visa VISA visa", "20 reattempts"),
        ("Mastercard MASTER master_card", "10 attempts"),
        ("amex American_Express Discover Diners_Club diners jcb UnionPay", "15 attempts"),
    ],
)
def test_the_brand_is_known_however_it_is_spelled(brands: str, cap: str) -> None:
    for brand in brands.split():
        problems = found(Card("card", brand), *series(24, 1.5 * HOUR), tried(DAY + 12 * HOUR))
        assert problems
        assert {problem.removeprefix("more than ")[: len(cap)] for problem in problems} == {cap}, brand


def test_the_same_moment_is_taken_in_the_order_of_the_books() -> None:
    fourteen = series(14, DAY)
    ours, theirs = tried(20 * DAY), elses(20 * DAY)
    assert not found(AMEX, *fourteen, ours, theirs)
    assert found(AMEX, *fourteen, elses(14 * DAY), ours)
    both = [tried(20 * DAY, None, status="reserved", subject=subject) for subject in ("act_1", "act_2")]
    assert [breach.subject for breach in breaches(AMEX, [*fourteen, *both])] == ["act_2"]


def generic(after: timedelta, code: str = "do_not_honor", **changes: object) -> Try:
    """The platform's attempt met a refusal without a reason."""
    return elses(after, code, **changes)


def test_after_a_refusal_without_a_reason_come_four_tries_in_30_days() -> None:
    five = [generic(n * 2 * DAY) for n in range(5)]
    assert not found(MASTERCARD, *five[1:], tried(20 * DAY))
    assert found(MASTERCARD, *five, tried(20 * DAY)) == ["more than 4 more after do_not_honor"]
    assert found(MASTERCARD, *five, tried(30 * DAY - SECOND))
    assert not found(MASTERCARD, *five, tried(30 * DAY))


def test_every_answer_and_every_open_try_after_the_refusal_is_one_of_the_four() -> None:
    answers = [elses(3 * DAY, "insufficient_funds"), elses(5 * DAY), elses(7 * DAY, None, status="pending"), tried(9 * DAY)]
    assert found(MASTERCARD, generic(0 * DAY), *answers, tried(20 * DAY))
    assert not found(MASTERCARD, generic(0 * DAY), *answers[1:], tried(20 * DAY))
    silent = [elses(3 * DAY, status="released"), *answers[1:]]
    assert not found(MASTERCARD, generic(0 * DAY), *silent, tried(20 * DAY))
    by_customer = [elses(3 * DAY, by_customer_surely=True), *answers[1:]]
    assert not found(MASTERCARD, generic(0 * DAY), *by_customer, tried(20 * DAY))


def test_a_payment_or_changed_data_begin_the_four_anew() -> None:
    five = [generic(n * 2 * DAY) for n in range(5)]
    assert not found(MASTERCARD, *five, paid(9 * DAY), tried(20 * DAY))
    assert not found(MASTERCARD, *five[:2], paid(3 * DAY), *five[2:], tried(20 * DAY))
    assert not found(replace(MASTERCARD, changes=(START + 9 * DAY,)), *five, tried(20 * DAY))
    assert found(replace(MASTERCARD, changes=(START,)), *five, tried(20 * DAY))


def test_an_unknown_word_is_a_refusal_without_a_reason_unless_the_network_gives_one() -> None:
    five = [generic(n * 2 * DAY, "what_is_this") for n in range(5)]
    assert found(VISA, *five, tried(20 * DAY))
    assert not found(VISA, *(replace(one, network_code="51") for one in five), tried(20 * DAY))


def test_a_multi_use_virtual_card_takes_one_more_try() -> None:
    virtual = elses(0 * DAY, advice="43")
    assert not found(MASTERCARD, virtual, tried(2 * HOUR))
    assert found(MASTERCARD, virtual, elses(DAY), tried(90 * DAY)) == ["more than 1 more after advice 43"]
    assert not found(MASTERCARD, virtual, elses(DAY), paid(2 * DAY), tried(90 * DAY))
    assert not found(MASTERCARD, virtual, elses(DAY, by_customer_surely=True), tried(90 * DAY))
    changed = replace(MASTERCARD, changes=(START + 2 * DAY,))
    assert found(changed, virtual, elses(DAY), tried(90 * DAY))
    assert not found(replace(changed, has_fingerprint=False), virtual, elses(DAY), tried(90 * DAY))


def test_clocks_may_differ_by_the_slack_that_is_granted() -> None:
    minute = timedelta(minutes=1)
    histories = [
        [elses(0 * DAY, "insufficient_funds"), tried(DAY - minute)],
        [*series(10, 2 * HOUR), tried(DAY - minute)],
        [generic(n * 2 * DAY) for n in range(5)] + [tried(30 * DAY - minute)],
    ]
    for history in histories:
        assert breaches(MASTERCARD, history)
        assert not breaches(MASTERCARD, history, slack=minute + SECOND)
        assert breaches(MASTERCARD, [*history[:-1], replace(history[-1], at=history[-1].at - 2 * SECOND)], slack=minute)


def test_who_remembers_only_so_long_forgets_what_a_payment_would_have_cured() -> None:
    memory = 190 * DAY
    for code, binds in (("expired_card", False), ("lost_card", True)):
        old = elses(0 * DAY, code)
        assert breaches(MASTERCARD, [old, tried(memory - SECOND)], remembers=memory)
        assert bool(breaches(MASTERCARD, [old, tried(memory)], remembers=memory)) is binds
