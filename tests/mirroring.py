"""Brings a case to where there is something to note on its platform, and looks at what was noted."""

from dataclasses import replace
from typing import Any

from api.jobs import decide, execute, mirror
from api.jobs.absorb import hold_case
from graph.bootstrap import Services
from memory import cases
from memory.database import Database
from memory.outbox import ActionState
from recoup.case import Hold
from recoup.mirror import MirrorNote
from tests.deciding import ADA, rows, set_policy
from tests.factories import NOW, make_connection
from tests.fakes import FakeBilling, make_services
from tests.scenes import a_retry, action_of, change, commit, open_case

AUTO = 'mode = "auto"'


def mirroring(db: Database, billing: FakeBilling, **changes: Any) -> Services:
    """Services whose connection has its mirror on, unless it is changed."""
    connection = make_connection(**({"mirror": True} | changes))
    return replace(make_services(db, billing=billing), connections={connection.name: connection})


async def decided(services: Services, policy: str | None = None) -> str:
    """A case with one decision; gives its id."""
    if policy is not None:
        await set_policy(services, policy)
    facts = await open_case(services)
    await decide.run(services, facts.case.id)
    return facts.case.id


async def decided_again(services: Services, case_id: str) -> None:
    async with services.db.write() as tx:
        await cases.want_decision(tx, case_id, "a test")
    await decide.run(services, case_id)


async def shown(services: Services, case_id: str) -> None:
    """Time passes and the job runs."""
    await change(services.db, "UPDATE mirrors SET next_try_at = now(), lease_until = NULL")
    await mirror.run(services, case_id)


async def told(db: Database) -> list[tuple[Any, ...]]:
    """Every row: its state, how often it was tried in vain, and why."""
    return await rows(db, "SELECT state, attempts, error FROM mirrors ORDER BY id")


async def hold(services: Services, case_id: str) -> None:
    await hold_case(services, ADA, case_id, Hold.PERSON, "Ada Lovelace is on the telephone")


async def charged(services: Services) -> str:
    """A case whose charge was made as the outbox makes it; gives the case's id."""
    await set_policy(services, AUTO)
    facts = await open_case(services)
    await decide.run(services, facts.case.id)
    action_id = await commit_retry(services, facts.case.id)
    await execute.run(services, action_id)
    assert (await action_of(services.db, action_id)).state is ActionState.DONE
    return facts.case.id


async def commit_retry(services: Services, case_id: str) -> str:
    facts = await services.facts.load(case_id, NOW)
    return await commit(services, facts, a_retry(facts))


async def newest(billing: FakeBilling) -> MirrorNote:
    return billing.notes[-1]
