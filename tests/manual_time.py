"""Monotonic time for tests of waiting: one kind moves when the test says so, the other whenever somebody waits."""

import asyncio

TURNS_TO_SETTLE = 50


class ManualTime:
    """Stands still until ``advance``; whoever is due on the way wakes at the very instant."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._due: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self._now

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        tasks = [asyncio.ensure_future(event.wait())]
        if seconds is not None:
            alarm = asyncio.Event()
            self._due.append((self._now + seconds, alarm))
            tasks.append(asyncio.ensure_future(alarm.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def advance(self, seconds: float) -> None:
        """Moves on, stopping wherever somebody is due."""
        end = self._now + seconds
        await settled()
        while self._due and min(at for at, _ in self._due) <= end:
            at, alarm = min(self._due, key=lambda due: due[0])
            self._due.remove((at, alarm))
            self._now = max(self._now, at)
            alarm.set()
            await settled()
        self._now = end

    async def stand_still(self, seconds: float) -> None:
        """The process is stopped for so long: whoever was due on the way wakes only afterwards, all at once."""
        await settled()
        self._now += seconds
        await self.advance(0.0)


class SkippingTime:
    """Every wait is over at once, and has moved the time on. ``waits`` tells how long each was."""

    def __init__(self) -> None:
        self._now = 1000.0
        self.waits: list[float | None] = []

    def now(self) -> float:
        return self._now

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        self.waits.append(seconds)
        if seconds is None:
            await event.wait()
        elif not event.is_set():
            self._now += seconds

    def pass_by(self, seconds: float) -> None:
        """Time goes by without anybody waiting."""
        self._now += seconds


async def settled() -> None:
    """Lets every task run as far as it can without time going by."""
    for _ in range(TURNS_TO_SETTLE):
        await asyncio.sleep(0)
