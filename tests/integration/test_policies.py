"""Policies are versions: none is ever lost, only a valid one comes into force, and the audit tells who changed what."""

import asyncio
from typing import Any, NamedTuple

import pytest

from api.policy_change import set_policy
from memory import policies
from memory.database import Database
from memory.policies import StoredPolicies
from recoup.clock import Clock, FixedClock
from recoup.errors import Forbidden, Misconfigured, NotFound
from recoup.people import Person, Role
from recoup.policy import Mode, Policy, default_policy_text
from tests.factories import NOW


class Installation(NamedTuple):
    """What changing the policy takes."""

    db: Database
    clock: Clock


HYBRID = 'mode = "hybrid"\n# asked by Grace'


async def put(db: Database, text: str, by: str = "grace", note: str = "trying it") -> policies.PolicyRow:
    async with db.write() as tx:
        return await policies.save(tx, text, by=by, note=note, at=NOW)


async def audited(db: Database) -> list[dict[str, Any]]:
    async with db.read() as session:
        return await session.dicts(
            "SELECT subject, state, actor, body::json -> 'data' AS data FROM audit_log WHERE chain = 'policy' ORDER BY n"
        )


async def test_a_new_installation_starts_with_the_default(db: Database) -> None:
    async with db.read() as session:
        row = await policies.newest(session)
    assert (row.version, row.text) == (1, default_policy_text())
    assert await StoredPolicies(db).current() == (1, Policy())


async def test_a_new_version_comes_into_force_at_once_and_the_old_one_stays(db: Database) -> None:
    source = StoredPolicies(db)
    await source.current()
    row = await put(db, HYBRID)
    version, policy = await source.current()
    assert (row.version, version, policy.mode) == (2, 2, Mode.HYBRID)
    assert (await source.version(1)).mode is Mode.APPROVE


async def test_the_text_is_kept_as_the_person_wrote_it(db: Database) -> None:
    await put(db, HYBRID)
    async with db.read() as session:
        rows = await policies.all_versions(session)
    assert [(row.version, row.created_by, row.note) for row in rows] == [(2, "grace", "trying it"), (1, "recoup", "the default policy")]
    assert rows[0].text == HYBRID


async def test_the_audit_tells_who_changed_which_keys(db: Database) -> None:
    row = await put(db, HYBRID)
    entry = (await audited(db))[-1]
    assert (entry["subject"], entry["state"], entry["actor"]) == ("2", "in_force", "grace")
    assert entry["data"] == {"digest": row.digest, "changed": ["mode"]}


async def test_a_policy_that_is_not_valid_changes_nothing(db: Database) -> None:
    with pytest.raises(Misconfigured, match="mode"):
        await put(db, 'mode = "bold"')
    assert (await StoredPolicies(db).current())[0] == 1
    assert len(await audited(db)) == 1


async def test_setting_the_text_in_force_again_makes_no_version(db: Database) -> None:
    first, second = await put(db, HYBRID), await put(db, HYBRID)
    assert first == second


async def test_two_people_at_once_get_two_versions(db: Database) -> None:
    rows = await asyncio.gather(*(put(db, f"holdout_share = 0.{n}", by=f"person-{n}") for n in range(1, 6)))
    assert sorted(row.version for row in rows) == [2, 3, 4, 5, 6]


async def test_a_version_that_never_was_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound, match="99"):
        await StoredPolicies(db).version(99)


async def test_an_administrator_changes_the_policy_and_nobody_else(db: Database) -> None:
    services = Installation(db, FixedClock(NOW))
    for role in (Role.VIEWER, Role.APPROVER, Role.OPERATOR):
        with pytest.raises(Forbidden, match="admin"):
            await set_policy(services, Person(name="eve", role=role), HYBRID, "because")
    row = await set_policy(services, Person(name="grace", role=Role.ADMIN), HYBRID, "because")
    assert (row.version, row.created_by, row.created_at) == (2, "grace", NOW)
