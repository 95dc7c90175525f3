"""The bench's PostgreSQL: durable as in production, a fresh migrated database for each measurement."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from memory.database import Database
from memory.migrate import migrate

APP_ROLE = "recoup_bench_app"
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Urls:
    """One database: ``app`` for Recoup at work, ``owner`` for what only a benchmark does."""

    app: str
    owner: str


@dataclass(frozen=True)
class Server:
    """``url`` is a superuser's; ``template`` a migrated database that nobody is connected to."""

    url: str
    template: str

    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Urls]:
        """A migrated, empty database, dropped at the end."""
        name = f"recoup_bench_{secrets.token_hex(6)}"
        await asyncio.to_thread(self.execute, "CREATE DATABASE {} TEMPLATE {}", name, self.template)
        try:
            yield Urls(app=self.url_of(name, APP_ROLE), owner=self.url_of(name))
        finally:
            await asyncio.to_thread(self.execute, "DROP DATABASE {} WITH (FORCE)", name)

    def url_of(self, name: str, role: str | None = None) -> str:
        """A database of the server, for the superuser or for a role whose password is its name."""
        parts = {key: str(value) for key, value in conninfo_to_dict(self.url).items() if key != "dbname"}
        user, password = parts.pop("user"), parts.pop("password", None)
        user, password = (role, role) if role else (user, password)
        login = quote(user) + (f":{quote(password, safe='')}" if password else "")
        return f"postgresql://{login}@/{name}?{urlencode(parts)}"

    def execute(self, statement: LiteralString, *names: str) -> None:
        """One statement outside a transaction, with identifiers put in."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def make_role(self) -> None:
        """The role that the measured processes run as: grants bind them as in production."""
        with psycopg.connect(self.url) as connection:
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (APP_ROLE,)).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(APP_ROLE), sql.Literal(APP_ROLE)))


@asynccontextmanager
async def server(home: Path) -> AsyncGenerator[Server]:
    """RECOUP_TEST_DATABASE_URL (a superuser's), else our own embedded one under ``home``, with the template made."""
    given = os.environ.get("RECOUP_TEST_DATABASE_URL")
    if given:
        async with _prepared(given) as postgres:
            yield postgres
        return
    from memory.embedded import running
    from memory.embedded.files import files_of, is_held

    embedded = running(home)
    urls = await asyncio.to_thread(embedded.__enter__)
    try:
        async with _prepared(urls.superuser) as postgres:
            yield postgres
    finally:
        await asyncio.to_thread(embedded.__exit__, None, None, None)
        # Without clients it stops by itself; the folder can go only then.
        async with asyncio.timeout(STOP_SECONDS):
            while is_held(files_of(home).supervisor_lock):  # noqa: ASYNC110 - another process has it
                await asyncio.sleep(0.1)


@asynccontextmanager
async def _prepared(url: str) -> AsyncGenerator[Server]:
    postgres = Server(url, f"recoup_bench_template_{secrets.token_hex(6)}")
    postgres.make_role()
    postgres.execute("CREATE DATABASE {}", postgres.template)
    try:
        await migrate(postgres.url_of(postgres.template), APP_ROLE)
        yield postgres
    finally:
        postgres.execute("DROP DATABASE {} WITH (FORCE)", postgres.template)


@asynccontextmanager
async def opened(url: str, *, max_size: int = 10) -> AsyncGenerator[Database]:
    """A pool as Recoup itself has it."""
    database = Database(url, max_size=max_size)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def connected(url: str):
    """A plain connection that commits each statement."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
