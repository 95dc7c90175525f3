"""What no event announces: timers that fire once, approvals that expire, rows that are woken again. Any number of workers tick at once."""

import asyncio
from datetime import timedelta
from typing import LiteralString

import pytest

from api.jobs import decide, tick
from graph.bootstrap import Services
from memory import timers
from memory.database import Database
from memory.outbox import ActionState
from memory.timers import TimerKind
from recoup.clock import FixedClock
from tests.factories import NOW
from tests.fakes import make_services
from tests.integration.test_execute import history, paid
from tests.scenes import absorb_reading, action_of, change, committed, open_case

TICKERS = 3


async def ticks(services: Services) -> list[tick.Ticked]:
    """Several workers tick at the same moment."""
    return await asyncio.gather(*(tick.tick(services) for _ in range(TICKERS)))


async def set_timer(services: Services, case_id: str, kind: TimerKind, minutes: int) -> str:
    async with services.db.write() as tx:
        return await timers.set_timer(tx, case_id=case_id, kind=kind, due_at=NOW + timedelta(minutes=minutes), reason="a test", at=NOW)


async def wanted_because(db: Database) -> str | None:
    async with db.read() as session:
        return await session.value("SELECT wanted_because FROM cases WHERE needs_decision")


async def nothing_is_wanted(db: Database) -> None:
    await change(db, "UPDATE cases SET needs_decision = false, wanted_because = NULL")


async def jobs(db: Database) -> list[str]:
    """The jobs that wait, by kind."""
    async with db.read() as session:
        return [
            row["task_name"] for row in await session.dicts("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo' ORDER BY 1")
        ]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


# Timers


async def test_a_due_timer_fires_once_however_many_workers_tick(db: Database, clock: FixedClock) -> None:
    services = make_services(db, clock=clock)
    facts = await open_case(services)
    await nothing_is_wanted(db)
    timer_id = await set_timer(services, facts.case.id, "decide", minutes=10)
    assert [ticked.fired for ticked in await ticks(services)] == [()] * TICKERS
    assert await wanted_because(db) is None
    clock.at += timedelta(minutes=10)
    fired = [timer.id for ticked in await ticks(services) for timer in ticked.fired]
    assert fired == [timer_id]
    assert await wanted_because(db) == "timer"
    assert await history(db, timer_id) == ["pending", "fired"]


async def test_a_timer_that_a_payment_cancelled_never_fires(db: Database, clock: FixedClock) -> None:
    services = make_services(db, clock=clock)
    facts = await open_case(services)
    timer_id = await set_timer(services, facts.case.id, "decide", minutes=10)
    await absorb_reading(services, paid())
    clock.at += timedelta(days=60)
    assert [ticked.fired for ticked in await ticks(services)] == [()] * TICKERS
    assert await history(db, timer_id) == ["pending", "cancelled"]


async def test_more_timers_than_one_transaction_takes_all_fire_once(db: Database, clock: FixedClock) -> None:
    services = make_services(db, clock=clock)
    facts = await open_case(services)
    wanted = {await set_timer(services, facts.case.id, "decide", minutes=1) for _ in range(2 * tick.TIMERS_AT_ONCE + 1)}
    clock.at += timedelta(minutes=1)
    fired = [timer.id for ticked in await ticks(services) for timer in ticked.fired]
    fired += [timer.id for timer in (await tick.tick(services)).fired]
    assert sorted(fired) == sorted(wanted)


async def test_the_last_day_ends_the_case(db: Database, clock: FixedClock) -> None:
    services = make_services(db, clock=clock)
    action_id = await committed(services)
    clock.at += timedelta(days=40)
    await ticks(services)
    async with db.read() as session:
        status = await session.value("SELECT status FROM cases")
    assert status in {"expired", "handed_off"}
    assert (await action_of(db, action_id)).state is ActionState.VOID


async def test_an_overdue_approval_expires_and_the_case_is_looked_at_afresh(db: Database, clock: FixedClock) -> None:
    services = make_services(db, clock=clock)
    facts = await open_case(services)
    await decide.run(services, facts.case.id)
    async with db.read() as session:
        [approval] = await session.dicts("SELECT id, expires_at, action_ids FROM approvals WHERE status = 'pending'")
    clock.at = approval["expires_at"] - timedelta(seconds=1)
    await tick.tick(services)
    assert await history(db, approval["id"]) == ["pending"]
    clock.at = approval["expires_at"]
    await ticks(services)
    assert await history(db, approval["id"]) == ["pending", "expired"]
    assert await wanted_because(db) is not None
    await decide.run(services, facts.case.id)
    for action_id in approval["action_ids"]:
        assert (await action_of(db, action_id)).state is ActionState.VOID


