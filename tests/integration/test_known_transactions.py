"""Which transactions cannot be an action's outcome: those that were known when it was first sent, and no others, whatever comes later."""

from datetime import timedelta

import pytest

from api.jobs import execute
from memory import sending
from memory.database import Database
from tests.factories import NOW, attempt_snapshot, make_reading
from tests.fakes import FakeBilling, make_services
from tests.integration.test_unknown_outcomes import a_pause_passes
from tests.scenes import absorb_reading, action_of, change, committed

LONG_AGO = NOW - timedelta(days=40)


@pytest.fixture
def billing() -> FakeBilling:
    return FakeBilling()


async def known(db: Database, action_id: str) -> tuple[str, ...]:
    """What cannot be the action's outcome."""
    async with db.read() as session:
        return (await sending.effect_of(session, await action_of(db, action_id))).known_transactions


async def test_only_attempts_told_before_it_was_sent_cannot_be_its_outcome(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("do and lose the answer")
    await execute.run(services, action_id)
    told_later = attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2", occurred_at=NOW, observed_at=NOW)
    await absorb_reading(services, make_reading(attempts=(attempt_snapshot(), told_later)))
    # The clock of whoever wrote it down was slow.
    await change(db, "UPDATE attempts SET id = 'att_000000000000' WHERE vendor_key = 'ch_2'")
    assert await known(db, action_id) == ("ch_1",)


async def test_what_the_last_reading_before_the_send_told_is_known_to_the_send(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    just_now = attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2", occurred_at=LONG_AGO, observed_at=NOW)
    billing.reading = make_reading(attempts=(attempt_snapshot(), just_now))
    await execute.run(services, action_id)
    assert sorted(billing.effects[action_id].known_transactions) == ["ch_1", "ch_2"]
    assert sorted(await known(db, action_id)) == ["ch_1", "ch_2"]


async def test_what_is_known_stays_what_it_was_at_the_first_send(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    await execute.run(services, action_id)
    somebody_elses = attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2", occurred_at=LONG_AGO, observed_at=NOW)
    billing.reading = make_reading(attempts=(attempt_snapshot(), somebody_elses))
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert billing.calls == [action_id, action_id]
    assert billing.effects[action_id].known_transactions == ("ch_1",)
