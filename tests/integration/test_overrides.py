"""A person lifts a house rule for one case."""

import pytest

from api.answers import override_rule
from api.jobs import decide
from memory.database import Database
from memory.outbox import ActionState
from recoup.errors import Forbidden, Malformed, NotFound
from recoup.people import Person, Role
from tests.deciding import (
    ADA,
    CY,
    actions_of,
    asked,
    decisions_of,
    rows,
    set_policy,
)
from tests.fakes import make_services
from tests.scenes import absorb_reading


async def test_a_house_rule_is_lifted_with_a_reason_and_decided_again(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"\n[house]\nmessages_per_week = 0')
    case_id = await absorb_reading(services)
    assert case_id is not None
    await decide.run(services, case_id)
    assert [a.state for a in await actions_of(db, case_id)] == [ActionState.DENIED]

    await override_rule(services, CY, case_id, "messages-per-week", "the customer asked for it")
    await decide.run(services, case_id)

    assert [a.state for a in await actions_of(db, case_id)] == [ActionState.DENIED, ActionState.READY]
    assert (await decisions_of(db, case_id))[-1].trigger == "rule_overridden"
    [(body,)] = await rows(db, "SELECT body FROM audit_log WHERE actor = 'cy'")
    assert "the customer asked for it" in body


async def test_only_house_rules_are_lifted_and_only_with_a_reason(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    with pytest.raises(Forbidden, match="absolute"):
        await override_rule(services, ADA, approval.case_id, "case-closed", "please")
    with pytest.raises(Malformed, match="no rule"):
        await override_rule(services, ADA, approval.case_id, "gravity", "please")
    with pytest.raises(Malformed, match="why"):
        await override_rule(services, ADA, approval.case_id, "messages-per-week", " ")
    with pytest.raises(NotFound):
        await override_rule(services, ADA, "case_none", "messages-per-week", "please")
    with pytest.raises(Forbidden):
        await override_rule(services, Person(name="eve", role=Role.VIEWER), approval.case_id, "messages-per-week", "please")
