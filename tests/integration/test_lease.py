"""The lease on a case: one holder at a time, kept while the work lasts, and noticed when it is lost."""

import asyncio

import pytest

from api.jobs import lease as leases
from memory.database import Database
from recoup.errors import Busy
from tests.deciding import holder_died, rows
from tests.fakes import make_services
from tests.scenes import open_case


async def test_a_lost_lease_stops_the_work(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    lease = await leases.take(db, facts.case.id)
    assert lease is not None
    assert await leases.take(db, facts.case.id) is None

    await holder_died(db, facts.case.id)
    assert await leases.take(db, facts.case.id) is not None

    with pytest.raises(Busy):
        async with leases.renewed(services, lease, every_seconds=0.01):
            await asyncio.Event().wait()


async def test_a_lease_is_kept_while_the_work_lasts(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    lease = await leases.take(db, facts.case.id)
    assert lease is not None
    [(taken_until,)] = await rows(db, "SELECT lease_until FROM cases")

    async with leases.renewed(services, lease, every_seconds=0.01):
        while await rows(db, "SELECT 1 FROM cases WHERE lease_until > %s", taken_until) == []:
            pass
        assert await leases.take(db, facts.case.id) is None


async def test_cancelling_from_outside_is_not_mistaken_for_a_lost_lease(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    lease = await leases.take(db, facts.case.id)
    assert lease is not None

    async def work() -> None:
        async with leases.renewed(services, lease):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
