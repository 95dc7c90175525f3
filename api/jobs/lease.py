"""Holds a case's fenced lease while a job works without a transaction: renews it, and stops the job where it was lost."""

from contextlib import AbstractAsyncContextManager

from api.jobs.heartbeat import RENEW_SECONDS, Hold
from graph.bootstrap import Services
from memory import cases
from memory.cases import LEASE_SECONDS, Lease
from memory.database import Database


async def take(db: Database, case_id: str) -> Lease | None:
    """The lease of the case, None where another worker has it."""
    async with db.write() as tx:
        return await cases.take_lease(tx, case_id)


async def give_back(db: Database, lease: Lease) -> None:
    """Lets the next worker in at once, where no commit has done so."""
    async with db.write() as tx:
        await cases.release_lease(tx, lease.case_id, lease.token)


def renewed(services: Services, lease: Lease, every_seconds: float = RENEW_SECONDS) -> AbstractAsyncContextManager[None]:
    """Keeps the lease while the block runs; raises Busy inside it where the lease is lost. The commit itself stands behind the block,
    and gives the lease back."""

    async def renew() -> bool:
        async with services.db.write() as tx:
            return await cases.renew_lease(tx, lease.case_id, lease.token)

    what, time = f"the lease on case {lease.case_id}", services.time
    return Hold(what, renew, seconds=LEASE_SECONDS, time=time, since=time.now(), every_seconds=every_seconds).kept()
