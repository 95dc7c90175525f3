"""One plan for charges and messages: what comes first and why, what is left out, and the limits that no plan oversteps."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.planner.plan import SAME_PERIOD_TIMES, TOO_UNLIKELY
from agents.planner.prior import published
from agents.planner.situation import DAY, HOUR, Situation, Written
from agents.planner.slots import MESSAGES_APART_HOURS
from agents.planner.terms import Option, Plan, Terms
from recoup.category import Category
from tests.situations import COLD, FAILED_AT, charges, messages, on, paid_on, plan, situation, terms

NEED_THE_CUSTOMER = (Category.NEVER, Category.NEW_DATA, Category.CUSTOMER_ACTION, Category.POLICY, Category.MANDATE_STOPPED)
ALWAYS_PAYDAYS = replace(COLD, prior=published().moved({"funds": np.array([1.0, 0.0, 0.0, 0.0, 0.0])}))
ON_THE_15TH = paid_on("2025-08-15", "2025-09-15", "2025-10-15", "2025-11-14", "2025-12-15", "2026-01-15", "2026-02-13")
PAYDAY, NEXT_PAYDAY = 1.75, 34.75  # Friday the 13th of March, 06:00, and the 15th of April

situations = st.builds(
    situation,
    st.sampled_from(list(Category)),
    failed=st.lists(st.integers(1, 400), max_size=4, unique=True).map(lambda hours: (0.0, *(hour / 24 for hour in sorted(hours)))),
    amount_minor=st.sampled_from([50.0, 900.0, 4900.0, 250_000.0]),
    offset_hours=st.sampled_from([-8.0, 0.0, 5.5]),
    channels=st.sampled_from([(), ("email",), ("email", "sms", "in_app")]),
    updated_at=st.sampled_from([None, on(-1), on(17)]),
    may_retry=st.booleans(),
)
limits = st.fixed_dictionaries(
    {
        "end": st.integers(1, 28).map(on),
        "charge_from": st.integers(0, 20).map(on),
        "write_from": st.integers(0, 20).map(on),
        "attempts_left": st.integers(0, 6),
        "messages_most": st.integers(0, 4),
        "closed_weekdays": st.sampled_from([frozenset[int](), frozenset({5, 6})]),
        "attempt_minor": st.sampled_from([0.0, 10.0, 500.0]),
        "customer_worth_invoices": st.sampled_from([0.0, 1.5, 20.0]),
    }
).map(lambda told: terms(**told))


@given(situations, limits)
@settings(deadline=None)
def test_nothing_is_planned_outside_the_limits(case: Situation, within: Terms) -> None:
    planned = plan(case, within)
    tried = [step for step in planned.steps if step.kind == "retry"]
    wrote = [step for step in planned.steps if step.kind == "write"]
    assert [step.at for step in planned.steps] == sorted(step.at for step in planned.steps)
    assert all(max(case.now, within.charge_from) <= step.at < within.end for step in tried)
    assert all(max(case.now, within.write_from) <= step.at < within.end for step in wrote)
    assert len(tried) <= (within.attempts_left if case.may_retry else 0)
    assert len(wrote) <= within.messages_most
    assert all(one.at + 4 * HOUR <= other.at for one, other in pairwise(tried))
    assert all(one.at + MESSAGES_APART_HOURS * HOUR <= other.at for one, other in pairwise(wrote))
    for step in planned.steps:
        local = step.at / HOUR + case.offset_hours
        assert step.kind == "retry" or within.contact_from_hour <= local % 24 < within.contact_until_hour
        assert step.kind == "write" or (local // 24 + 3) % 7 not in within.closed_weekdays
        assert (step.channel in case.channels) if step.kind == "write" else step.channel is None


@given(situations, limits)
@settings(deadline=None)
def test_what_a_plan_says_of_itself_adds_up(case: Situation, within: Terms) -> None:
    planned = plan(case, within)
    assert 0 <= planned.recovers <= 1
    assert planned.recovers * case.amount_minor * (1 + 1e-9) >= planned.value_minor >= 0
    assert bool(planned.steps) == (planned.value_minor > 0)
    assert all(0 <= option.chance <= 1 for option in (*planned.steps, *planned.left_out, *planned.choices))
    assert all(option.value_minor <= 0 for option in planned.left_out)
    assert planned == plan(case, within)


# What comes first


@pytest.mark.parametrize("category", NEED_THE_CUSTOMER)
def test_whom_only_the_customer_can_help_is_asked_at_once_and_nothing_is_charged(category: Category) -> None:
    planned = plan(situation(category, needs_customer=True))
    assert messages(planned)[0] == 0
    assert not charges(planned)


def test_a_message_is_held_back_where_a_charge_is_about_to_succeed() -> None:
    away = plan(situation(Category.TECHNICAL))
    assert min(charges(away)) < min(messages(away))
    known = plan(situation(past=ON_THE_15TH))
    assert PAYDAY < charges(known)[0] < messages(known)[0]
    hopeless = plan(situation(past=ON_THE_15TH), terms(charge_from=on(10)))
    assert messages(hopeless)[0] < 1


def test_a_charge_waits_for_the_payday_that_charges_of_the_past_tell_of() -> None:
    planned = plan(situation(past=ON_THE_15TH))
    first = planned.first("retry")
    assert first is not None
    assert PAYDAY <= charges(planned)[0] < PAYDAY + 0.25
    without = plan().first("retry")
    assert without is not None
    assert first.chance > without.chance


def test_a_fresh_card_is_charged_at_once() -> None:
    planned = plan(situation(failed=(0.0, 3.0), now=on(5), updated_at=on(5)))
    assert planned.next is not None
    assert (planned.next.kind, planned.next.at) == ("retry", on(5))
    assert planned.next.chance > 0.7


def test_two_charges_are_not_spent_on_one_payday() -> None:
    case, within = situation(past=ON_THE_15TH, channels=()), terms(attempts_left=2, end=on(40), window_end=on(40))
    first, second = charges(plan(case, within, ALWAYS_PAYDAYS))
    assert PAYDAY <= first < PAYDAY + 1
    assert second > 15


def test_what_is_left_of_the_budget_keeps_its_worth() -> None:
    """A single charge waits for the better day; with more of them one is worth making before."""
    soon = situation(past=ON_THE_15TH, now=on(0))
    one, many = (charges(plan(soon, terms(attempts_left=count, attempt_minor=0.0, attempt_share=0.0))) for count in (1, 8))
    assert PAYDAY <= one[0] < PAYDAY + 1
    assert len(many) > 4


def test_after_a_failure_the_plan_is_another_one() -> None:
    first = plan(situation(past=ON_THE_15TH)).first("retry")
    assert first is not None
    day = (first.at - FAILED_AT) / DAY
    after = plan(situation(failed=(0.0, day), past=ON_THE_15TH), terms(charge_from=first.at + DAY))
    assert after.next is not None
    assert after.recovers < plan(situation(past=ON_THE_15TH)).recovers
    assert all(at >= day + 1 for at in charges(after))


# What is not worth it


def test_nothing_is_planned_that_does_not_pay() -> None:
    dear = plan(within=terms(attempt_minor=5000.0, customer_worth_invoices=100.0))
    assert (dear.steps, dear.choices, dear.next, dear.value_minor, dear.recovers) == ((), (), None, 0, 0)
    assert {option.kind for option in dear.left_out} == {"retry", "write"}


@pytest.mark.parametrize(
    ("prices", "has_charges", "has_messages"),
    [
        ({"attempt_minor": 5000.0}, False, True),
        ({"attempt_share": 1.0}, False, True),
        ({"message_minor": {"email": 2000.0}}, True, False),
        ({"customer_worth_invoices": 100.0}, True, False),
    ],
)
def test_what_one_thing_costs_leaves_the_other_worth_doing(prices: dict[str, Any], *, has_charges: bool, has_messages: bool) -> None:
    planned = plan(within=terms(**prices))
    assert (bool(charges(planned)), bool(messages(planned))) == (has_charges, has_messages)


def test_for_a_few_cents_nobody_charges() -> None:
    assert not charges(plan(situation(amount_minor=5.0)))


def test_who_was_written_to_often_is_left_alone() -> None:
    before = tuple(Written(on(day), "email") for day in (0, 3, 6))
    case = situation(failed=(0.0, 8.0), written=before)
    assert len(messages(plan(case, terms(customer_worth_invoices=0.0)))) == 1
    assert not messages(plan(case, terms(messages_most=3, customer_worth_invoices=0.0)))
    assert not messages(plan(case, terms(customer_worth_invoices=20.0)))


def test_a_message_keeps_its_distance_from_the_one_before() -> None:
    planned = plan(situation(now=on(1), written=(Written(on(0), "email"),)))
    assert messages(planned)[0] >= MESSAGES_APART_HOURS / 24


def test_no_message_is_planned_on_a_holiday() -> None:
    silent = frozenset({int(FAILED_AT // DAY), int(FAILED_AT // DAY) + 1})
    assert messages(plan(situation(Category.NEW_DATA, needs_customer=True), terms(silent_days=silent)))[0] > 1.5


def test_the_channel_that_moves_more_for_its_price_is_taken() -> None:
    both = situation(Category.NEW_DATA, needs_customer=True, channels=("email", "sms"))
    cheap, dear = (plan(both, terms(message_minor={"email": 0.1, "sms": price})).next for price in (0.5, 4000.0))
    assert cheap is not None
    assert dear is not None
    assert (cheap.channel, dear.channel) == ("sms", "email")


def test_where_waiting_costs_more_charges_come_no_later() -> None:
    first = [charges(plan(within=terms(lost_per_day=lost)))[0] for lost in (0.0, 0.02, 0.2, 0.6)]
    assert first == sorted(first, reverse=True)


# What it says


@pytest.mark.parametrize("category", [Category.FUNDS, Category.GENERIC, Category.TECHNICAL])
def test_a_plan_s_figures_are_what_its_steps_come_to_under_each_truth(category: Category) -> None:
    case = situation(category, past=paid_on("2026-01-15", "2026-02-13"))
    planned = plan(case)
    recovers, chances = played(planned, case)
    assert planned.recovers == pytest.approx(recovers)
    assert [step.chance for step in planned.steps] == pytest.approx(chances)


def played(planned: Plan, case: Situation) -> tuple[float, list[float]]:
    """How likely the plan recovers the invoice, and each step's chance where the case is open by then, one truth and one step at a time."""
    belief = COLD.believe(case)
    at = np.array([step.at for step in planned.steps])
    by_truth, payday = belief.chances(at), belief.paydays(at)
    still_open, paid, chances = np.where(belief.weights > TOO_UNLIKELY, belief.weights, 0.0), 0.0, list[float]()
    still_open /= still_open.sum()
    for number, step in enumerate(planned.steps):
        brings = np.full(len(still_open), step.chance) if step.kind == "write" else by_truth[:, number].copy()
        if step.kind == "retry":
            for earlier in (n for n in range(number) if planned.steps[n].kind == "retry"):
                same = (payday[:, earlier] == payday[:, number]) & (payday[:, number] >= 0)
                brings[same] *= SAME_PERIOD_TIMES
        chances.append(float(still_open @ brings / still_open.sum()))
        paid += float(still_open @ brings)
        still_open *= (1 - brings) * (1 - step.loses)
    return paid, chances


