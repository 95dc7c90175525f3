"""The queue in front of a platform: a request starts when the limits have room, prompt ones before backfill, each lane in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from recoup.monotonic import MonotonicTime
from tools.http_errors import Crowded
from tools.http_limits import Lane, Limits, Rates


@dataclass(eq=False)
class Waiter:
    """One request in the queue."""

    lane: Lane
    endpoint: str
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    started: bool = False


class Admission:
    """Hands out the room that the limits leave."""

    def __init__(self, limits: Limits, time: MonotonicTime) -> None:
        self._rates, self._time = Rates(limits), time
        self._queues: dict[Lane, deque[Waiter]] = {lane: deque() for lane in Lane}

    @asynccontextmanager
    async def room(self, lane: Lane, endpoint: str, patience_seconds: float) -> AsyncGenerator[None]:
        """Lasts as long as the request. Raises Crowded where there will be no room within the patience: nothing was sent."""
        await self._enter(Waiter(lane, endpoint), self._time.now() + patience_seconds)
        try:
            yield
        finally:
            self._finish(lane)

    def pause(self, seconds: float) -> None:
        """The platform asked for silence."""
        self._rates.pause(self._time.now() + seconds)

    async def _enter(self, waiter: Waiter, give_up_at: float) -> None:
        queue = self._queues[waiter.lane]
        queue.append(waiter)
        try:
            self._let_in()
            while not waiter.started:
                await self._wait(waiter, give_up_at)
                self._let_in()
        except BaseException:
            if waiter.started:
                self._finish(waiter.lane)
            else:
                queue.remove(waiter)
            raise

    async def _wait(self, waiter: Waiter, give_up_at: float) -> None:
        now = self._time.now()
        free_at = self._rates.free_at(waiter.lane, waiter.endpoint, now)
        if now >= give_up_at or (free_at is not None and free_at > give_up_at):
            raise Crowded("the limits of this connection leave no room soon")
        waiter.woken.clear()
        await self._time.wait(waiter.woken, (give_up_at if free_at is None else free_at) - now)

    def _finish(self, lane: Lane) -> None:
        self._rates.finish(lane)
        self._let_in()

    def _let_in(self) -> None:
        """Starts whoever can start now. One that waits for its endpoint does not hold up those behind it."""
        now = self._time.now()
        for lane, queue in self._queues.items():
            for waiter in tuple(queue):
                if not self._has_room(lane, None, now):
                    break
                if self._has_room(lane, waiter.endpoint, now):
                    queue.remove(waiter)
                    self._rates.start(lane, waiter.endpoint, now)
                    waiter.started = True
                    waiter.woken.set()

    def _has_room(self, lane: Lane, endpoint: str | None, now: float) -> bool:
        free_at = self._rates.free_at(lane, endpoint, now)
        return free_at is not None and free_at <= now
