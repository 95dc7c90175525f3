"""A real PostgreSQL for every test that wants one: a migrated template made once per test process, cloned for each test.

The server is RECOUP_TEST_DATABASE_URL (a role that may create databases and roles), or our own embedded one in a temporary
folder. Names are unique, so any number of test runs can share a server.
"""

import os
import secrets
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from memory.database import Database
from memory.migrate import migrate

APP_ROLE = "recoup_test_app"
ROLE_LOCK = 0x5EC0_0002


def database_url_of(server_url: str, name: str, role: str | None = None) -> str:
    """The URL of one database on the server, for its own role or for ``role`` (whose password is its name)."""
    parts = {key: str(value) for key, value in conninfo_to_dict(server_url).items()}
    user, password, host = parts.pop("user"), parts.pop("password", None), parts.pop("host", "127.0.0.1")
    parts.pop("dbname", None)
    user, password = (role, role) if role else (user, password)
    login = quote(user) + (f":{quote(password, safe='')}" if password else "")
    return f"postgresql://{login}@/{name}?{urlencode({'host': host, **parts})}"


def execute(server_url: str, statement: LiteralString, *names: str) -> None:
    """One statement outside a transaction, with identifiers put in."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A superuser's URL of the test server."""
    given = os.environ.get("RECOUP_TEST_DATABASE_URL")
    if given:
        yield given
        return
    from memory.embedded import running

    # Parallel test processes share one server: their base folders have the same parent.
    home = Path(tmp_path_factory.getbasetemp()) / "embedded"
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = tmp_path_factory.getbasetemp().parent / "embedded"
    with running(home) as urls:
        url = urls.superuser
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            execute(url, "ALTER SYSTEM SET {} = off", setting)
        execute(url, "SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
async def template(server_url: str) -> AsyncGenerator[str]:
    """The name of a migrated database that nobody is connected to."""
    _ensure_app_role(server_url)
    name = f"recoup_template_{os.getpid()}_{secrets.token_hex(4)}"
    execute(server_url, "CREATE DATABASE {}", name)
    try:
        await migrate(database_url_of(server_url, name), APP_ROLE)
        yield name
    finally:
        execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database_name(server_url: str, template: str) -> Generator[str]:
    """A fresh migrated database, dropped at the end."""
    name = f"recoup_test_{os.getpid()}_{secrets.token_hex(4)}"
    execute(server_url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield name
    finally:
        execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database_url(server_url: str, database_name: str) -> str:
    """The test's own database, for the application role: grants bind as they do in production."""
    return database_url_of(server_url, database_name, APP_ROLE)


@pytest.fixture
def owner_url(server_url: str, database_name: str) -> str:
    """The test's own database, for the role that owns the tables: for planting what the application may not do."""
    return database_url_of(server_url, database_name)


@pytest.fixture
async def db(database_url: str) -> AsyncGenerator[Database]:
    """An open pool on the test's own database."""
    database = Database(database_url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def _ensure_app_role(server_url: str) -> None:
    with psycopg.connect(server_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (ROLE_LOCK,))
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (APP_ROLE,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(APP_ROLE), sql.Literal(APP_ROLE)))
