"""Making the decision that a case wants: what it leaves in the rows, and what a crash, a fault or a faster worker leaves."""

import contextlib
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from api.jobs import decide
from api.jobs.advance import Ended, begin
from api.jobs.commit import commit_decision
from graph.bootstrap import Services
from graph.state import RecoveryState, start_on
from memory import cases, deciding, decisions
from memory.checkpoints import PooledSaver
from memory.database import Database
from memory.decisions import DecisionState, Stamp
from memory.outbox import ActionState
from recoup.actions import ActionName
from recoup.clock import FixedClock
from tests.deciding import (
    Killed,
    MortalDatabase,
    actions_of,
    asked,
    audit_agrees,
    decisions_of,
    holder_died,
    question,
    rows,
    set_policy,
    with_faults,
    with_saver,
)
from tests.factories import NOW, attempt_snapshot
from tests.fakes import make_services
from tests.scenes import open_case

# How often a run that pauses writes to the checkpointer.
WRITES_OF_A_RUN = 2


async def pending_timers(db: Database, case_id: str) -> dict[str, Any]:
    """When each kind of pending timer is due."""
    pending = await rows(db, "SELECT kind, due_at FROM timers WHERE case_id = %s AND state = 'pending'", case_id)
    return {str(kind): due_at for kind, due_at in pending}


async def jobs(db: Database, job: str) -> set[str]:
    """The rows that workers were told to look at."""
    found = await rows(db, "SELECT args ->> 'row_id' FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo'", job)
    return {row_id for (row_id,) in found}


async def want(services: Services, case_id: str, because: str = "news") -> None:
    """Something new happened to the case."""
    async with services.db.write() as tx:
        await cases.want_decision(tx, case_id, because)


async def one_decision_counts(db: Database, case_id: str) -> None:
    """One live decision, all others superseded, and actions of that one only."""
    made = await decisions_of(db, case_id)
    assert [d.state for d in made if d.state is not DecisionState.SUPERSEDED] == [DecisionState.WAITING]
    assert {a.decision_id for a in await actions_of(db, case_id)} == {made[-1].id}
    assert (await question(db, case_id)).decision_id == made[-1].id
    await audit_agrees(db)


async def test_a_decision_that_asks_waits_with_an_approval(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)

    [decision] = await decisions_of(db, approval.case_id)
    [action] = await actions_of(db, approval.case_id)
    assert (decision.state, decision.trigger, decision.route) == (DecisionState.WAITING, "attempt_failed", "prioritize")
    assert decision.facts_digest == decision.facts.digest()
    assert (action.state, action.approval_id) == (ActionState.WAITING, approval.id)
    assert approval.request.action_ids == (action.id,)
    assert (await pending_timers(db, approval.case_id))["expire_approval"] == approval.expires_at == NOW + timedelta(hours=72)
    assert await rows(db, "SELECT 1 FROM reservations") == []
    async with db.read() as session:
        case = await cases.get(session, approval.case_id)
    assert not case.needs_decision
    await audit_agrees(db)


