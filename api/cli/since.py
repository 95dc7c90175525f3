"""``--since``: how far back a command looks, as a length of time or as a day."""

import re
from datetime import UTC, datetime, timedelta

import click

LENGTH = re.compile(r"(\d{1,5})([hdw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Since(click.ParamType[timedelta | datetime]):
    """``90d``, ``12h``, ``6w``, or ``2026-08-01`` and an ISO 8601 time; without a zone it is UTC."""

    name = "since"

    def convert(self, value: str | timedelta | datetime, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | datetime:
        """A length, or an instant; ``instant`` makes one of both."""
        if not isinstance(value, str):
            return value
        length = LENGTH.fullmatch(value)
        if length:
            return int(length[1]) * UNITS[length[2]]
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a length such as 90d, 12h or 6w nor a day such as 2026-08-01", param, ctx)
        return at if at.tzinfo else at.replace(tzinfo=UTC)


def instant(since: timedelta | datetime, now: datetime) -> datetime:
    """When that was, seen from ``now``."""
    return now - since if isinstance(since, timedelta) else since
