"""When pay may come: calendars held against dates worked out another way."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.paydays import FIRST_DAY, calendars, local_days, since_payday
from tests.situations import when

DAY = timedelta(days=1)
WEEKLY, BIWEEKLY, SEMI_MONTHLY, MONTHLY = slice(0, 5), slice(5, 15), slice(15, 17), slice(17, 48)
any_day = st.dates(date(2018, 3, 1), date(2037, 6, 1))


def newest(calendar: int, day: date) -> date:
    """Which payday of a calendar came before the evening of ``day``, or on it."""
    return FIRST_DAY + DAY * int(calendars().last[calendar, (day - FIRST_DAY).days])


def arrives(year: int, month: int, day: int) -> date:
    """When pay that is due on a day of a month comes: on the month's last day where it has no such day, and never on a weekend."""
    last = (date(year, month, 1) + 31 * DAY).replace(day=1) - DAY
    due = date(year, month, min(day, last.day))
    while due.weekday() > 4:
        due -= DAY
    return due


def test_there_is_a_calendar_for_each_way_of_being_paid() -> None:
    assert len(calendars().last) == len(calendars().cycle_days) == len(calendars().kind) == 5 + 10 + 2 + 31
    assert {kind: int((calendars().kind == kind).sum()) for kind in range(4)} == {0: 5, 1: 10, 2: 2, 3: 31}


@given(any_day, st.integers(1, 31))
def test_monthly_pay_comes_on_its_day_or_on_the_friday_before(day: date, pay_day: int) -> None:
    months = [(month.year, month.month) for month in ((day.replace(day=15) + 30 * step * DAY) for step in (-2, -1, 0, 1))]
    assert newest(MONTHLY.start + pay_day - 1, day) == max(found for found in (arrives(*m, pay_day) for m in months) if found <= day)


@pytest.mark.parametrize(
    ("calendar", "day", "expected"),
    [
        (MONTHLY.start, "2026-02-15", "2026-01-30"),  # the 1st of February is a Sunday
        (MONTHLY.start + 30, "2026-03-02", "2026-02-27"),  # February has no 31st, and its last day is a Saturday
        (SEMI_MONTHLY.start, "2026-03-20", "2026-03-13"),  # of the 1st and the 15th, which is a Sunday
        (SEMI_MONTHLY.start + 1, "2026-03-31", "2026-03-31"),  # of the 15th and the last
    ],
)
def test_the_payday_before(calendar: int, day: str, expected: str) -> None:
    assert newest(calendar, date.fromisoformat(day)) == date.fromisoformat(expected)


@given(any_day)
def test_weekly_pay_comes_on_one_of_five_weekdays_and_fortnightly_pay_in_one_of_two_weeks(day: date) -> None:
    weekly = [newest(calendar, day) for calendar in range(WEEKLY.start, WEEKLY.stop)]
    fortnightly = [newest(calendar, day) for calendar in range(BIWEEKLY.start, BIWEEKLY.stop)]
    assert [found.weekday() for found in weekly] == [0, 1, 2, 3, 4]
    assert all(0 <= (day - found).days < 7 for found in weekly)
    assert all(0 <= (day - found).days < 14 for found in fortnightly)
    assert {abs((one - other).days) for one, other in zip(fortnightly[::2], fortnightly[1::2], strict=True)} == {7}


def test_pay_arrives_in_the_morning_where_the_customer_is() -> None:
    friday = 4
    for instant, offset, expected in [
        ("2026-03-13T05:59", 0.0, date(2026, 3, 6)),
        ("2026-03-13T06:00", 0.0, date(2026, 3, 13)),
        ("2026-03-13T10:59", -5.0, date(2026, 3, 6)),
        ("2026-03-13T11:00", -5.0, date(2026, 3, 13)),
        ("2026-03-12T20:30", 9.5, date(2026, 3, 13)),
    ]:
        payday = since_payday(local_days(np.array([when(instant)]), offset))[1][friday, 0]
        assert FIRST_DAY + DAY * int(payday) == expected, instant


@given(any_day, st.floats(0, 0.99))
def test_days_since_payday_count_from_its_morning(day: date, of_day: float) -> None:
    at = datetime(day.year, day.month, day.day, 6, tzinfo=UTC).timestamp() + of_day * 86_400
    since, payday = since_payday(local_days(np.array([at]), 0.0))
    assert (since >= 0).all()
    assert (since[:, 0] <= np.maximum(calendars().cycle_days, 31) + 4).all()
    assert np.allclose(since[:, 0], (day - FIRST_DAY).days + of_day - payday[:, 0], atol=1e-6)
