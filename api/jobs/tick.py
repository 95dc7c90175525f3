"""The tick: what no event announces. Timers whose time has come, rows whose wake-up was lost, and what is left lying about.

Any number of workers tick at once: a timer fires where its row changes, and only one sweeps at a time.
"""

from datetime import datetime
from typing import assert_never

from api.jobs.absorb import absorb_fact
from graph.bootstrap import Services
from memory import approvals, cases, drafts, model_calls, queue, sweep, timers
from memory.checkpoints import prune_finished
from memory.database import Write
from memory.queue import JobName
from memory.timers import FiredTimer
from recoup.case import CaseStatus, Fact, FactKind
from recoup.clock import wall_now
from recoup.record import Record

TIMERS_AT_ONCE = 20
THREADS_AT_ONCE = 200


class Ticked(Record):
    """What one pass did: the timers that fired, and how many rows of each job were woken again."""

    fired: tuple[FiredTimer, ...]
    woken: dict[JobName, int]


async def tick(services: Services) -> Ticked:
    """One pass: everything that is due at the domain's ``now``, then the sweep."""
    now = await services.clock.now()
    fired = await fire_timers(services, now)
    async with services.db.write() as tx:
        woken = await sweep.wake_forgotten(tx, wall_now(), now)
    return Ticked(fired=fired, woken=woken)


async def fire_timers(services: Services, now: datetime) -> tuple[FiredTimer, ...]:
    """Fires what is due and does what it asks for, in the same transaction: a timer that fired has had its effect."""
    fired: list[FiredTimer] = []
    while True:
        async with services.db.write() as tx:
            due = await timers.fire_due(tx, now, limit=TIMERS_AT_ONCE)
            for timer in due:
                await _obey(tx, timer, now)
        fired += due
        if len(due) < TIMERS_AT_ONCE:
            return tuple(fired)


async def prune(services: Services) -> None:
    """Deletes what has served: checkpoints of finished decisions, registrations of workers that are gone, what models said and wrote."""
    async with services.db.read() as session:
        threads = await sweep.finished_threads(session, THREADS_AT_ONCE)
    if threads:
        await prune_finished(services.graph, threads)
    async with services.db.write() as tx:
        await sweep.forget_dead_workers(tx, wall_now())
        await model_calls.prune(tx, wall_now())
        await drafts.prune(tx, wall_now())


async def _obey(tx: Write, timer: FiredTimer, now: datetime) -> None:
    case = await cases.lock(tx, timer.case_id)
    if case.status is not CaseStatus.OPEN:
        return
    match timer.kind:
        case "decide":
            await cases.want_decision(tx, case.id, "timer")
        case "end_grace":
            await cases.want_decision(tx, case.id, "grace_over")
        case "end_case":
            await absorb_fact(tx, case.id, Fact(kind=FactKind.TIME_OVER), now)
        case "execute":
            if timer.action_id is not None:
                await queue.wake(tx, "execute", timer.action_id)
        case "expire_approval":
            # Nobody answered in time. The case is still open, so it is looked at afresh, which voids what waited.
            if timer.approval_id is not None and await approvals.expire(tx, timer.approval_id, now):
                await cases.want_decision(tx, case.id, "approval_expired")
        case _:
            assert_never(timer.kind)
