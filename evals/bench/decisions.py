"""What one decision by rules costs a worker: CPU and SQL statements, audit included, LangGraph's own and the queue's own apart."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from itertools import count
from pathlib import Path
from statistics import median

from evals.bench.backlog import take_in, until_no_jobs, until_quiet, until_registered
from evals.bench.empty_graph import cpu_ms_of_a_run
from evals.bench.figure import Figure, take_turns, tell
from evals.bench.jobs import NUDGE, WAKE
from evals.bench.payload import filled, stripe_failure
from evals.bench.processes import Process, environment, recoup
from evals.bench.server import Server, Urls, connected, opened
from evals.bench.webhooks import SECRET, write_config
from evals.bench.wire import wire
from memory.database import Database

MOST_CPU_MS, MOST_STATEMENTS = 15.0, 15.0
CASES, REPEATS = 100, 5
IDLE_SECONDS = 4.0  # a worker shows all that it does by itself

FORGET = (
    "TRUNCATE decisions, approvals, actions, reservations, messages, message_texts, tasks, timers,"
    " checkpoints, checkpoint_blobs, checkpoint_writes CASCADE"
)
WANT = "UPDATE cases SET needs_decision = true, wanted_because = 'attempt_failed', woken_at = now()"
WAKE_CASES = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)"
    " SELECT 'decide', 'decide', 'decide:' || id, jsonb_build_object('row_id', id) FROM cases"
)
OTHERS = ("langgraph", "queue")
FRAMES = ("BEGIN", "COMMIT", "ROLLBACK", "DEALLOCATE")


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:
    """Each case's first decision, which asks a person; made again and again on the same cases."""
    async with postgres.fresh() as urls, opened(urls.app) as db:
        told = environment(urls, home, config=str(write_config(home)), bench_secret=SECRET)
        async with recoup("worker", told) as worker:
            template, _ = stripe_failure()
            await take_in(db, "bench", [filled(template, number, number) for number in range(CASES)])
            await until_quiet(db)
            yield await _cpu(urls, db, worker)
        yield await _statements(urls, db, told)


async def _cpu(urls: Urls, db: Database, worker: Process) -> Figure:
    threads = count(step=CASES)
    deciding, waking, running = await take_turns(
        REPEATS,
        lambda: _cpu_ms(worker, lambda: decide_all(urls, db)),
        lambda: _cpu_ms(worker, lambda: wake_only(db)),
        lambda: cpu_ms_of_a_run(db, CASES, next(threads)),
    )
    added = [one - queue - graph for one, queue, graph in zip(deciding, waking, running, strict=True)]
    shares = [ms / MOST_CPU_MS for ms in added]
    parts = {"worker_cpu_ms": deciding, "queue_cpu_ms": waking, "langgraph_cpu_ms": running, "added_cpu_ms": added}
    return Figure(
        name="decision-cpu",
        ratio=median(shares),
        spread=(min(shares), max(shares)),
        ceiling=1.0,
        extra={name: round(median(values), 2) for name, values in parts.items()},
    )


async def _cpu_ms(worker: Process, work: Callable[[], Awaitable[None]]) -> float:
    """CPU milliseconds of the worker for each case."""
    before = worker.cpu_seconds()
    await work()
    return (worker.cpu_seconds() - before) * 1000 / CASES


async def decide_all(urls: Urls, db: Database) -> None:
    """Has every case decided as if it had never been."""
    # In a thread: it waits for the worker's locks, and the worker may be waiting for this loop.
    await asyncio.to_thread(_forget_and_wake, urls)
    await until_no_jobs(db)
    await until_quiet(db)


def _forget_and_wake(urls: Urls) -> None:
    with connected(urls.owner) as owner:
        owner.execute(FORGET)
        with owner.transaction():
            owner.execute(WANT)
            owner.execute(WAKE_CASES)
        owner.execute(NUDGE, ("decide",))


async def wake_only(db: Database) -> None:
    """As many jobs that find nothing to do: what the queue itself costs."""
    async with db.write() as tx:
        await tx.run(WAKE, (CASES,))
    async with db.statement() as tx:
        await tx.value(NUDGE, ("intake",))
    await until_no_jobs(db)


async def _statements(urls: Urls, db: Database, told: Mapping[str, str]) -> Figure:
    with tempfile.TemporaryDirectory(prefix="recoup-wire-") as folder:
        async with wire(urls.app, Path(folder)) as between, recoup("worker", {**told, "RECOUP_DATABASE_URL": between.url}):
            await until_registered(db, 1)
            await decide_all(urls, db)  # statements are prepared, the policy is read
            between.statements.clear()
            await asyncio.sleep(IDLE_SECONDS)
            idle = set(between.statements)
            between.statements.clear()
            await decide_all(urls, db)
            seen = Counter({text: number for text, number in between.statements.items() if text not in idle})
    ours = {text: number for text, number in seen.items() if _whose(text) == "recoup"}
    for text, number in sorted(ours.items(), key=lambda item: -item[1]):
        tell(f"{number / CASES:6.2f} {' '.join(text.split())[:110]}")
    each = {whose: round(sum(n for text, n in seen.items() if _whose(text) == whose) / CASES, 1) for whose in OTHERS}
    share = sum(ours.values()) / CASES / MOST_STATEMENTS
    extra = {"statements": round(share * MOST_STATEMENTS, 1)} | {f"{whose}_statements": number for whose, number in each.items()}
    return Figure(name="decision-statements", ratio=share, spread=(share, share), ceiling=1.0, extra=extra)


def _whose(text: str) -> str:
    """Who sends it: a statement's own text tells."""
    if text.startswith(FRAMES):
        return "frame"
    if "checkpoint" in text:
        return "langgraph"
    return "queue" if "procrastinate_" in text and "INSERT" not in text else "recoup"