# The sweep


LOST: dict[str, LiteralString] = {
    "intake": """
        INSERT INTO inbox (id, connection, vendor_event_id, event_type, content_type, payload, received_at, woken_at)
        VALUES ('evt_1', 'sandbox', 'v_1', 'x', 'application/json', '{}', now(), now() - interval '6 seconds')""",
    "decide": "UPDATE cases SET needs_decision = true, woken_at = now() - interval '6 seconds'",
    "execute": "UPDATE actions SET woken_at = now() - interval '6 seconds'",
    "resume": """
        WITH waiting AS (UPDATE decisions SET state = 'waiting', woken_at = now() - interval '6 seconds' RETURNING id, case_id),
             rested AS (UPDATE cases SET woken_at = now() - interval '6 seconds', needs_decision = false)
        INSERT INTO approvals (id, decision_id, case_id, digest, interrupt_digest, request, action_ids, interrupt_id, status, created_at,
                               expires_at)
        SELECT 'apr_1', id, case_id, 'd', 'd', '{}', '{}', 'i', 'decided', now(), now() FROM waiting""",
}


@pytest.mark.parametrize("job", list(LOST))
async def test_a_row_whose_wake_up_was_lost_is_woken_once(db: Database, job: str) -> None:
    services = make_services(db)
    await committed(services)
    await change(db, "DELETE FROM procrastinate_jobs")
    await change(db, "UPDATE cases SET needs_decision = false")
    await change(db, LOST[job])
    woken = [ticked.woken for ticked in await ticks(services)]
    assert [w for w in woken if w] == [{job: 1}]
    assert await jobs(db) == [job]
    await change(db, "DELETE FROM procrastinate_jobs")
    assert (await tick.tick(services)).woken == {}, "it was woken just now"


async def test_a_row_whose_job_still_waits_is_not_woken(db: Database) -> None:
    services = make_services(db)
    await open_case(services)
    await change(db, "UPDATE cases SET woken_at = now() - interval '1 minute'")
    assert await jobs(db) == ["decide"]
    assert (await tick.tick(services)).woken == {}
    assert await jobs(db) == ["decide"]


async def test_what_a_live_worker_holds_or_a_person_must_settle_is_left_alone(db: Database) -> None:
    services = make_services(db)
    await committed(services)
    await change(db, "DELETE FROM procrastinate_jobs")
    await change(db, "UPDATE cases SET needs_decision = false")
    await change(db, "UPDATE actions SET woken_at = now() - interval '1 minute', lease_until = now() + interval '5 seconds'")
    assert (await tick.tick(services)).woken == {}
    await change(db, "UPDATE actions SET lease_until = NULL, state = 'unknown'")
    assert (await tick.tick(services)).woken == {}


async def test_the_work_of_a_dead_worker_is_woken_when_its_lease_is_over(db: Database) -> None:
    services = make_services(db)
    await committed(services)
    await change(db, "DELETE FROM procrastinate_jobs")
    await change(db, "UPDATE cases SET needs_decision = false")
    await change(db, "UPDATE actions SET state = 'started', woken_at = now() - interval '11 seconds', lease_until = now()")
    assert (await tick.tick(services)).woken == {"execute": 1}


async def test_a_pause_that_is_over_ends_at_once(db: Database) -> None:
    services = make_services(db)
    await committed(services)
    await change(db, "DELETE FROM procrastinate_jobs")
    await change(db, "UPDATE cases SET needs_decision = false")
    await change(db, "UPDATE actions SET woken_at = now() - interval '2 seconds', next_try_at = now() + interval '1 minute'")
    assert (await tick.tick(services)).woken == {}
    await change(db, "UPDATE actions SET next_try_at = now() - interval '1 second'")
    assert (await tick.tick(services)).woken == {"execute": 1}


async def test_finished_threads_and_dead_workers_are_cleared_away(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    await decide.run(services, facts.case.id)
    await change(db, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '2 minutes')")
    await change(db, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
    await change(db, "UPDATE decisions SET state = 'done'")
    await tick.prune(services)
    async with db.read() as session:
        assert await session.value("SELECT count(*) FROM checkpoints") == 0
        assert await session.value("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == 0
        assert await session.value("SELECT count(*) FROM procrastinate_workers") == 0
