"""Monotonic time, in which waiting and leases are measured: pauses and changes of the wall clock do not fool it. Tests put their own
in its place."""

import asyncio
import time
from contextlib import suppress
from typing import Protocol


class MonotonicTime(Protocol):
    """Seconds that only grow, and waiting for them."""

    def now(self) -> float:
        """Seconds since some fixed instant."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Returns when the event is set or the seconds are over; None waits for the event alone."""
        ...


class MachineTime:
    """The machine's own."""

    def now(self) -> float:
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
