"""Keeps a fenced lease alive beside the work that it protects, and stops the work where the lease may be over."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from recoup.errors import Busy, DatabaseUnavailable, Defect
from recoup.monotonic import MonotonicTime

log = logging.getLogger(__name__)

RENEW_SECONDS = 3.0
ASK_AGAIN_SECONDS = 1.0
# Nobody relies on the last of a lease: the next holder's clock may be a little ahead, and a packet takes its time.
MARGIN_SECONDS = 1.5


class LeaseLost(Busy):
    """Somebody else has the lease, or may have it by now."""


class Hold:
    """A lease that somebody has, and until when it surely is theirs, by monotonic time: who was paused sees how late it is.

    ``renew`` asks for ``seconds`` more and tells whether the lease was still ours; ``since`` is when it was asked for. ``what`` is the
    lease's name in errors.
    """

    def __init__(
        self,
        what: str,
        renew: Callable[[], Awaitable[bool]],
        *,
        seconds: float,
        time: MonotonicTime,
        since: float,
        every_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._what, self._renew, self._time = what, renew, time
        self._seconds, self._every_seconds = seconds, every_seconds
        self._asked_at = since

    def is_surely_ours(self) -> bool:
        """Whether nobody else can have it now."""
        return self._time.now() < self._good_until

    def was_renewed(self, asked_at: float) -> None:
        """It has been renewed in passing; ``asked_at`` is monotonic, from before the question."""
        self._asked_at = asked_at

    @asynccontextmanager
    async def kept(self, at_most_seconds: float = math.inf) -> AsyncGenerator[None]:
        """Renews it while the block runs. Raises LeaseLost inside the block where it is lost, or nobody could be asked for too long,
        and TimeoutError where the block takes longer than it may.

        The fence is the token, which every write checks. What is to be written stands behind the block.
        """
        job = asyncio.current_task()
        if job is None:
            raise Defect("a lease is renewed beside a running task")
        heart = asyncio.create_task(self._beat(job, self._time.now() + at_most_seconds))
        try:
            yield
        except asyncio.CancelledError:
            if heart.done() and not heart.cancelled() and job.uncancel() == 0:
                raise heart.result() from None
            raise
        finally:
            heart.cancel()

    @property
    def _good_until(self) -> float:
        return self._asked_at + self._seconds - MARGIN_SECONDS

    async def _beat(self, job: "asyncio.Task[object]", ends_at: float) -> Exception:
        """Why the work was stopped."""
        try:
            why = await self._watch(ends_at)
        except Exception as exc:  # noqa: BLE001 - told to the job: nobody looks at a heart that has died by itself
            why = exc
        job.cancel()
        return why

    async def _watch(self, ends_at: float) -> Exception:
        due_at = self._asked_at + self._every_seconds
        while True:
            pause = min(due_at, self._good_until, ends_at) - self._time.now()
            if pause > 0:
                await self._time.wait(asyncio.Event(), pause)
            now = self._time.now()
            if now >= ends_at:
                return TimeoutError("no answer in time")
            if now >= self._good_until:
                return LeaseLost(f"{self._what} could not be held")
            if now < due_at:
                continue
            is_ours = await self._ask()
            if is_ours is False:
                return LeaseLost(f"{self._what} was lost")
            due_at = now + (self._every_seconds if is_ours else ASK_AGAIN_SECONDS)

    async def _ask(self) -> bool | None:
        """Renews it; False where it has gone, None where nobody answers and it is as before."""
        asked_at, answered = self._time.now(), asyncio.Event()
        asking = asyncio.ensure_future(self._renew())
        asking.add_done_callback(lambda _: answered.set())
        try:
            await self._time.wait(answered, self._good_until - asked_at)
            is_ours = asking.result() if asking.done() else None
        except DatabaseUnavailable:
            log.warning("%s cannot be renewed: the database is away", self._what)
            is_ours = None
        finally:
            asking.cancel()
        if is_ours:
            self.was_renewed(asked_at)
        return is_ours
