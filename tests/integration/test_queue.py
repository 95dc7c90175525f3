"""A wake-up is enqueued with the rows it is about, once, and never taken before they can be seen."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from memory.database import Database
from memory.queue import make_app, wake


async def jobs(db: Database) -> list[tuple[str, str, str]]:
    async with db.read() as session:
        rows = await session.dicts("SELECT task_name, status::text, args ->> 'row_id' AS row_id FROM procrastinate_jobs ORDER BY id")
    return [(row["task_name"], row["status"], row["row_id"]) for row in rows]


async def test_waking_twice_leaves_one_job_and_the_transaction_lives(db: Database) -> None:
    async with db.write() as tx:
        await wake(tx, "decide", "case_1")
        await wake(tx, "decide", "case_1")
        await wake(tx, "execute", "case_1")
    async with db.write() as tx:
        await wake(tx, "decide", "case_1")
    assert await jobs(db) == [("decide", "todo", "case_1"), ("execute", "todo", "case_1")]


async def test_a_rolled_back_transaction_wakes_nobody(db: Database) -> None:
    async def wake_and_fail() -> None:
        async with db.write() as tx:
            await wake(tx, "decide", "case_1")
            await tx.run("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await wake_and_fail()
    assert await jobs(db) == []


async def test_a_running_job_does_not_swallow_the_next_wake_up(db: Database) -> None:
    async with db.write() as tx:
        await wake(tx, "decide", "case_1")
        await tx.run("UPDATE procrastinate_jobs SET status = 'doing'")
    async with db.write() as tx:
        await wake(tx, "decide", "case_1")
    assert [status for _, status, _ in await jobs(db)] == ["doing", "todo"]


async def test_a_waiting_job_is_not_taken_before_the_new_waker_commits(db: Database) -> None:
    async with db.write() as tx:
        await wake(tx, "decide", "case_1")
    async with db.write() as tx, db.write() as worker:
        await wake(tx, "decide", "case_1")
        assert await worker.value("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)") is None
    async with db.write() as worker:
        assert await worker.value("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)") is not None


async def test_many_wakers_at_once_leave_one_job(db: Database) -> None:
    async def one() -> None:
        async with db.write() as tx:
            await wake(tx, "execute", "act_1")

    await asyncio.gather(*(one() for _ in range(20)))
    assert await jobs(db) == [("execute", "todo", "act_1")]


async def test_a_worker_runs_what_was_woken(db: Database, database_url: str) -> None:
    app, seen = make_app(database_url), list[str]()

    @app.task(name="decide")
    async def decide(row_id: str) -> None:  # pyright: ignore[reportUnusedFunction]
        seen.append(row_id)

    async with db.write() as tx:
        await wake(tx, "decide", "case_1")
    async with app.open_async():
        await app.run_worker_async(wait=False, install_signal_handlers=False)
    assert seen == ["case_1"]


async def test_a_waiting_worker_is_nudged_by_the_commit(db: Database, database_url: str) -> None:
    app, seen = make_app(database_url), asyncio.Event()

    @app.task(name="decide", queue="decide")
    async def decide(row_id: str) -> None:  # pyright: ignore[reportUnusedFunction]
        assert row_id == "case_1"
        seen.set()

    async with app.open_async():
        # It would poll only after an hour.
        working = app.run_worker_async(queues=["decide"], fetch_job_polling_interval=3600.0, install_signal_handlers=False)
        worker = asyncio.create_task(working)
        await until(lambda: listening(db))
        async with db.write() as tx:
            await wake(tx, "decide", "case_1")
        async with asyncio.timeout(30):
            await seen.wait()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def listening(db: Database) -> bool:
    async with db.read() as session:
        return bool(await session.value("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - the condition is in the database
            await asyncio.sleep(0.01)
