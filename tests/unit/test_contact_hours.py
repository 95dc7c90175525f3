"""Contact hours follow the customer's clock, on the days when it jumps too."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.contact_hours import customers_zone, opens_at
from recoup.policy import ContactHours

DEFAULT = ContactHours(start=time(8), end=time(21))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


TABLE = [
    # zone, now (UTC), opens at (UTC; None: open now), why
    ("America/New_York", "2026-03-10 15:00", None, "late morning"),
    ("America/New_York", "2026-03-10 12:00", None, "08:00 is included"),
    ("America/New_York", "2026-03-10 11:59:59", "2026-03-10 12:00", "a second before"),
    ("America/New_York", "2026-03-11 01:00", "2026-03-11 12:00", "21:00 is excluded"),
    ("America/New_York", "2026-03-11 00:59:59", None, "20:59:59"),
    ("America/New_York", "2026-03-08 04:00", "2026-03-08 12:00", "the night of the spring change: 23:00 EST, opens at 08:00 EDT"),
    ("America/New_York", "2026-11-01 04:00", "2026-11-01 13:00", "the night of the autumn change: midnight EDT, opens at 08:00 EST"),
    ("Europe/Berlin", "2026-03-29 00:00", "2026-03-29 06:00", "the night of the spring change in Europe"),
    ("Europe/Berlin", "2026-10-25 00:30", "2026-10-25 07:00", "the night of the autumn change in Europe"),
    ("Asia/Kolkata", "2026-03-10 02:00", "2026-03-10 02:30", "half-hour zones"),
    ("Pacific/Apia", "2011-12-30 09:00", "2011-12-30 18:00", "a day that Samoa skipped"),
    ("Not/AZone", "2026-03-10 07:00", "2026-03-10 08:00", "an unknown zone counts as UTC"),
]


@pytest.mark.parametrize(("zone", "now", "opens", "why"), TABLE, ids=[row[3] for row in TABLE])
def test_writing_is_allowed_from_eight_to_nine_by_the_customers_clock(zone: str, now: str, opens: str | None, why: str) -> None:
    assert opens_at(utc(now), customers_zone(zone), DEFAULT) == (utc(opens) if opens else None)


def test_hours_that_begin_in_the_skipped_hour_open_when_the_clock_jumps() -> None:
    hours = ContactHours(start=time(2, 30), end=time(9))
    assert opens_at(utc("2026-03-08 05:00"), ZoneInfo("America/New_York"), hours) == utc("2026-03-08 07:00")


def test_hours_that_end_in_the_repeated_hour_open_again_when_the_clock_goes_back() -> None:
    hours = ContactHours(start=time(0, 30), end=time(1, 30))
    assert opens_at(utc("2026-11-01 05:45"), ZoneInfo("America/New_York"), hours) == utc("2026-11-01 06:00")


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"]),
    st.times(max_value=time(22)),
    st.integers(1, 7200),
)
def test_it_opens_at_the_first_second_and_not_before(naive: datetime, zone_name: str, start: time, length_seconds: int) -> None:
    now, zone = naive.replace(tzinfo=UTC, microsecond=0), ZoneInfo(zone_name)
    start = start.replace(microsecond=0)
    end = (datetime.combine(naive, start) + timedelta(seconds=length_seconds)).time()
    if end <= start:
        return
    hours = ContactHours(start=start, end=end)
    opens = opens_at(now, zone, hours)
    if opens is None:
        return
    assert opens_at(opens, zone, hours) is None
    assert opens_at(opens - timedelta(seconds=1), zone, hours) == opens
