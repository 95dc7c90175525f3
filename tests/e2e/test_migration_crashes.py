"""A migration that is killed anywhere is simply run again: the database is whole, and the second run finds what is left to do."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from api.demo.processes import Program
from evals.invariants import check
from memory.database import Database
from memory.migrate import pending_migrations
from tests.conftest import APP_ROLE, database_url_of, execute
from tests.crash.points import DATABASE, Point, When
from tests.crash.protocols import postgres
from tests.crash.scene import connect
from tests.crash.storm import Storm
from tests.crash.wires import Wire

MIGRATE = "migrate"
PATIENCE_SECONDS = 120.0
POINTS = tuple(
    Point(name, DATABASE, says, when, MIGRATE, before=before)
    for name, says, when, before in (
        ("while the tables are made", r"CREATE TABLE audit_log", When.PASSED, ""),
        ("before the tables are committed", r"^COMMIT", When.NOT_PASSED, r"alembic_version"),
        ("after the tables are committed", r"^COMMIT", When.ANSWERED, r"INSERT INTO alembic_version"),
        ("while the queue is made", r"CREATE TABLE procrastinate_jobs", When.PASSED, ""),
        ("after the queue is committed", r"^COMMIT", When.ANSWERED, r"CREATE TABLE procrastinate_jobs"),
        ("between two checkpoint migrations", r"INSERT INTO checkpoint_migrations", When.NOT_PASSED, ""),
        ("before the rights are granted", r"REVOKE INSERT, UPDATE, DELETE ON audit_log", When.NOT_PASSED, ""),
        ("before the first policy stands", r"^COMMIT", When.NOT_PASSED, r"INSERT INTO policies"),
    )
)


@pytest.fixture
def empty_database(server_url: str, template: str) -> Generator[str]:
    """The owner's URL of a database with nothing in it; the template brings the application's role into being."""
    name = f"recoup_test_{token_hex(6)}"
    execute(server_url, "CREATE DATABASE {}", name)
    try:
        yield database_url_of(server_url, name)
    finally:
        execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
async def migration(empty_database: str, server_url: str, tmp_path: Path) -> AsyncGenerator[tuple[Program, Storm]]:
    """``recoup migrate``, which reaches the database through a wire."""
    parts = conninfo_to_dict(empty_database)
    host, port = str(parts.get("host", "127.0.0.1")), int(parts.get("port") or 5432)
    programs: dict[str, Program] = {}
    storm = Storm(tmp_path, Database(empty_database), programs)
    target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else port
    async with Wire(DATABASE, MIGRATE, postgres, partial(connect, target), storm).open() as wire:
        login = quote(str(parts["user"])) + (f":{quote(str(parts['password']))}" if parts.get("password") else "")

        def url(who: str) -> str:
            return f"postgresql://{who}@127.0.0.1:{wire.port}/{parts['dbname']}?sslmode=disable&gssencmode=disable"

        environment = {"RECOUP_HOME": str(tmp_path), "RECOUP_MIGRATE_URL": url(login), "RECOUP_DATABASE_URL": url(f"{APP_ROLE}:{APP_ROLE}")}
        programs[MIGRATE] = Program(MIGRATE, (MIGRATE,), environment, tmp_path / "migrate.log")
        yield programs[MIGRATE], storm


async def _run(program: Program) -> None:
    """Until it ends, one way or the other."""
    program.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while program.is_running:  # noqa: ASYNC110 - what is awaited is a process
            await asyncio.sleep(0.05)


async def test_a_migration_killed_anywhere_is_completed_by_the_next(migration: tuple[Program, Storm], empty_database: str) -> None:
    program, storm = migration
    storm.arm(POINTS)
    for _ in POINTS:
        await _run(program)
    assert [point.name for point in storm.armed] == []
    await _run(program)
    assert program.last_words() == "The database is up to date."
    db = Database(empty_database)
    await db.open()
    async with db.read() as session:
        assert await pending_migrations(session) == ""
        assert await session.value("SELECT count(*) FROM policies") == 1
        assert await session.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    assert (await check(db, {}, None, patience_seconds=0)).holds
    await db.close()
    with psycopg.connect(empty_database) as owner:
        granted = owner.execute("SELECT has_table_privilege(%s, 'audit_log', 'DELETE')", (APP_ROLE,)).fetchone()
    assert granted == (False,)
