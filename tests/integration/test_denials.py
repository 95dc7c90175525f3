"""A charge that a rule forbids, wherever it was stopped: the case and the audit name the rule and who made it."""

from datetime import timedelta

from api.case_file import read_case_file
from api.cli.case_text import case_text
from api.jobs import decide, execute
from graph.bootstrap import Services
from memory.database import Database
from memory.outbox import ActionState
from recoup.clock import FixedClock
from recoup.invoice import DeclineCodes
from tests.deciding import actions_of, rows, set_policy
from tests.factories import NOW, attempt_snapshot, make_reading
from tests.fakes import FakeBilling, make_services
from tests.scenes import absorb_reading, open_case

NEVER = "(rule never-code; Recoup: our reading of what processors, networks and schemes publish; where they disagree, the strictest)"
HOUSE = "(rule hours-between-attempts; policy: house.hours_between_attempts)"


async def test_what_the_plan_does_not_propose_names_its_rule(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"')
    lost = make_reading(attempts=(attempt_snapshot(codes=DeclineCodes(processor="stripe", decline_code="lost_card")),))
    case_id = await absorb_reading(services, lost)
    assert case_id is not None
    await decide.run(services, case_id)
    assert NEVER in await shown(services, case_id)
    assert NEVER in await audited(db, "decision")


async def test_what_the_gate_denies_names_its_rule(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"\n[house]\nhours_between_attempts = 72')
    facts = await open_case(services)
    next_day = make_services(db, clock=FixedClock(NOW + timedelta(days=1)))
    await decide.run(next_day, facts.case.id)
    [denied] = [action for action in await actions_of(db, facts.case.id) if action.state is ActionState.DENIED]
    assert HOUSE in (denied.state_reason or "")
    assert HOUSE in await shown(next_day, facts.case.id)
    assert HOUSE in await audited(db, "action")


async def test_what_the_executor_stops_at_the_last_moment_names_its_rule(db: Database) -> None:
    services = make_services(db, billing=FakeBilling())
    await set_policy(services, 'mode = "auto"')
    facts = await open_case(services)
    next_day = make_services(db, billing=FakeBilling(), clock=FixedClock(NOW + timedelta(days=1)))
    await decide.run(next_day, facts.case.id)
    [charge] = [action for action in await actions_of(db, facts.case.id) if action.state is ActionState.READY and action.risk == "charge"]
    async with db.write() as tx:
        await tx.run(
            """UPDATE attempts SET category = 'never',
                      snapshot = jsonb_set(snapshot, '{codes}', '{"processor": "stripe", "decline_code": "lost_card"}')"""
        )
    await execute.run(next_day, charge.id)
    assert NEVER in await shown(next_day, facts.case.id)
    assert NEVER in await audited(db, "action")


async def shown(services: Services, case_id: str) -> str:
    """What ``recoup cases show`` prints."""
    return "\n".join(case_text(await read_case_file(services, case_id)))


async def audited(db: Database, kind: str) -> str:
    """All that the audit tells of such rows."""
    return " ".join(body for of, body in await rows(db, "SELECT kind, body FROM audit_log") if of == kind)
