"""When money may come into a customer's account: every pay calendar that is thought of, as a table of days."""

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_DAY, DAYS = date(2018, 1, 1), 7300  # a Monday, and twenty years from it
ARRIVES_LOCAL_HOUR = 6.0
_EPOCH_DAYS = (FIRST_DAY - date(1970, 1, 1)).days
WEEKDAYS = 5


class Calendars(NamedTuple):
    """``last``: for each calendar and each day from FIRST_DAY the newest payday up to it, as a day number. ``cycle_days``: from one payday
    to the next, on average. ``kind``: which of KINDS."""

    last: Ints
    cycle_days: Floats
    kind: Ints


KINDS = ("weekly", "biweekly", "semi_monthly", "monthly")


@lru_cache(maxsize=1)
def calendars() -> Calendars:
    """All of them. Pay that falls on a weekend comes on the Friday before."""
    days = np.arange(DAYS)
    weekly = [days - (days - weekday) % 7 for weekday in range(WEEKDAYS)]
    biweekly = [days - (days - weekday - week) % 14 for weekday in range(WEEKDAYS) for week in (0, 7)]
    semi = [_of_month((1, 15)), _of_month((15, 31))]
    monthly = [_of_month((day,)) for day in range(1, 32)]
    groups = (weekly, biweekly, semi, monthly)
    return Calendars(
        last=np.array([row for group in groups for row in group]),
        cycle_days=np.repeat([7.0, 14.0, 15.2, 30.4], [len(group) for group in groups]),
        kind=np.repeat(np.arange(len(groups)), [len(group) for group in groups]),
    )


def local_days(at: Floats, offset_hours: float) -> Floats:
    """POSIX seconds as days since FIRST_DAY that begin when pay arrives."""
    return at / 86_400 + (offset_hours - ARRIVES_LOCAL_HOUR) / 24 - _EPOCH_DAYS


def since_payday(days: Floats) -> tuple[Floats, Ints]:
    """For each calendar and each of ``days`` (see ``local_days``): days since money came, and which payday that was."""
    whole = np.clip(days.astype(np.int64), 0, DAYS - 1)
    payday = calendars().last[:, whole]
    return days - payday, payday


def _of_month(days: tuple[int, ...]) -> Ints:
    dues: list[int] = []
    for number in range(-2, 12 * 20 + 2):
        year, month = divmod(FIRST_DAY.year * 12 + number, 12)
        first = date(year, month + 1, 1)
        last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        for day in days:
            due = first.replace(day=min(day, last.day))
            dues.append((due - timedelta(days=max(0, due.weekday() - 4)) - FIRST_DAY).days)
    ordered = np.unique(dues)
    return ordered[np.searchsorted(ordered, np.arange(DAYS), side="right") - 1]
