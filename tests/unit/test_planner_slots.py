"""The times that are weighed at all: none outside what rules, policy, holidays and the customer's clock leave."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.paydays import Floats
from agents.planner.situation import DAY, HOUR
from agents.planner.slots import charge_times, message_times
from tests.situations import FAILED_AT, on, situation, terms, when

SATURDAY, SUNDAY = 5, 6
offsets = st.sampled_from([-9.5, -8.0, -5.0, 0.0, 1.0, 5.75, 12.0])


def weekdays(at: Floats, offset: float = 0.0) -> set[int]:
    """Monday is 0, where the customer is."""
    return {int((np.datetime64(int(one + offset * HOUR), "s").astype("datetime64[D]").astype(int) + 3) % 7) for one in at}


def dates(at: Floats, offset: float = 0.0) -> set[str]:
    return {str(np.datetime64(int(one + offset * HOUR), "s"))[:10] for one in at}


@given(st.floats(0, 30), st.floats(0, 30), st.floats(0, 30), offsets)
def test_times_ascend_from_now_and_from_when_rules_allow_it_to_the_end(day: float, from_day: float, end: float, offset: float) -> None:
    case = situation(now=on(day), offset_hours=offset)
    within = terms(charge_from=on(from_day), write_from=on(from_day), end=on(end))
    for at in (charge_times(case, within), message_times(case, within)):
        assert (np.diff(at) > 0).all()
        assert ((at >= max(on(day), on(from_day))) & (at < on(end))).all()


def test_the_first_time_is_now() -> None:
    assert charge_times(situation(), terms())[0] == message_times(situation(), terms())[0] == FAILED_AT


def test_and_otherwise_the_instant_from_which_rules_allow_it() -> None:
    within = terms(charge_from=on(1.3), write_from=on(2.2))
    assert charge_times(situation(), within)[0] == on(1.3)
    assert message_times(situation(), within)[0] == on(2.2)


def test_every_day_has_times_soon_after_pay_arrives() -> None:
    hours = (charge_times(situation(offset_hours=3.0), terms()) / HOUR + 3) % 24
    soon_after = (hours > 6) & (hours < 7)
    assert soon_after.sum() == 28


def test_a_method_that_may_not_be_charged_has_no_times() -> None:
    assert not len(charge_times(situation(may_retry=False), terms()))
    assert not len(charge_times(situation(), terms(attempts_left=0)))
    assert len(message_times(situation(may_retry=False), terms(attempts_left=0)))


@given(offsets)
def test_nothing_is_charged_on_weekdays_that_are_closed_where_the_customer_is(offset: float) -> None:
    at = charge_times(situation(offset_hours=offset), terms(closed_weekdays=frozenset({SATURDAY, SUNDAY})))
    assert weekdays(at, offset) == {0, 1, 2, 3, 4}
    assert SATURDAY in weekdays(charge_times(situation(offset_hours=offset), terms()), offset)


@pytest.mark.parametrize("offset", [-8.0, 0.0, 9.0])
def test_nobody_is_written_to_on_a_holiday_and_only_bank_debits_wait_for_its_end(offset: float) -> None:
    good_friday = int(when("2026-04-03T00:00") // DAY)
    case, silent = situation(offset_hours=offset), frozenset({good_friday})
    assert "2026-04-03" not in dates(message_times(case, terms(silent_days=silent)), offset)
    assert "2026-04-03" in dates(message_times(case, terms()), offset)
    assert "2026-04-03" in dates(charge_times(case, terms(silent_days=silent)), offset)
    assert "2026-04-03" not in dates(charge_times(case, terms(silent_days=silent, bank_days_only=True)), offset)


@given(offsets, st.floats(0, 3))
def test_messages_come_at_hours_at_which_a_customer_may_be_written_to(offset: float, day: float) -> None:
    at = message_times(situation(now=on(day), offset_hours=offset), terms(contact_from_hour=9.0, contact_until_hour=20.5))
    hours = (at / HOUR + offset) % 24
    assert ((hours >= 9) & (hours < 20.5)).all()
    assert len(at) >= 24


def test_at_night_the_first_time_to_write_is_the_next_morning() -> None:
    asleep = situation(now=when("2026-03-11T23:30"))
    assert dates(message_times(asleep, terms())[:1]) == {"2026-03-12"}


def test_where_nothing_is_left_of_the_time_there_are_no_times() -> None:
    late = situation(now=on(28))
    assert not len(charge_times(late, terms()))
    assert not len(message_times(late, terms()))
