"""When a customer may be written to, by the customer's own clock, on days of 23, 24 and 25 hours alike."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from recoup.policy import ContactHours

DAYS_AHEAD = 3


def customers_zone(name: str) -> ZoneInfo:
    """The time zone; UTC for a name that the zone database does not know."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def opens_at(now: datetime, zone: ZoneInfo, hours: ContactHours) -> datetime | None:
    """The first second, in UTC, at which writing is allowed again; None where it is allowed now."""

    def is_open(at: datetime) -> bool:
        return hours.start <= at.astimezone(zone).time() < hours.end

    if is_open(now):
        return None
    # A window opens when the clock shows its start, or when the clock jumps into it.
    moments = [*_showing_start(now, zone, hours), *_clock_changes(now, zone)]
    return min(at for at in moments if at > now and is_open(at))


def _showing_start(now: datetime, zone: ZoneInfo, hours: ContactHours) -> Iterator[datetime]:
    today = now.astimezone(zone).date()
    for day in range(DAYS_AHEAD + 1):
        for fold in (0, 1):  # an hour that a clock shows twice
            local = datetime.combine(today + timedelta(days=day), hours.start, zone)
            yield local.replace(fold=fold).astimezone(UTC)


def _clock_changes(now: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Instants at which the zone's offset changes in the days ahead, to the second; one a day at most."""
    for day in range(DAYS_AHEAD):
        before = now.astimezone(UTC).replace(microsecond=0) + timedelta(days=day)
        seconds_low, seconds_high = 0, 86_400
        offset = before.astimezone(zone).utcoffset()
        if (before + timedelta(seconds=seconds_high)).astimezone(zone).utcoffset() == offset:
            continue
        while seconds_high - seconds_low > 1:
            middle = (seconds_low + seconds_high) // 2
            same = (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset
            seconds_low, seconds_high = (middle, seconds_high) if same else (seconds_low, middle)
        yield before + timedelta(seconds=seconds_high)
