"""One time for both sides: the double's clock is the domain's and the way out's, so that whoever waits moves everybody on."""

import asyncio
from datetime import datetime, timedelta

from tests.vendors.chassis import Site


class DoubleClock:
    """The domain's ``now`` is the double's."""

    def __init__(self, double: Site) -> None:
        self._double = double

    async def now(self) -> datetime:
        return self._double.clock.now()


class DoubleTime:
    """The way out's monotonic time. Nobody waits for real: a wait is over at once, and has moved the double's clock on."""

    def __init__(self, double: Site) -> None:
        self._double = double

    def now(self) -> float:
        return self._double.clock.now().timestamp()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        if seconds is None:
            await event.wait()
        elif not event.is_set():
            self._double.advance(timedelta(seconds=max(seconds, 0.0)))
