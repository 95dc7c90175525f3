"""The worker: takes wake-ups from the queue, finds those that were lost, goes on after a failure and stops when it is told to."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from api.worker import describe, run_worker
from graph.bootstrap import Services
from memory import queue
from memory.database import Database
from memory.outbox import ActionState
from recoup.errors import BillingUnavailable
from tests.fakes import FakeBilling, make_services
from tests.scenes import a_retry, absorb_reading, action_of, change, commit, committed, open_case

PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def working(services: Services, workers: int = 1) -> AsyncGenerator[None]:
    """Workers at work while the block lasts; they must stop when told to."""
    stop = asyncio.Event()
    async with services.app.open_async(), asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(run_worker(services, stop))
        try:
            yield
        finally:
            stop.set()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for it; fails where it does not come."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - what is awaited is a row
            await asyncio.sleep(0.02)


def is_in(db: Database, action_id: str, state: ActionState) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return (await action_of(db, action_id)).state is state

    return look


async def wake(db: Database, action_id: str) -> None:
    async with db.write() as tx:
        await queue.wake(tx, "execute", action_id)


async def only_actions_want_work(db: Database) -> None:
    await change(db, "UPDATE cases SET needs_decision = false")
    await change(db, "DELETE FROM procrastinate_jobs")


async def test_a_wake_up_is_worked_off_and_leaves_nothing_behind(db: Database) -> None:
    billing = FakeBilling()
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await only_actions_want_work(db)
    await wake(db, action_id)
    async with working(services):
        await until(is_in(db, action_id, ActionState.DONE))
    assert billing.calls == [action_id]
    async with db.read() as session:
        assert await session.value("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'execute'") == 0


async def test_an_action_that_nobody_was_told_of_is_found(db: Database) -> None:
    services = make_services(db)
    action_id = await committed(services)
    await only_actions_want_work(db)
    await change(db, "UPDATE actions SET woken_at = now() - interval '6 seconds'")
    async with working(services):
        await until(is_in(db, action_id, ActionState.DONE))


async def test_several_workers_do_everything_once(db: Database) -> None:
    billing = FakeBilling()
    services = make_services(db, billing=billing)
    facts = await open_case(services)
    action_id = await commit(services, facts, a_retry(facts))
    await only_actions_want_work(db)
    await wake(db, action_id)
    async with working(services, workers=3):
        await until(is_in(db, action_id, ActionState.DONE))
    assert billing.calls == [action_id]


async def test_a_job_that_fails_is_told_without_quoting_and_tried_again(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    billing = FakeBilling()
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    await only_actions_want_work(db)

    async def breaks_once() -> None:
        billing.while_reading = None
        raise LookupError("ada@customer.example")

    billing.while_reading = breaks_once
    await wake(db, action_id)
    with caplog.at_level(logging.ERROR):
        async with working(services):
            await until(is_in(db, action_id, ActionState.DONE))
    assert "LookupError" in caplog.text
    assert "ada@" not in caplog.text
    assert (await action_of(db, action_id)).attempts == 2


async def test_a_new_failure_is_decided_without_anybody_asking(db: Database) -> None:
    services = make_services(db)
    async with working(services):
        await absorb_reading(services)

        async def is_decided() -> bool:
            async with db.read() as session:
                return bool(await session.value("SELECT count(*) FROM decisions WHERE state = 'waiting'"))

        await until(is_decided)


def test_only_our_own_words_are_repeated() -> None:
    assert describe(BillingUnavailable("stripe-eu", "answers 503")) == "BillingUnavailable: stripe-eu: answers 503"
    with pytest.raises(ValueError, match="ada@") as broken:
        int("ada@customer.example")
    assert describe(broken.value).startswith("ValueError at test_worker.py:")
