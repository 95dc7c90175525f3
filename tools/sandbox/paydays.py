"""When money comes into the accounts behind cards: a calendar of paydays, counted in days."""

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from tools.sandbox.causes import Pay

HOUR, DAY = 3600.0, 86_400.0
EPOCH = datetime(2023, 1, 2, tzinfo=UTC)  # a Monday: days, weekdays and fortnights are counted from here
EPOCH_SECONDS = EPOCH.timestamp()
DAYS_KEPT = 3650
# From one payday to the next, and how long an irregular income is made to last.
CYCLE_DAYS = {Pay.WEEKLY: 7.0, Pay.BIWEEKLY: 14.0, Pay.SEMI_MONTHLY: 15.2, Pay.MONTHLY: 30.4, Pay.NONE: 8.0}


@lru_cache(maxsize=256)
def paydays(pay: Pay, pay_day: int) -> list[int]:
    """For every day from EPOCH the last payday up to it. One that falls on a weekend is paid on the Friday before."""
    match pay:
        case Pay.WEEKLY:
            return [day - (day - pay_day) % 7 for day in range(DAYS_KEPT)]
        case Pay.BIWEEKLY:
            return [day - (day - pay_day) % 14 for day in range(DAYS_KEPT)]
        case Pay.SEMI_MONTHLY | Pay.MONTHLY:
            due = _month_days((1, 15) if pay is Pay.SEMI_MONTHLY else (pay_day,))
            return [due[bisect_left(due, day + 1) - 1] for day in range(DAYS_KEPT)]
        case Pay.NONE:
            return []


def _month_days(days: tuple[int, ...]) -> list[int]:
    months = [date(2022 + n // 12, n % 12 + 1, 1) for n in range(11, 12 * 13)]
    dates = [month.replace(day=day) for month in months for day in days]
    return sorted((paid - timedelta(days=max(0, paid.weekday() - 4)) - EPOCH.date()).days for paid in dates)
