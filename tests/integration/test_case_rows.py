"""What hangs on a case moves with it: approvals, actions, reservations, messages, timers, the lease; and people's holds."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from api.jobs.absorb import absorb, hold_case, release_case
from graph.bootstrap import Services
from memory import cases, timers
from memory.database import Database
from recoup.case import CaseStatus, Fact, FactKind, Hold
from recoup.clock import FixedClock
from recoup.errors import Conflict
from recoup.events import EventKind
from recoup.invoice import AttemptStatus
from recoup.people import Person, Role
from tests.factories import NOW, account_snapshot, invoice_snapshot
from tests.integration.world import World, attempt, event, failed, later, paid

GRACE = Person(name="grace", role=Role.OPERATOR)

# A decision that waits for a person about one message, while its retry was already let go and reserved its room.
PENDING = (
    """
    INSERT INTO decisions (id, case_id, case_version, policy_version, flow_version, prompts_digest, trigger, state, facts, facts_digest,
        created_at, woken_at)
    SELECT 'dec_1', id, version, 1, '1', '', 'attempt_failed', 'waiting', '{}', '', opened_at, opened_at FROM cases
    """,
    """
    INSERT INTO approvals (id, decision_id, case_id, digest, request, action_ids, interrupt_id, interrupt_digest, status, created_at,
        expires_at)
    SELECT 'apr_1', 'dec_1', id, 'd', '{}', '{act_asked}', 'i', 'd', 'pending', opened_at, opened_at + interval '3 days' FROM cases
    """,
    """
    INSERT INTO actions (id, decision_id, case_id, account_id, position, name, risk, args, args_digest, reason, evidence, confidence,
        verdict, state, created_at, woken_at)
    SELECT a.id, 'dec_1', c.id, c.account_id, a.n, a.name, a.risk, '{}', '', '', '{}', 1, '{}', a.state, c.opened_at, c.opened_at
    FROM cases c, (VALUES ('act_asked', 1, 'send_message', 'contact', 'waiting'), ('act_ready', 2, 'retry_payment', 'charge', 'ready'),
        ('act_sent', 3, 'retry_payment', 'charge', 'started')) AS a (id, n, name, risk, state)
    """,
    """
    INSERT INTO reservations (id, action_id, kind, scope, case_id, state, at)
    SELECT r.id, r.action, 'attempt', 'fp_1', c.id, 'reserved', c.opened_at
    FROM cases c, (VALUES ('rsv_ready', 'act_ready'), ('rsv_sent', 'act_sent')) AS r (id, action)
    """,
    """
    INSERT INTO messages (id, action_id, case_id, account_id, step, channel, template, locale, invoice_ids, state, created_at)
    SELECT 'msg_1', 'act_asked', id, account_id, 1, 'email', 'payment_failed', 'en', '{}', 'planned', opened_at FROM cases
    """,
)
STATES = """
SELECT 'decision' AS row, state FROM decisions UNION ALL SELECT 'approval', status FROM approvals UNION ALL SELECT id, state FROM actions
UNION ALL SELECT id, state FROM reservations UNION ALL SELECT 'message', state FROM messages
UNION ALL SELECT 'timer ' || kind, state FROM timers
"""


@pytest.fixture
async def world(db: Database) -> World:
    """A case with a live decision and everything that waits for it."""
    world = World(db)
    await world.tell(failed())
    case = await world.case()
    async with db.write() as tx:
        for statement in PENDING:
            await tx.run(statement)
        await timers.set_timer(
            tx,
            case_id=case.id,
            approval_id="apr_1",
            kind="expire_approval",
            due_at=NOW + timedelta(days=3),
            reason="nobody answered",
            at=NOW,
        )
        await timers.set_timer(tx, case_id=case.id, kind="decide", due_at=NOW + timedelta(days=1), reason="the next step", at=NOW)
    return world


async def states(world: World) -> dict[object, object]:
    return {row[0]: row[1] for row in await world.rows(STATES)}


VOIDED = {
    "decision": "superseded",
    "approval": "void",
    "act_asked": "void",
    "act_ready": "void",
    "act_sent": "started",
    "rsv_ready": "released",
    "rsv_sent": "reserved",
    "message": "void",
    "timer expire_approval": "cancelled",
}


async def test_payment_during_a_pending_approval_voids_it_and_all_that_waits(world: World) -> None:
    await world.tell(paid())
    assert await states(world) == VOIDED | {"timer end_case": "cancelled", "timer decide": "cancelled"}


async def test_a_partial_payment_voids_what_was_planned_and_keeps_the_case_s_time(world: World) -> None:
    await world.tell(paid(amount=900))
    assert await states(world) == VOIDED | {"timer end_case": "pending", "timer decide": "pending"}


async def test_an_attempt_in_flight_voids_what_was_planned_and_asks_for_no_decision(world: World) -> None:
    async with world.db.write() as tx:
        await tx.run("UPDATE cases SET needs_decision = false")
    in_flight = attempt("ch_ach", AttemptStatus.PROCESSING, later(hours=2))
    await world.tell(event(EventKind.PAYMENT_PROCESSING, later(hours=2), invoice=invoice_snapshot(), attempts=(in_flight,)))
    assert (await states(world))["act_ready"] == "void"
    assert not (await world.case()).needs_decision


async def test_an_opt_out_voids_what_waits_to_be_sent(world: World) -> None:
    await world.tell(event(EventKind.OPTED_OUT, later(hours=2), account=account_snapshot()))
    assert await states(world) == VOIDED | {"timer end_case": "pending", "timer decide": "pending"}


async def test_the_same_reading_again_voids_nothing(world: World) -> None:
    before = await states(world)
    await world.tell(failed())
    assert await states(world) == before


async def test_a_person_holds_a_case_and_releases_it(world: World) -> None:
    services = cast("Services", SimpleNamespace(db=world.db, clock=FixedClock(NOW)))
    case = await world.case()
    await hold_case(services, GRACE, case.id, Hold.PERSON, "they called")
    held = await world.case()
    assert held.holds == (Hold.PERSON,)
    assert (await states(world))["act_ready"] == "void"
    await release_case(services, GRACE, case.id, "sorted out")
    released = await world.case()
    assert (released.holds, released.wanted_because) == ((), "hold_released")
    told = await world.rows("SELECT actor, body::jsonb #>> '{data,why}' FROM audit_log WHERE kind = 'case' AND actor = 'grace' ORDER BY n")
    assert told == [("grace", "they called"), ("grace", "sorted out")]


async def test_an_ended_case_cannot_be_held(world: World) -> None:
    services = cast("Services", SimpleNamespace(db=world.db, clock=FixedClock(NOW)))
    await world.tell(paid())
    with pytest.raises(Conflict, match="is recovered"):
        await hold_case(services, GRACE, (await world.case()).id, Hold.PERSON, "too late")


async def test_the_last_day_ends_the_case(world: World) -> None:
    await world.tell_case((await world.case()).id, Fact(kind=FactKind.TIME_OVER))
    assert (await world.case()).status is CaseStatus.EXPIRED


async def test_a_lease_is_one_worker_s_and_its_token_grows(world: World) -> None:
    case_id = (await world.case()).id
    async with world.db.write() as tx:
        first = await cases.take_lease(tx, case_id)
        assert first is not None
        assert await cases.take_lease(tx, case_id) is None
        assert await cases.renew_lease(tx, case_id, first.token)
    async with world.db.write() as tx:
        await tx.run("UPDATE cases SET lease_until = clock_timestamp() - interval '1 second'")
        second = await cases.take_lease(tx, case_id)
        assert second is not None
        assert second.token > first.token
        assert not await cases.renew_lease(tx, case_id, first.token)
        await cases.release_lease(tx, case_id, first.token)
        assert await cases.take_lease(tx, case_id) is None


async def test_cases_are_listed_by_priority_page_by_page(db: Database) -> None:
    world = World(db)
    for number, amount in enumerate([500, 90000, 4900]):
        name = f"in_{number}"
        snapshot = invoice_snapshot(vendor_id=name, total_minor=amount, due_minor=amount, remaining_minor=amount)
        await world.tell(failed(f"ch_{number}").model_copy(update={"invoice": snapshot}))
    expected = [(await world.case(name)).id for name in ("in_1", "in_2", "in_0")]
    async with db.read() as session:
        first = await cases.page(session, limit=2)
        rest = await cases.page(session, limit=2, after=first[-1].id)
        none = await cases.page(session, status=CaseStatus.RECOVERED)
    assert [case.id for case in first + rest] == expected
    assert none == []


async def test_many_workers_tell_the_same_history_at_once_and_it_ends_the_same(db: Database) -> None:
    worlds = [World(db) for _ in range(6)]
    history = [failed(), failed("ch_2", later(hours=2)), paid()]
    await asyncio.gather(*(world.tell(*history) for world in worlds))
    assert [case.status for case in await worlds[0].episodes()] in ([CaseStatus.RECOVERED], [])
    assert len(await worlds[0].rows("SELECT id FROM attempts")) == 3
    assert await worlds[0].rows("SELECT id FROM timers WHERE state = 'pending'") == []


async def test_a_timer_of_a_busy_account_waits_for_the_next_tick(world: World) -> None:
    due = NOW + timedelta(days=2)
    async with world.db.write() as intake_tx:
        await absorb(intake_tx, world.connection, world.policy, paid(), NOW)
        async with world.db.write() as tick_tx:
            assert await timers.fire_due(tick_tx, due) == []
    async with world.db.write() as tx:
        assert await timers.fire_due(tx, due) == []
    assert (await states(world))["timer decide"] == "cancelled"
