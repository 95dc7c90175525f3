"""A database comes up to date from anything, and the application role can do what it must and no more."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from memory import audit
from memory.database import Database
from memory.migrate import migrate
from recoup.errors import Misconfigured
from tests.conftest import APP_ROLE


async def test_migrating_twice_at_once_and_again_changes_nothing(owner_url: str, db: Database) -> None:
    await asyncio.gather(migrate(owner_url, APP_ROLE), migrate(owner_url, APP_ROLE))
    async with db.read() as session:
        assert await session.dicts("SELECT version, created_by FROM policies") == [{"version": 1, "created_by": "recoup"}]
        assert await session.dicts("SELECT chain, state FROM audit_log") == [{"chain": "policy", "state": "in_force"}]


async def test_a_missing_role_is_named(owner_url: str) -> None:
    with pytest.raises(Misconfigured, match="no role 'nobody_made_me'"):
        await migrate(owner_url, "nobody_made_me")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET state = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_heads VALUES ('x', 1, '')",
        "UPDATE audit_heads SET n = 0",
        "DELETE FROM alembic_version",
        "DROP TABLE audit_log",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
    ],
)
async def test_the_application_may_not_touch_the_audit_log(db: Database, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with db.pool.connection() as connection:
            await connection.execute(statement.encode())


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET state = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
async def test_the_owner_is_stopped_by_the_trigger(owner_url: str, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(owner_url) as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="insert-only"):
            await connection.execute(statement.encode())


async def test_a_temporary_table_cannot_stand_in_for_the_audit_log(db: Database) -> None:
    async with db.write() as tx:
        await tx.run("CREATE TEMP TABLE audit_log (LIKE public.audit_log) ON COMMIT DROP")
        await tx.run("CREATE TEMP TABLE audit_heads (LIKE public.audit_heads) ON COMMIT DROP")
        await audit.append(tx, chain="keys", subject="key_1", kind="key", state="made", actor="ada", at=datetime.now(UTC))
    async with db.read() as session:
        assert await session.value("SELECT count(*) FROM public.audit_log WHERE chain = 'keys'") == 1
