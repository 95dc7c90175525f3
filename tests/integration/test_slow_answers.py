"""A charge may take longer than a lease: it is kept meanwhile, and where it cannot be kept nobody sends beside somebody else."""

import asyncio
import threading
from dataclasses import replace
from datetime import datetime

import pytest

from api.jobs import execute
from api.jobs.heartbeat import MARGIN_SECONDS, RENEW_SECONDS
from memory import sending
from memory.database import Database
from memory.outbox import ActionState
from recoup.clock import wall_now
from recoup.ports import LONGEST_EFFECT_SECONDS, Effect
from tests.factories import NOW, make_connection
from tests.fakes import FakeBilling, make_services
from tests.integration.test_execute import history, states
from tests.integration.test_unknown_outcomes import a_pause_passes, the_lease_runs_out
from tests.integration.test_vendor_lost_answers import AUTO, PAID, both, owing, until_sent
from tests.manual_time import ManualTime
from tests.merchants.merchant import merchant
from tests.merchants.shop import Kind
from tests.scenes import action_of, committed
from tests.vendors.chassis_trouble import Trouble
from tools.http import Bounds


class SlowBilling(FakeBilling):
    """Takes ``seconds`` over a charge, and then makes it; one that was stopped before that is never made."""

    def __init__(self, time: ManualTime, seconds: float = 12.0) -> None:
        super().__init__()
        self.is_sending, self.was_stopped = asyncio.Event(), asyncio.Event()
        self.while_performing = self._takes_its_time
        self._time, self._seconds = time, seconds

    async def _takes_its_time(self) -> None:
        self.is_sending.set()
        try:
            await self._time.wait(asyncio.Event(), self._seconds)
        except asyncio.CancelledError:
            self.was_stopped.set()
            raise


async def lease_until(db: Database) -> datetime | None:
    """When the lease on the action that is being sent ends; None where nobody has it."""
    async with db.read() as session:
        return await session.value("SELECT lease_until FROM actions ORDER BY state = 'started' DESC LIMIT 1")


async def goes_by(db: Database, time: ManualTime, seconds: float) -> None:
    """Time passes, no faster than the worker can renew its lease."""
    for _ in range(round(seconds / RENEW_SECONDS)):
        before = await lease_until(db)
        await time.advance(RENEW_SECONDS)
        while await lease_until(db) == before:
            pass


async def test_a_charge_that_takes_twelve_seconds_is_done_and_not_lost(db: Database) -> None:
    time = ManualTime()
    billing = SlowBilling(time, seconds=12.0)
    services = make_services(db, billing=billing, time=time)
    action_id = await committed(services)
    worker = asyncio.create_task(execute.run(services, action_id))
    await billing.is_sending.wait()
    await goes_by(db, time, 9.0)
    await execute.run(make_services(db, billing=billing), action_id)
    assert billing.calls == [action_id], "the lease still holds"
    await goes_by(db, time, 3.0)
    await worker
    assert await history(db, action_id) == ["ready", "started", "done"]
    assert await states(db, "reservations") == ["confirmed"]


async def test_an_answer_that_does_not_come_at_all_is_looked_up(db: Database) -> None:
    time = ManualTime()
    billing = SlowBilling(time, seconds=1_000.0)
    services = make_services(db, billing=billing, time=time)
    action_id = await committed(services)
    worker = asyncio.create_task(execute.run(services, action_id))
    await billing.is_sending.wait()
    billing.effects[action_id] = an_effect(action_id)
    await goes_by(db, time, LONGEST_EFFECT_SECONDS - 1.0)
    assert not worker.done()
    await time.advance(RENEW_SECONDS)
    await worker
    assert billing.was_stopped.is_set()
    assert (await action_of(db, action_id)).state is ActionState.UNKNOWN
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert billing.calls == [action_id]
    assert await history(db, action_id) == ["ready", "started", "unknown", "done"]


async def test_who_lost_the_lease_while_sending_stops_and_writes_nothing(db: Database) -> None:
    time = ManualTime()
    billing = SlowBilling(time)
    services = make_services(db, billing=billing, time=time)
    action_id = await committed(services)
    worker = asyncio.create_task(execute.run(services, action_id))
    await billing.is_sending.wait()
    billing.while_performing = None
    await the_lease_runs_out(db)
    await execute.run(make_services(db, billing=billing), action_id)
    assert await history(db, action_id) == ["ready", "started", "started", "done"]
    await time.advance(RENEW_SECONDS)
    await billing.was_stopped.wait()
    await worker
    assert await history(db, action_id) == ["ready", "started", "started", "done"]
    assert list(billing.effects) == [action_id]