@given(situations, limits)
@settings(deadline=None, max_examples=40)
def test_the_choices_for_the_first_charge_are_of_different_days_the_best_first(case: Situation, within: Terms) -> None:
    planned = plan(case, within)
    first = planned.first("retry")
    assert bool(planned.choices) == (first is not None)
    values = [option.value_minor for option in planned.choices]
    assert values == sorted(values, reverse=True)
    assert all(value > 0 for value in values)
    days = [(option.at / HOUR + case.offset_hours) // 24 for option in planned.choices]
    assert len(set(days)) == len(days)
    assert first is None or (first.at / HOUR + case.offset_hours) // 24 in days


# What must not matter


@given(situations, st.sampled_from([0.01, 1 / 3, 100.0]))
@settings(deadline=None, max_examples=40)
def test_the_unit_in_which_money_is_told_does_not_matter(case: Situation, unit: float) -> None:
    def told(times: float) -> tuple[Option, ...]:
        prices = {"attempt_minor": 10.0 * times, "message_minor": {"email": 0.1 * times, "sms": 5.0 * times}}
        return plan(replace(case, amount_minor=case.amount_minor * times), terms(**prices)).steps

    assert [(one.kind, one.at) for one in told(unit)] == [(one.kind, one.at) for one in told(1.0)]
    assert [one.value_minor for one in told(unit)] == pytest.approx([one.value_minor * unit for one in told(1.0)])


@pytest.mark.parametrize("offset", [-8.0, 5.5])
def test_two_customers_who_live_by_their_own_clocks_get_the_same_plan_by_them(offset: float) -> None:
    def moved(at: float) -> float:
        return at - offset * HOUR

    here = situation(past=ON_THE_15TH)
    there = replace(
        here,
        now=moved(here.now),
        failed_at=moved(here.failed_at),
        tries=tuple(replace(t, at=moved(t.at)) for t in here.tries),
        past=tuple(replace(p, at=moved(p.at)) for p in here.past),
        offset_hours=offset,
    )
    within = replace(terms(), end=moved(terms().end), window_end=moved(terms().window_end))
    assert [(s.kind, s.at) for s in plan(there, within).steps] == [(s.kind, moved(s.at)) for s in plan(here).steps]


def test_what_is_held_against_a_charge_after_the_end_of_the_plan_does_not_matter() -> None:
    assert plan(within=terms(silent_days=frozenset({int(on(40) // DAY)}))) == plan()
