"""A lease is kept as long as the work takes, and the work stops before anybody else can have the lease."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from api.jobs.heartbeat import MARGIN_SECONDS, RENEW_SECONDS, Hold, LeaseLost
from recoup.errors import DatabaseUnavailable
from tests.manual_time import ManualTime, settled

LEASE_SECONDS = 10.0
HANGS = "hangs"
Answer = bool | Exception | str


class Work:
    """A job under a lease, which ends when it is told to; ``answers`` is what renewing comes to, the last one for good."""

    def __init__(self, *answers: Answer) -> None:
        self.time = ManualTime()
        self.renewals: list[float] = []
        self.started_at = self.time.now()
        self._answers = list(answers or (True,))
        self.done = asyncio.Event()
        self.hold = Hold("the lease", self._renew, seconds=LEASE_SECONDS, time=self.time, since=self.started_at)

    async def _renew(self) -> bool:
        self.renewals.append(self.time.now() - self.started_at)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer == HANGS:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    async def run(self, at_most_seconds: float = 1_000.0) -> None:
        async with self.hold.kept(at_most_seconds):
            await self.done.wait()


@asynccontextmanager
async def running(work: Work, at_most_seconds: float = 1_000.0) -> AsyncGenerator["asyncio.Task[None]"]:
    task = asyncio.create_task(work.run(at_most_seconds))
    await settled()
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_work_that_takes_longer_than_a_lease_keeps_it() -> None:
    work = Work()
    async with running(work) as task:
        await work.time.advance(12.0)
        assert work.hold.is_surely_ours()
        work.done.set()
        await task
    assert work.renewals == [3.0, 6.0, 9.0, 12.0]


async def test_work_stops_when_somebody_else_has_the_lease() -> None:
    work = Work(True, False)
    async with running(work) as task:
        await work.time.advance(2 * RENEW_SECONDS)
        with pytest.raises(LeaseLost, match="the lease was lost"):
            await task


async def test_a_database_that_is_away_for_less_than_the_lease_stops_nothing() -> None:
    work = Work(DatabaseUnavailable("away"), DatabaseUnavailable("away"), True)
    async with running(work) as task:
        await work.time.advance(12.0)
        assert not task.done()
    assert work.renewals == [3.0, 4.0, 5.0, 8.0, 11.0]


@pytest.mark.parametrize("answer", [DatabaseUnavailable("away"), HANGS], ids=["away", "hangs"])
async def test_work_stops_before_a_lease_that_cannot_be_renewed_is_over(answer: Answer) -> None:
    work = Work(answer)
    async with running(work) as task:
        await work.time.advance(LEASE_SECONDS - MARGIN_SECONDS)
        assert not work.hold.is_surely_ours()
        with pytest.raises(LeaseLost, match="could not be held"):
            await task


async def test_who_was_paused_for_longer_than_the_lease_does_not_ask_for_more() -> None:
    work = Work()
    async with running(work) as task:
        await work.time.stand_still(LEASE_SECONDS)
        with pytest.raises(LeaseLost, match="could not be held"):
            await task
    assert work.renewals == []


async def test_who_was_paused_for_a_moment_goes_on() -> None:
    work = Work()
    async with running(work) as task:
        await work.time.stand_still(LEASE_SECONDS - MARGIN_SECONDS - 1.0)
        assert (task.done(), len(work.renewals)) == (False, 1)


async def test_little_that_is_left_of_a_lease_is_renewed_at_once() -> None:
    work = Work()
    await work.time.stand_still(LEASE_SECONDS - MARGIN_SECONDS - 1.0)
    async with running(work) as task:
        assert (task.done(), len(work.renewals)) == (False, 1)


async def test_work_that_takes_longer_than_it_may_is_stopped() -> None:
    work = Work()
    async with running(work, at_most_seconds=40.0) as task:
        await work.time.advance(39.0)
        assert not task.done()
        await work.time.advance(1.0)
        with pytest.raises(TimeoutError):
            await task


async def test_a_heart_that_breaks_stops_the_work_with_its_error() -> None:
    work = Work(ZeroDivisionError("broken"))
    async with running(work) as task:
        await work.time.advance(RENEW_SECONDS)
        with pytest.raises(ZeroDivisionError):
            await task


async def test_cancelling_from_outside_is_not_mistaken_for_a_lost_lease() -> None:
    async with running(Work()) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