async def test_a_lease_that_cannot_be_renewed_stops_the_send_before_it_is_over_and_leaves_it_to_be_looked_up(db: Database) -> None:
    time = ManualTime()
    billing = SlowBilling(time)
    services = make_services(db, billing=billing, time=time)
    action_id = await committed(services)
    worker = asyncio.create_task(execute.run(services, action_id))
    await billing.is_sending.wait()
    async with db.write() as tx:
        await tx.run("SELECT 1 FROM actions WHERE id = %s FOR UPDATE", (action_id,))
        await time.advance(sending.LEASE_SECONDS - MARGIN_SECONDS - 0.1)
        assert not billing.was_stopped.is_set()
        await time.advance(0.1)
        await billing.was_stopped.wait()
    await worker
    action = await action_of(db, action_id)
    assert (action.state, action.next_try_at is not None, action.lease_until) == (ActionState.UNKNOWN, True, None)
    billing.while_performing = None
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert await history(db, action_id) == ["ready", "started", "unknown", "started", "done"]
    assert list(billing.effects) == [action_id]


@pytest.mark.parametrize("paused_seconds", [sending.LEASE_SECONDS - MARGIN_SECONDS, 60.0])
async def test_a_worker_that_slept_between_start_and_send_does_not_send(db: Database, paused_seconds: float) -> None:
    time, billing = ManualTime(), FakeBilling()
    services = make_services(db, billing=billing, time=time)
    action_id, since = await committed(services), time.now()
    async with db.write() as tx:
        action = await sending.claim(tx, action_id, wall=wall_now(), now=NOW)
        assert action is not None
        started = await sending.begin(tx, action, now=NOW, read_at=NOW, wall=wall_now(), key_valid_seconds=60)
        effect = await sending.effect_of(tx, started)
    hold = execute.hold_of(services, started, since)
    await time.stand_still(paused_seconds)
    outgoing = execute.Outgoing(execute.Errand(started, hold, make_connection(), billing, effect), None, is_first=True)
    await execute._send(services, outgoing)  # pyright: ignore[reportPrivateUsage]
    assert billing.calls == []
    action = await action_of(db, action_id)
    assert (action.state, action.first_sent_at, action.key_valid_until) == (ActionState.READY, None, None)


async def test_a_lease_that_was_given_back_is_not_renewed_by_a_late_heart(db: Database) -> None:
    services = make_services(db)
    action_id = await committed(services)
    async with db.write() as tx:
        action = await sending.claim(tx, action_id, wall=wall_now(), now=NOW)
        assert action is not None
        assert await sending.renew(tx, action, wall=wall_now())
        await sending.try_later(tx, action, ActionState.READY, why="put off", at=NOW, next_try_at=wall_now())
        assert not await sending.renew(tx, action, wall=wall_now())


@both
async def test_a_charge_that_takes_twelve_seconds_at_a_platform_is_not_looked_up(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO, bounds=Bounds()) as made:
        time, release = ManualTime(), threading.Event()
        made.services = replace(made.services, time=time)
        scene = owing(made, kind, PAID)
        made.double.misbehaviours.add(Trouble.HELD, *scene.charge, until=release)
        working = asyncio.create_task(until_sent(scene))
        async with db.read() as session:
            while await session.value("SELECT id FROM actions WHERE state = 'started' AND name = 'retry_payment'") is None:
                assert not working.done()
        await goes_by(db, time, 12.0)
        release.set()
        action = await working
        assert await history(db, action.id) == ["ready", "started", "done"]
        assert [(one.id, one.outcome) for one in scene.ours(action)] == [(action.result and action.result.vendor_ref, "succeeded")]


def an_effect(action_id: str) -> Effect:
    """Something that the platform has booked under the action's key."""
    return Effect(
        key=action_id, name="retry_payment", invoice_vendor_id="in_1", subscription_vendor_id=None, account_vendor_id="cus_1", args={}
    )