async def test_what_may_run_is_reserved_planned_and_woken(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"')
    facts = await open_case(services)

    await decide.run(services, facts.case.id)

    [action] = await actions_of(db, facts.case.id)
    [decision] = await decisions_of(db, facts.case.id)
    assert (action.state, decision.state) == (ActionState.READY, DecisionState.DONE)
    assert await rows(db, "SELECT action_id, kind, scope, state FROM reservations") == [
        (action.id, "contact", facts.account.id, "reserved")
    ]
    assert await rows(db, "SELECT action_id, step, state FROM messages") == [(action.id, 0, "planned")]
    assert await jobs(db, "execute") == {action.id}
    assert "decide" in await pending_timers(db, facts.case.id)
    await audit_agrees(db)


async def test_shadow_mode_only_writes_down(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "shadow"')
    facts = await open_case(services)

    await decide.run(services, facts.case.id)

    assert [action.state for action in await actions_of(db, facts.case.id)] == [ActionState.SHADOWED]
    assert await rows(db, "SELECT 1 FROM reservations UNION ALL SELECT 1 FROM messages UNION ALL SELECT 1 FROM approvals") == []
    assert await jobs(db, "execute") == set()


async def test_a_denial_that_time_cures_becomes_a_timer(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"\n[house]\nhours_between_attempts = 72')
    facts = await open_case(services)
    next_day = make_services(db, clock=FixedClock(NOW + timedelta(days=1)))

    await decide.run(next_day, facts.case.id)

    [retry] = [action for action in await actions_of(db, facts.case.id) if action.name is ActionName.RETRY_PAYMENT]
    assert (retry.state, retry.verdict.rules[0].rule) == (ActionState.DENIED, "hours-between-attempts")
    assert retry.verdict.not_before == attempt_snapshot().occurred_at + timedelta(hours=72)
    assert (await pending_timers(db, facts.case.id))["decide"] == retry.verdict.not_before
    assert ("hours-between-attempts",) in await rows(db, "SELECT denied_rule FROM actions")


async def test_a_case_whose_agents_plan_nothing_is_looked_at_the_next_day(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"')
    facts = await open_case(services)
    async with db.write() as tx:
        lease = await deciding.take(tx, facts.case.id)
        assert lease is not None
        stamp = Stamp(policy_version=1, flow_version="test", prompts_digest="test")
        assert await decisions.start(tx, "dec_1", facts=facts, stamp=stamp, trigger=lease.trigger)
    run = await begin(services.graph, "dec_1", start_on(facts, *await services.policies.current()))

    await commit_decision(services, lease, "dec_1", Ended(run.state | RecoveryState(wake=None)), NOW)

    assert (await pending_timers(db, facts.case.id))["decide"] == NOW + timedelta(days=1)


async def test_nothing_is_decided_that_nobody_wants(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await decide.run(services, approval.case_id)
    assert len(await decisions_of(db, approval.case_id)) == 1


async def test_a_newer_decision_supersedes_the_one_that_waits(db: Database) -> None:
    services = make_services(db)
    first = await asked(services)
    await want(services, first.case_id)

    await decide.run(services, first.case_id)

    [old, new] = await decisions_of(db, first.case_id)
    assert (old.state, new.state, new.trigger) == (DecisionState.SUPERSEDED, DecisionState.WAITING, "news")
    assert await rows(db, "SELECT status, void_reason FROM approvals WHERE id = %s", first.id) == [
        ("void", "superseded by a newer decision")
    ]
    assert [action.state for action in await actions_of(db, first.case_id)] == [ActionState.VOID, ActionState.WAITING]
    kinds = await rows(db, "SELECT kind FROM timers WHERE state = 'pending' ORDER BY kind")
    assert kinds == [("decide",), ("end_case",), ("expire_approval",)]
    await audit_agrees(db)


async def test_news_while_it_decides_make_it_start_again(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    slow, saver = with_faults(services)
    saver.meanwhile = lambda: want(services, facts.case.id, "dispute_opened")

    await decide.run(slow, facts.case.id)

    assert [d.trigger for d in await decisions_of(db, facts.case.id)] == ["attempt_failed", "dispute_opened"]
    await one_decision_counts(db, facts.case.id)


async def test_a_holder_that_lost_its_lease_leaves_nothing_behind(db: Database) -> None:
    services = make_services(db)
    facts = await open_case(services)
    slow, saver = with_faults(services)

    async def another_worker_takes_over() -> None:
        await holder_died(db, facts.case.id)
        await decide.run(services, facts.case.id)

    saver.meanwhile = another_worker_takes_over
    await decide.run(slow, facts.case.id)

    assert len(await decisions_of(db, facts.case.id)) == 2
    await one_decision_counts(db, facts.case.id)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_may_die_around_any_transaction(db: Database, database_url: str, moment: str) -> None:
    mortal = MortalDatabase(database_url)
    await mortal.open()
    try:
        services = make_services(db)
        facts = await open_case(services)
        dying = make_services(mortal)
        for transaction in range(1, 6):
            await want(services, facts.case.id)
            mortal.writes, mortal.dies_at = 0, (transaction, moment)
            try:
                await decide.run(dying, facts.case.id)
            except Killed:
                await holder_died(db, facts.case.id)
            else:
                assert transaction > 2, "a decision has two transactions"
                break
            await decide.run(services, facts.case.id)
            made = await decisions_of(db, facts.case.id)
            assert [d.state for d in made if d.state is not DecisionState.SUPERSEDED] == [DecisionState.WAITING]
            waiting = [a for a in await actions_of(db, facts.case.id) if a.state is ActionState.WAITING]
            assert {a.decision_id for a in waiting} == {made[-1].id}
            await audit_agrees(db)
    finally:
        await mortal.close()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", range(WRITES_OF_A_RUN + 1))
async def test_a_checkpoint_that_fails_to_be_written_neither_loses_nor_doubles(db: Database, place: int, moment: str) -> None:
    services, saver = with_faults(make_services(db))
    facts = await open_case(services)
    saver.plan = lambda write: moment if write == place else None

    for _ in range(3):
        with contextlib.suppress(ConnectionError):
            await decide.run(services, facts.case.id)

    assert saver.faults == (1 if place < WRITES_OF_A_RUN else 0)
    await one_decision_counts(db, facts.case.id)


async def test_failing_to_decide_is_counted_and_in_the_end_given_up(db: Database) -> None:
    services, saver = with_faults(make_services(db))
    facts = await open_case(services)
    saver.plan = lambda _: "before"

    for failures in range(1, deciding.MAX_TRIES + 1):
        with pytest.raises(ConnectionError):
            await decide.run(services, facts.case.id)
        told = await rows(db, "SELECT decide_attempts, needs_decision, woken_at > clock_timestamp() FROM cases")
        assert told == [(failures, True, True)], "it rests before the next try"
    assert await rows(db, "SELECT decide_error FROM cases") == [("ConnectionError",)]

    saver.plan = lambda _: None
    await decide.run(services, facts.case.id)
    assert await rows(db, "SELECT 1 FROM approvals") == [], "what is dead rests until somebody asks"

    await want(services, facts.case.id, "asked for by ada")
    await decide.run(services, facts.case.id)
    await one_decision_counts(db, facts.case.id)


@pytest.mark.parametrize("mode", ["approve", "auto"])
async def test_a_decision_costs_few_statements(db: Database, database_url: str, mode: str) -> None:
    class Counting(psycopg.AsyncCursor[Any]):
        statements: list[str] = []

        async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            Counting.statements.append(str(query))
            return await super().execute(query, *args, **kwargs)

        async def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
            Counting.statements += [str(query)] * len(params_seq)
            await super().executemany(query, params_seq, **kwargs)

    counted = Database(database_url)
    counted.pool.kwargs = {"autocommit": True, "cursor_factory": Counting}
    await counted.open()
    try:
        services = with_saver(make_services(counted), PooledSaver.over(db.pool))
        await set_policy(services, f'mode = "{mode}"')
        facts = await open_case(services)
        await services.policies.current()
        Counting.statements.clear()

        await decide.run(services, facts.case.id)

        assert len(await actions_of(db, facts.case.id)) == 1
        assert len(Counting.statements) <= 15, "\n".join(Counting.statements)
    finally:
        await counted.close()
