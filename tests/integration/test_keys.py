"""A key opens the door for one named person until it is revoked, and the database does not hold it."""

import pytest

from memory import keys
from memory.database import Database
from recoup.errors import Conflict, NotFound
from recoup.people import Person, Role
from tests.factories import NOW


async def make(db: Database, role: Role = Role.APPROVER) -> tuple[str, str]:
    async with db.write() as tx:
        key, row = await keys.create(tx, person="ada", role=role, by="admin", at=NOW)
    return key, row.id


async def who(db: Database, key: str) -> Person | None:
    async with db.read() as session:
        return await keys.verify(session, key)


async def test_a_key_names_its_person_and_role(db: Database) -> None:
    key, _ = await make(db)
    assert key.startswith("rk_")
    assert len(key) > 40
    assert await who(db, key) == Person(name="ada", role=Role.APPROVER)
    assert await who(db, key + "x") is None


async def test_the_key_itself_is_nowhere_in_the_database(db: Database) -> None:
    key, _ = await make(db)
    async with db.read() as session:
        assert key[3:] not in str(await session.dicts("SELECT * FROM api_keys"))
        assert key[3:] not in str(await session.dicts("SELECT * FROM audit_log"))


async def test_a_revoked_key_is_refused_at_once_and_revoked_once(db: Database) -> None:
    key, key_id = await make(db)
    async with db.write() as tx:
        await keys.revoke(tx, key_id, by="admin", at=NOW)
    assert await who(db, key) is None
    with pytest.raises(Conflict):
        async with db.write() as tx:
            await keys.revoke(tx, key_id, by="admin", at=NOW)
    with pytest.raises(NotFound):
        async with db.write() as tx:
            await keys.revoke(tx, "key_none", by="admin", at=NOW)


async def test_the_first_key_is_made_once_and_does_not_rise_again(db: Database) -> None:
    for _ in range(2):
        async with db.write() as tx:
            await keys.ensure_admin(tx, person="root", key="given-by-the-environment", at=NOW)
    assert await who(db, "given-by-the-environment") == Person(name="root", role=Role.ADMIN)
    async with db.write() as tx:
        [row] = await keys.all_keys(tx)
        await keys.revoke(tx, row.id, by="root", at=NOW)
        await keys.ensure_admin(tx, person="root", key="given-by-the-environment", at=NOW)
    assert await who(db, "given-by-the-environment") is None
