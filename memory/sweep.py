"""Finds rows that wait for work though nobody was told: the wake-up was lost, its worker died, or a pause is over.

All times are wall time, but for an action's ``hold_until`` and a reconciliation's ``due_at``. A row is woken again at most every few
seconds, and only where no job for it is waiting already.
"""

from datetime import datetime, timedelta
from typing import LiteralString

from memory.database import Read, Write
from memory.queue import JobName, wake
from memory.sending import CLAIMABLE

QUIET_SECONDS = 5.0
MOST_ROWS = 500
SWEEP_LOCK = 0x5EC0_0511
WORKER_GONE_SECONDS = 60.0

INBOX: LiteralString = """
    SELECT id FROM inbox
     WHERE status = 'accepted' AND woken_at <= %(quiet)s AND (lease_until IS NULL OR lease_until <= %(wall)s)
     ORDER BY woken_at LIMIT %(most)s FOR UPDATE SKIP LOCKED"""
CASES: LiteralString = """
    SELECT id FROM cases
     WHERE needs_decision AND decide_error IS NULL AND woken_at <= %(quiet)s AND (lease_until IS NULL OR lease_until <= %(wall)s)
     ORDER BY woken_at LIMIT %(most)s FOR UPDATE SKIP LOCKED"""
# An answer that has not had its effect yet.
DECISIONS: LiteralString = """
    SELECT d.id FROM decisions d JOIN approvals p ON p.decision_id = d.id JOIN cases c ON c.id = d.case_id
     WHERE d.state = 'waiting' AND p.status = 'decided' AND p.used_at IS NULL AND d.woken_at <= %(quiet)s
       AND c.woken_at <= %(quiet)s AND c.decide_error IS NULL AND (c.lease_until IS NULL OR c.lease_until <= %(wall)s)
     ORDER BY d.woken_at LIMIT %(most)s FOR UPDATE OF d SKIP LOCKED"""
# One whose pause ended after it was last woken is due at once.
ACTIONS: LiteralString = (
    "SELECT id FROM actions WHERE "  # noqa: S608 - constants
    + CLAIMABLE
    + " AND (woken_at <= %(quiet)s OR next_try_at > woken_at) ORDER BY woken_at LIMIT %(most)s FOR UPDATE SKIP LOCKED"
)
RECONCILIATIONS: LiteralString = """
    SELECT id FROM reconciliations
     WHERE due_at <= %(now)s AND woken_at <= %(quiet)s AND (lease_until IS NULL OR lease_until <= %(wall)s)
     ORDER BY woken_at LIMIT %(most)s FOR UPDATE SKIP LOCKED"""
# What is told a little later, or was put off, is due once its time has come.
MIRRORS: LiteralString = """
    SELECT id FROM mirrors
     WHERE state = 'pending' AND next_try_at <= %(wall)s AND (woken_at <= %(quiet)s OR next_try_at > woken_at)
       AND (lease_until IS NULL OR lease_until <= %(wall)s)
     ORDER BY woken_at LIMIT %(most)s FOR UPDATE SKIP LOCKED"""

QUEUES: tuple[tuple[JobName, LiteralString, LiteralString], ...] = (
    ("intake", "inbox", INBOX),
    ("decide", "cases", CASES),
    ("resume", "decisions", DECISIONS),
    ("execute", "actions", ACTIONS),
    ("reconcile", "reconciliations", RECONCILIATIONS),
    ("mirror", "mirrors", MIRRORS),
)


async def wake_forgotten(tx: Write, wall: datetime, now: datetime) -> dict[JobName, int]:
    """Wakes what is forgotten and tells how many of each job; nothing where another worker is just sweeping."""
    if not await tx.value("SELECT pg_try_advisory_xact_lock(%s)", (SWEEP_LOCK,)):
        return {}
    parameters = {"wall": wall, "now": now, "quiet": wall - timedelta(seconds=QUIET_SECONDS), "most": MOST_ROWS}
    woken: dict[JobName, int] = {}
    for job, table, stale in QUEUES:
        rows = await tx.dicts(
            "WITH stale AS ("  # noqa: S608 - constants
            + stale
            + "), touched AS (UPDATE "
            + table
            + " AS t SET woken_at = %(wall)s FROM stale WHERE t.id = stale.id RETURNING t.id) SELECT id FROM touched WHERE NOT EXISTS"
            + " (SELECT 1 FROM procrastinate_jobs j WHERE j.status = 'todo' AND j.queueing_lock = %(job)s || ':' || touched.id)",
            parameters | {"job": job},
        )
        for row in rows:
            await wake(tx, job, row["id"])
        if rows:
            woken[job] = len(rows)
    return woken


async def forget_dead_workers(tx: Write, wall: datetime) -> int:
    """Deletes the job rows of workers that are gone, and their own; their work is taken over through the rows. Gives the number of jobs."""
    gone = wall - timedelta(seconds=WORKER_GONE_SECONDS)
    await tx.run("DELETE FROM procrastinate_workers WHERE last_heartbeat < %s", (gone,))
    # The deletion above has set worker_id to NULL on what they were doing.
    return await tx.run("DELETE FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL")


async def finished_threads(session: Read, limit: int) -> list[str]:
    """Decisions that have ended and still have checkpoints."""
    rows = await session.dicts(
        """
        SELECT DISTINCT c.thread_id FROM checkpoints c JOIN decisions d ON d.id = c.thread_id
         WHERE d.state IN ('done', 'superseded') LIMIT %s
        """,
        (limit,),
    )
    return [row["thread_id"] for row in rows]
