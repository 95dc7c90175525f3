"""What is believed of a case: every failure speaks for some truths and against others, and nothing speaks twice or too early."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.belief import Belief, believe
from agents.planner.paydays import FIRST_DAY
from agents.planner.prior import TRUTHS, published
from agents.planner.situation import DAY, HOUR, Past, Situation, Tried
from recoup.category import Category
from tests.situations import FAILED_AT, on, paid_on, situation, when

PRIOR = published()
WAYS = len(PRIOR.ways)
MONTHLY = 17  # the first of the monthly calendars: paid on the 1st

categories = st.sampled_from(list(Category))
days_tried = st.lists(st.integers(1, 27 * 24), max_size=6, unique=True).map(lambda hours: tuple(hour / 24 for hour in sorted(hours)))
pasts = st.lists(
    st.builds(Past, st.integers(1, 300).map(lambda day: on(-day)), st.booleans(), st.booleans(), st.sampled_from([None, *Category])),
    max_size=12,
).map(tuple)


def of(case: Situation) -> Belief:
    return believe(case, PRIOR)


def on_calendar(belief: Belief, calendar: int) -> float:
    """How much of the belief in paydays lies on one calendar."""
    by_calendar = belief.weights[:WAYS].reshape(-1, WAYS // 48).sum(axis=1)
    return float(by_calendar[calendar] / by_calendar.sum())


def shares(belief: Belief) -> dict[str, float]:
    return {truth: belief.share(truth) for truth in TRUTHS}


@given(categories, days_tried, pasts, st.sampled_from([-8.0, 0.0, 5.5]))
def test_whatever_has_happened_weights_are_shares_and_chances_are_chances(
    category: Category, days: tuple[float, ...], past: tuple[Past, ...], offset: float
) -> None:
    belief = of(situation(category, failed=(0.0, *days), past=past, offset_hours=offset))
    at = belief.situation.now + np.arange(0, 40, 1.7) * DAY
    assert belief.weights.sum() == pytest.approx(1)
    assert (belief.weights >= 0).all()
    assert sum(shares(belief).values()) == pytest.approx(1)
    chances = belief.chances(at)
    assert chances.shape == belief.paydays(at).shape == (len(belief.weights), len(at))
    assert ((chances >= 0) & (chances <= 1)).all()
    assert np.allclose(belief.expected(at), belief.weights @ chances)


@pytest.mark.parametrize(
    ("category", "likeliest"),
    [
        (Category.FUNDS, "paydays"),
        (Category.GENERIC, "gone"),
        (Category.TECHNICAL, "passing"),
        (Category.NEW_DATA, "gone"),
        (Category.CUSTOMER_ACTION, "gone"),
    ],
)
def test_what_a_first_decline_is_taken_for(category: Category, likeliest: str) -> None:
    told = shares(of(situation(category)))
    assert max(told, key=lambda truth: told[truth]) == likeliest
    assert told == pytest.approx(shares(of(situation(category, past=paid_on("2026-02-13")))))


def test_a_failure_right_after_payday_speaks_against_that_calendar() -> None:
    calendar = MONTHLY + 9  # paid on the 10th; the charge of the 11th failed
    before = PRIOR.ways.reshape(48, -1).sum(axis=1)[calendar]
    assert on_calendar(of(situation()), calendar) < before / 3
    assert on_calendar(of(situation()), MONTHLY + 11) > before  # paid on the 12th: a month after pay an account is empty


def test_each_failure_speaks_against_there_being_paydays_at_all() -> None:
    told = [shares(of(situation(failed=(0.0, 3.0, 6.0, 9.0, 13.0)[:count]))) for count in (1, 2, 3, 4, 5)]
    assert [one["paydays"] for one in told] == sorted((one["paydays"] for one in told), reverse=True)
    assert [one["gone"] for one in told] == sorted(one["gone"] for one in told)
    assert told[-1]["gone"] > 0.5


def test_one_more_failure_weighs_by_how_unlikely_it_was() -> None:
    before, after = of(situation()), of(situation(failed=(0.0, 4.0)))
    expected = before.weights * (1 - before.chances(np.array([on(4)]))[:, 0])
    assert np.allclose(after.weights, expected / expected.sum())


def test_charges_that_went_through_right_after_pay_tell_when_that_is() -> None:
    fridays = ("2026-01-09", "2026-01-23", "2026-02-06", "2026-02-20", "2026-03-06")
    belief = of(situation(past=paid_on("2025-11-28", "2025-12-12", *fridays)))
    likeliest = int(np.argmax(belief.weights[:WAYS].reshape(48, -1).sum(axis=1)))
    payday = belief.paydays(np.array([on(0)]))[likeliest * (WAYS // 48), 0]
    assert payday == (np.datetime64("2026-03-06") - np.datetime64(FIRST_DAY)).astype(int)
    assert on_calendar(belief, likeliest) > 4 * on_calendar(of(situation()), likeliest)


def test_failures_of_the_past_tell_of_paydays_only_where_money_may_have_been_short() -> None:
    def past(category: Category) -> tuple[Past, ...]:
        return tuple(Past(when(f"2026-{month:02}-11T12:00"), approved=False, is_retry=False, category=category) for month in (1, 2))

    nothing = of(situation())
    assert np.allclose(of(situation(past=past(Category.TECHNICAL))).weights, nothing.weights)
    assert on_calendar(of(situation(past=past(Category.FUNDS))), MONTHLY + 9) < on_calendar(nothing, MONTHLY + 9)


def test_what_customers_paid_before_leaves_what_may_be_behind_the_decline_as_it_was() -> None:
    assert shares(of(situation(past=paid_on("2026-02-11", "2026-01-12")))) == pytest.approx(shares(of(situation())))


def test_in_a_pay_period_in_which_a_charge_has_failed_another_has_less_of_a_chance_and_after_the_next_payday_as_much_as_ever() -> None:
    # Paid on the 15th, which is a Sunday, so on Friday the 13th; a charge of the 14th has failed, April's comes on the 15th.
    way = (MONTHLY + 14) * (WAYS // 48)
    at = np.array([when("2026-03-14T18:00"), when("2026-04-15T18:00")])
    after, before = of(situation(failed=(0.0, 3.0))).chances(at)[way], of(situation()).chances(at)[way]
    assert after[0] == pytest.approx(before[0] * PRIOR.numbers["paydays"]["after_failure_times"])
    assert after[1] == pytest.approx(before[1])


def test_a_bank_that_is_away_is_likelier_back_the_longer_one_waits() -> None:
    belief = of(situation(Category.TECHNICAL, failed=(0.0, 0.25)))
    expected = belief.expected(on(0.25) + np.array([1, 3, 6, 12, 24, 48]) * HOUR)
    assert (np.diff(expected) > 0).all()
    assert expected[0] < 0.15
    assert expected[-1] > 0.5


def test_the_newest_decline_says_what_it_is_about() -> None:
    tries = (Tried(on(0), Category.FUNDS), Tried(on(2), Category.TECHNICAL))
    told = shares(of(situation(now=on(2), tries=tries, category=Category.TECHNICAL)))
    assert max(told, key=lambda truth: told[truth]) == "passing"


def test_who_needs_to_act_is_not_helped_by_another_charge_at_any_time() -> None:
    at = on(0) + np.arange(0, 28, 0.25) * DAY
    for category in (Category.NEVER, Category.NEW_DATA, Category.CUSTOMER_ACTION, Category.POLICY, Category.MANDATE_STOPPED):
        assert of(situation(category)).expected(at).max() < 0.05


def test_nothing_is_known_against_a_fresh_card() -> None:
    tried = situation(failed=(0.0, 2.0, 5.0))
    belief = of(replace(tried, now=on(6), updated_at=on(6)))
    assert len(belief.failed) == 0
    assert belief.share("good") > 0.8
    assert belief.expected(np.array([on(6)]))[0] > 0.75


def test_what_was_tried_before_the_card_was_changed_says_nothing_of_the_new_one() -> None:
    after = situation(failed=(0.0, 2.0, 8.0), updated_at=on(6))
    only = replace(after, tries=after.tries[-1:])
    assert np.allclose(of(after).weights, of(only).weights)
    assert list(of(after).failed) == [on(8)]


def test_a_charge_that_nobody_has_answered_yet_says_nothing() -> None:
    waiting = situation(now=on(2), tries=(Tried(FAILED_AT, Category.FUNDS), Tried(on(2), None)))
    assert np.allclose(of(waiting).weights, of(situation()).weights)


@given(st.sampled_from([-8.0, -5.0, 3.0, 5.5, 10.0]), days_tried)
def test_paydays_are_those_of_the_customer_s_own_clock(offset: float, days: tuple[float, ...]) -> None:
    """Everything so many hours later, and the customer's clock as many hours behind."""

    def moved(at: float) -> float:
        return at - offset * HOUR

    here = situation(failed=(0.0, *days), past=paid_on("2026-01-30", "2026-02-13"))
    there = replace(
        here,
        now=moved(here.now),
        failed_at=moved(here.failed_at),
        tries=tuple(replace(t, at=moved(t.at)) for t in here.tries),
        past=tuple(replace(p, at=moved(p.at)) for p in here.past),
        offset_hours=offset,
    )
    at = here.now + np.arange(0, 28, 0.6) * DAY
    assert np.allclose(of(there).weights, of(here).weights)
    assert np.allclose(of(there).expected(at - offset * HOUR), of(here).expected(at))
