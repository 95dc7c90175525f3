"""Jobs through a worker beside claiming rows with bare SKIP LOCKED, and beside itself with a million timers in the future."""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import psycopg

from evals.bench.backlog import until_no_jobs, until_registered
from evals.bench.figure import Figure, compare, take_turns
from evals.bench.processes import environment, recoup
from evals.bench.server import Server, Urls, connected, opened

TIMERS_FLOOR = 0.9
JOBS, WARM_UP_JOBS, REPEATS = 1000, 100, 4
CLIENTS = 8  # as many as a worker does at once
TIMERS = 1_000_000

CLAIM = (
    "UPDATE bench_jobs SET state = 'doing' WHERE id = (SELECT id FROM bench_jobs WHERE state = 'todo' ORDER BY id LIMIT 1"
    " FOR UPDATE SKIP LOCKED) RETURNING id"
)
DONE = "DELETE FROM bench_jobs WHERE id = %s"
# Wake-ups for rows that are not there: what is measured is the queue and one look at a row.
WAKE = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)"
    " SELECT 'intake', 'intake', 'intake:evt_' || n, jsonb_build_object('row_id', 'evt_' || n) FROM generate_series(1, %s) n"
)
NUDGE = """SELECT pg_notify('procrastinate_queue_v1#' || %s, '{"type": "job_inserted", "job_id": 0}')"""


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:
    """Jobs a second, of a real ``recoup worker`` with its ticks."""
    async with postgres.fresh() as plain, postgres.fresh() as crowded:
        with connected(plain.owner) as owner:
            owner.execute("CREATE TABLE bench_jobs (id bigint PRIMARY KEY, state text NOT NULL DEFAULT 'todo')")
            owner.execute("CREATE INDEX ON bench_jobs (id) WHERE state = 'todo'")
        _plan_timers(crowded)
        worked, bare, with_timers = await take_turns(
            REPEATS, lambda: worker_rate(plain, home), lambda: bare_rate(plain), lambda: worker_rate(crowded, home)
        )
    yield compare("jobs", worked, bare, clients=CLIENTS, per_second=round(max(worked)), bare_per_second=round(max(bare)))
    yield compare("jobs-with-a-million-timers", with_timers, worked, floor=TIMERS_FLOOR, timers=TIMERS)


async def worker_rate(urls: Urls, home: Path) -> float:
    """Jobs a second of one worker process, started for this and warm."""
    async with recoup("worker", environment(urls, home)), opened(urls.app) as db:
        await until_registered(db, 1)
        for count in (WARM_UP_JOBS, JOBS):
            started = time.monotonic()
            async with db.write() as tx:
                await tx.run(WAKE, (count,))
            async with db.statement() as tx:
                await tx.value(NUDGE, ("intake",))
            await until_no_jobs(db)
    with connected(urls.owner) as owner:
        owner.execute("DELETE FROM procrastinate_workers")
    return JOBS / (time.monotonic() - started)


async def bare_rate(urls: Urls) -> float:
    """Rows a second that as many clients claim and delete."""
    with connected(urls.owner) as owner:
        owner.execute("INSERT INTO bench_jobs (id) SELECT n FROM generate_series(1, %s) n", (JOBS,))
    clients = [await psycopg.AsyncConnection.connect(urls.owner, autocommit=True) for _ in range(CLIENTS)]
    started = time.monotonic()
    counts = await asyncio.gather(*(_claim_all(client) for client in clients))
    took = time.monotonic() - started
    for client in clients:
        await client.close()
    return sum(counts) / took


async def _claim_all(client: psycopg.AsyncConnection) -> int:
    count = 0
    while (claimed := await (await client.execute(CLAIM)).fetchone()) is not None:
        await client.execute(DONE, claimed)
        count += 1
    return count


def _plan_timers(urls: Urls) -> None:
    with connected(urls.owner) as owner:
        owner.execute(
            "INSERT INTO timers (id, kind, due_at, reason, created_at)"
            " SELECT 'tmr_bench' || n, 'decide', now() + interval '1 day' + n * interval '20 seconds', 'later', now()"
            " FROM generate_series(1, %s) n",
            (TIMERS,),
        )
        owner.execute("VACUUM ANALYZE timers")
