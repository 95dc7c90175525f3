"""The worker: takes wake-ups from the queue, ticks, and stops gracefully. All that it knows stands in the rows."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from traceback import extract_tb

from api.jobs import decide, execute, intake, mirror, reconcile, resume, tick
from graph.bootstrap import Services
from memory.queue import JOBS, JobName
from recoup.errors import Busy, RecoupError
from recoup.masking import redact
from recoup.ports import LONGEST_EFFECT_SECONDS

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
PRUNE_SECONDS = 60.0
# A nudge (memory/nudge.py) comes at once; this is how late work starts that nobody was nudged for.
POLL_SECONDS = 0.1
# Longer than an effect may take; what is still running then is taken over through its lease.
GRACE_SECONDS = LONGEST_EFFECT_SECONDS + 5.0
RESTART_SECONDS = 1.0

Job = Callable[[Services, str], Awaitable[None]]

BODIES: Mapping[JobName, Job] = {
    "intake": intake.run,
    "decide": decide.run,
    "resume": resume.run,
    "execute": execute.run,
    "reconcile": reconcile.run,
    "mirror": mirror.run,
}
# Notes go out one after the other beside everything else: a platform that is slow to take them holds no other work up.
ASIDE: tuple[JobName, ...] = ("mirror",)
# Where models are asked, decisions wait for them most of their time: many wait at once, and in nobody's way.
THINKING: tuple[JobName, ...] = ("decide",)
THOUGHTS_AT_ONCE = 64


async def run_worker(services: Services, stop: asyncio.Event, concurrency: int = 8) -> None:
    """Works until ``stop`` is set, then finishes what it has begun."""
    for job in JOBS:
        _register(services, job)
    thinking = THINKING if services.settings.models.names else ()
    async with asyncio.TaskGroup() as group:
        group.create_task(_work(services, stop, [job for job in JOBS if job not in {*ASIDE, *thinking}], concurrency, POLL_SECONDS))
        group.create_task(_work(services, stop, ASIDE, 1, TICK_SECONDS))
        if thinking:
            group.create_task(_work(services, stop, thinking, THOUGHTS_AT_ONCE, POLL_SECONDS))
        group.create_task(_keep_ticking(services, stop))


def _register(services: Services, job: JobName) -> None:
    async def perform(row_id: str) -> None:
        await _perform(services, job, row_id)

    if job not in services.app.tasks:
        services.app.task(name=job, queue=job)(perform)


async def _perform(services: Services, job: JobName, row_id: str) -> None:
    """A job's failure stands on its row, with the pause before the next try: here it is only told, without what it was about."""
    try:
        await BODIES[job](services, row_id)
    except Busy as exc:
        log.info("%s %s: %s", job, row_id, exc)
    except Exception as exc:  # noqa: BLE001 - whatever it was, the row is woken again and the worker goes on
        log.error("%s %s failed: %s", job, row_id, describe(exc))


def describe(error: BaseException) -> str:
    """What failed and where. Only our own messages are repeated: a driver's or a vendor's may quote a customer."""
    frames = extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    told = f": {redact(str(error))}" if isinstance(error, RecoupError) else ""
    return f"{type(error).__name__}{told}{place}"


async def _work(services: Services, stop: asyncio.Event, jobs: Sequence[JobName], concurrency: int, poll_seconds: float) -> None:
    """Runs a worker of the queue for these jobs, and starts it again where it fell with the database."""
    while not stop.is_set():
        worker = asyncio.create_task(
            services.app.run_worker_async(
                # A list: psycopg writes a tuple as a record, which is no array.
                queues=list(jobs),
                concurrency=concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=poll_seconds,
                shutdown_graceful_timeout=GRACE_SECONDS,
                # Rows tell what happened; a finished wake-up tells nothing.
                delete_jobs="always",
            )
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        worker.cancel()
        [outcome] = await asyncio.gather(worker, return_exceptions=True)
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            log.warning("the queue's worker fell and is started again: %s", describe(outcome))
            await _sleep(stop, RESTART_SECONDS)


async def _keep_ticking(services: Services, stop: asyncio.Event) -> None:
    next_prune = time.monotonic() + PRUNE_SECONDS
    has_begun = False
    while not stop.is_set():
        try:
            if not has_begun:
                await reconcile.begin(services)
                has_begun = True
            await tick.tick(services)
            if time.monotonic() >= next_prune:
                next_prune = time.monotonic() + PRUNE_SECONDS
                await tick.prune(services)
        except Exception as exc:  # noqa: BLE001 - the next tick finds the same rows
            log.error("a tick failed: %s", describe(exc))
        await _sleep(stop, TICK_SECONDS)


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleeps, but wakes when it is time to stop."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping}, timeout=seconds)
    stopping.cancel()
