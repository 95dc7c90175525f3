"""Domain time is read from a clock that can be injected; wall time (leases, backoff, signatures) never is."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the domain's ``now``, read once per job and passed on as a value."""

    async def now(self) -> datetime:
        """The current domain time, aware, in UTC."""
        ...


class SystemClock:
    """Domain time is wall time."""

    async def now(self) -> datetime:
        return wall_now()


class FixedClock:
    """A clock that stands still until it is set; for tests and offline decisions."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    async def now(self) -> datetime:
        return self.at


def wall_now() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)
