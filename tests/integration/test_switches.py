"""One kill switch and, in sandbox mode, one clock for all processes."""

import asyncio
from datetime import timedelta

import pytest

from memory import switches
from memory.database import Database
from memory.switches import StoredClock
from recoup.clock import wall_now
from recoup.errors import Conflict
from tests.factories import NOW


async def test_the_kill_switch_is_off_until_somebody_turns_it_on(db: Database) -> None:
    async with db.write() as tx:
        assert not await switches.kill_switch_is_on(tx)
        await switches.set_kill_switch(tx, True, by="ada", at=NOW)
        assert await switches.kill_switch_is_on(tx)
        await switches.set_kill_switch(tx, False, by="ada", at=NOW)
        assert not await switches.kill_switch_is_on(tx)
    async with db.read() as session:
        states = await session.dicts("SELECT actor, state FROM audit_log WHERE chain = 'switches' ORDER BY n")
    assert states == [{"actor": "ada", "state": "on"}, {"actor": "ada", "state": "off"}]


async def test_the_clock_runs_with_wall_time_until_it_is_moved(db: Database) -> None:
    before = wall_now()
    assert before <= await StoredClock(db).now() <= wall_now()


async def test_advancing_adds_to_what_was_advanced_before_whoever_does_it(db: Database) -> None:
    await asyncio.gather(*(StoredClock(db).advance(3600) for _ in range(4)))
    now = await StoredClock(db).now()
    assert timedelta(hours=4) <= now - wall_now() + timedelta(seconds=60) < timedelta(hours=4, minutes=2)


async def test_a_clock_that_was_set_stands_still_and_only_goes_forward(db: Database) -> None:
    clock = StoredClock(db)
    await clock.set(NOW)
    assert await clock.now() == NOW
    assert await clock.advance(90) == NOW + timedelta(seconds=90)
    assert await StoredClock(db).now() == NOW + timedelta(seconds=90)
    with pytest.raises(Conflict):
        await clock.set(NOW)
