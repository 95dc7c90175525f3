"""The demo's driver, made patient: whatever is killed under it, it goes on with the same instant until all of it is done."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import httpx

from api.demo.driver import POLL_SECONDS, STUCK_SECONDS, Driver, Stuck
from recoup.errors import DatabaseUnavailable
from tests.crash.storm import Storm

ResultT = TypeVar("ResultT")


@dataclass
class PatientDriver(Driver):
    """Revives through the storm, which may keep somebody dead for a while; repeats a step that a death has broken off."""

    storm: Storm = field(kw_only=True)

    async def _next_instant(self) -> datetime:
        return await self._patiently(super()._next_instant)

    async def _step(self, to: datetime) -> None:
        step = super()._step
        await self._patiently(lambda: step(to))

    async def _patiently(self, what: Callable[[], Awaitable[ResultT]]) -> ResultT:
        deadline = time.monotonic() + STUCK_SECONDS
        while True:
            try:
                return await what()
            except (DatabaseUnavailable, httpx.HTTPError) as exc:
                if time.monotonic() > deadline:
                    raise Stuck(f"{type(exc).__name__} for {STUCK_SECONDS:.0f} seconds: {exc}") from exc
            self._revive()
            await asyncio.sleep(POLL_SECONDS)

    async def _move_sandbox(self, to: datetime) -> dict[str, Any]:
        """A step that is repeated finds the sandbox's clock further on already."""
        shown = await self._ask(self._sandbox, "GET", "/control/next")
        if datetime.fromisoformat(shown["now"]) > to:
            return await self._ask(self._sandbox, "GET", "/control/pending")
        return await super()._move_sandbox(to)

    def _revive(self) -> None:
        self.storm.revive()
