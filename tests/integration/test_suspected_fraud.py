"""Suspected fraud, through real rows: nothing goes out, one person is asked once, and what they answer counts."""

from datetime import timedelta

from api.jobs import decide, execute
from graph.bootstrap import Services
from memory import cases, tasks
from memory.approvals import ApprovalStatus
from memory.database import Database
from memory.outbox import ActionState
from recoup.actions import ActionName
from recoup.clock import FixedClock
from recoup.invoice import DeclineCodes
from tests.deciding import actions_of, decisions_of, question, set_policy
from tests.factories import NOW, attempt_snapshot, make_reading
from tests.fakes import make_services
from tests.scenes import absorb_reading

FRAUDULENT = make_reading(attempts=(attempt_snapshot(codes=DeclineCodes(processor="stripe", decline_code="fraudulent")),))


async def test_it_waits_for_a_person_and_goes_on_asking_once_they_have_looked(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"')
    case_id = await absorb_reading(services, FRAUDULENT)
    assert case_id is not None
    await decide.run(services, case_id)
    [task] = await actions_of(db, case_id)
    assert (task.name, task.args["queue"], task.state) == (ActionName.CREATE_TASK, "fraud", ActionState.READY)
    await execute.run(services, task.id)

    services = make_services(db, clock=FixedClock(NOW + timedelta(days=1)))
    await decide_again(db, case_id, services)
    assert len(await actions_of(db, case_id)) == 1

    async with db.write() as tx:
        [asked] = await tasks.page(tx, case_id=case_id)
        await tasks.done(tx, asked.id, person="ada", at=NOW + timedelta(days=1))
    facts = await services.facts.load(case_id, NOW + timedelta(days=1))
    assert facts.actions[0].settled_at == NOW + timedelta(days=1)
    await decide_again(db, case_id, services)
    assert [d.route for d in await decisions_of(db, case_id)] == ["handle_exception", "handle_exception", "prioritize"]
    assert [(a.name, a.state) for a in (await actions_of(db, case_id))[1:]] == [(ActionName.REQUEST_METHOD_UPDATE, ActionState.WAITING)]
    assert (await question(db, case_id)).status is ApprovalStatus.PENDING


async def decide_again(db: Database, case_id: str, services: Services) -> None:
    """The next look at the case."""
    async with db.write() as tx:
        await cases.want_decision(tx, case_id, "a new look")
    await decide.run(services, case_id)
