"""Holds a case's fenced lease while a job works without a transaction: renews it, and stops the job where it was lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from memory import cases
from memory.cases import LEASE_SECONDS, Lease
from memory.database import Database
from recoup.errors import Busy, DatabaseUnavailable, Defect

RENEW_SECONDS = 3.0


async def take(db: Database, case_id: str) -> Lease | None:
    """The lease of the case, None where another worker has it."""
    async with db.write() as tx:
        return await cases.take_lease(tx, case_id)


async def give_back(db: Database, lease: Lease) -> None:
    """Lets the next worker in at once, where no commit has done so."""
    async with db.write() as tx:
        await cases.release_lease(tx, lease.case_id, lease.token)


@asynccontextmanager
async def renewed(db: Database, lease: Lease, every_seconds: float = RENEW_SECONDS) -> AsyncGenerator[None]:
    """Keeps the lease while the block runs; raises Busy inside it where the lease is lost.

    The fence is the token, which every commit checks: stopping early only saves work. The commit itself stands behind the block,
    and gives the lease back.
    """
    job = asyncio.current_task()
    if job is None:
        raise Defect("a lease is renewed beside a running task")
    heart = asyncio.create_task(_beat(db, lease, job, every_seconds))
    try:
        yield
    except asyncio.CancelledError:
        if heart.done() and not heart.cancelled() and job.uncancel() == 0:
            raise Busy(f"the lease on case {lease.case_id} was lost") from None
        raise
    finally:
        heart.cancel()


async def _beat(db: Database, lease: Lease, job: "asyncio.Task[object]", every_seconds: float) -> None:
    """Renews until it is cancelled; cancels the job where another worker took over, or nobody could be asked for too long."""
    loop = asyncio.get_running_loop()
    good_until = loop.time() + LEASE_SECONDS
    while True:
        await asyncio.sleep(every_seconds)
        asked = loop.time()
        try:
            async with db.write() as tx:
                kept = await cases.renew_lease(tx, lease.case_id, lease.token)
        except DatabaseUnavailable:
            if loop.time() < good_until:
                continue
            kept = False
        if not kept:
            job.cancel()
            return
        good_until = asked + LEASE_SECONDS
