"""One command brings a database up to date: our rows, the queue's, the checkpointer's, and the rights of the application role."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from memory import audit
from memory.database import Database, Read
from recoup.clock import wall_now
from recoup.digest import digest
from recoup.errors import DatabaseUnavailable, Misconfigured
from recoup.policy import default_policy_text, parse_policy

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_KEY = 0x5EC0_0001
LOCK_POLL_SECONDS = 0.1

# The first slows every commit down (see nudge.py); the others keep a history of jobs, and our rows tell what happened.
NEEDLESS_TRIGGERS = (
    "procrastinate_jobs_notify_queue_job_inserted_v1",
    "procrastinate_trigger_status_events_insert_v1",
    "procrastinate_trigger_status_events_update_v1",
    "procrastinate_trigger_scheduled_events_v1",
)

GRANTS: tuple[LiteralString, ...] = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    # The audit log grows only through audit_append, which runs with its owner's rights.
    "REVOKE INSERT, UPDATE, DELETE ON audit_log, audit_heads, alembic_version FROM {role}",
    "REVOKE EXECUTE ON FUNCTION audit_append, count_history FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION audit_append, count_history TO {role}",
)


async def migrate(owner_url: str, app_role: str) -> None:
    """Brings the database at ``owner_url`` up to date, however often it is called and from however many processes at once.

    ``app_role`` is the role that Recoup runs as; it must exist. Where it is the owner itself, grants bind nobody (``doctor`` says so).
    Raises DatabaseUnavailable, or Misconfigured where the role is missing.
    """
    async with _locked(owner_url) as connection:
        await asyncio.to_thread(_run_alembic, owner_url)
        await _queue_schema(connection)
        await _checkpoint_schema(connection)
        await _grant(connection, app_role)
        await _first_policy(owner_url)


async def pending_migrations(session: Read) -> str:
    """What ``migrate`` still has to do, in words; empty where nothing is left."""
    if await session.value("SELECT to_regclass('alembic_version')") is None:
        return "the database is empty"
    found = await session.value("SELECT version_num FROM alembic_version")
    newest = max(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    missing = [name for name in ("procrastinate_jobs", "checkpoints") if await session.value("SELECT to_regclass(%s)", (name,)) is None]
    return "; ".join([f"revision {found} is older than {newest}"] * (found != newest) + [f"no table {name}" for name in missing])


@asynccontextmanager
async def _locked(owner_url: str) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
    try:
        connection = await psycopg.AsyncConnection.connect(owner_url, autocommit=True)
    except psycopg.OperationalError as exc:
        raise DatabaseUnavailable(f"PostgreSQL does not answer the migrating role: {exc}") from exc
    async with connection:
        # Polled, not awaited in SQL: a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that snapshot.
        while not await _scalar(connection, "SELECT pg_try_advisory_lock(%s)", LOCK_KEY):  # noqa: ASYNC110
            await asyncio.sleep(LOCK_POLL_SECONDS)
        yield connection


def _run_alembic(owner_url: str) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # pg_temp last, or a temporary table could stand in for the audit log inside the SECURITY DEFINER function.
    options = "-c search_path=public,pg_temp"
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(owner_url, options=options), poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


async def _queue_schema(connection: psycopg.AsyncConnection[Any]) -> None:
    from procrastinate.schema import SchemaManager

    if await _scalar(connection, "SELECT to_regclass('procrastinate_jobs')") is None:
        async with connection.transaction():
            await connection.execute(SchemaManager.get_schema())
    for trigger in NEEDLESS_TRIGGERS:
        await connection.execute(sql.SQL("ALTER TABLE procrastinate_jobs DISABLE TRIGGER {}").format(sql.Identifier(trigger)))


async def _checkpoint_schema(connection: psycopg.AsyncConnection[Any]) -> None:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg.rows import dict_row

    plain = connection.row_factory
    connection.row_factory = dict_row
    try:
        await AsyncPostgresSaver(connection).setup()
    finally:
        connection.row_factory = plain


async def _grant(connection: psycopg.AsyncConnection[Any], app_role: str) -> None:
    if await _scalar(connection, "SELECT current_user") == app_role:
        return
    if await _scalar(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", app_role) is None:
        raise Misconfigured(f"the database has no role {app_role!r}; CREATE ROLE it, or name another in RECOUP_DATABASE_URL")
    async with connection.transaction():
        for grant in GRANTS:
            await connection.execute(sql.SQL(grant).format(role=sql.Identifier(app_role)))


async def _first_policy(owner_url: str) -> None:
    text = default_policy_text()
    parse_policy(text)
    now = wall_now()
    database = Database(owner_url, max_size=1)
    await database.open()
    try:
        async with database.write() as tx:
            added = await tx.run(
                "INSERT INTO policies (version, text, digest, created_by, note, created_at)"
                " SELECT 1, %s, %s, 'recoup', 'the default policy', %s WHERE NOT EXISTS (SELECT FROM policies)",
                (text, digest(text), now),
            )
            if added:
                await audit.append(tx, chain="policy", subject="1", kind="policy", state="in_force", actor="recoup", at=now)
    finally:
        await database.close()


async def _scalar(connection: psycopg.AsyncConnection[Any], query: LiteralString, *params: object) -> Any:
    row = await (await connection.execute(query, params or None)).fetchone()
    return row[0] if row else None
