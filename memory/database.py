"""One pool, two kinds of session: ``Read`` sees one consistent snapshot, ``Write`` is one transaction that commits in one place."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from memory import audit
from memory.nudge import Nudge
from recoup.errors import DatabaseUnavailable, Malformed
from recoup.record import Record

RowT = TypeVar("RowT", bound=Record)
Params = Mapping[str, Any] | Sequence[Any] | None

POOL_WAIT_SECONDS = 5.0
# The driver's own refusal, and the server's: character not in repertoire, untranslatable character.
UNSTORABLE = frozenset({None, "22021", "22P05"})


class Read:
    """A session that only reads."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.connection = connection

    async def all(self, row: type[RowT], sql: LiteralString, params: Params = None) -> list[RowT]:
        """All rows as ``row``; the columns must be its fields."""
        async with self.connection.cursor(row_factory=class_row(row)) as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchall()

    async def one(self, row: type[RowT], sql: LiteralString, params: Params = None) -> RowT | None:
        """The first row as ``row``, or None."""
        async with self.connection.cursor(row_factory=class_row(row)) as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchone()

    async def dicts(self, sql: LiteralString, params: Params = None) -> list[dict[str, Any]]:
        """All rows as dictionaries, where a type of its own would say nothing more."""
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchall()

    async def value(self, sql: LiteralString, params: Params = None) -> Any:
        """The first column of the first row, or None."""
        async with self.connection.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchone()


class Write(Read):
    """One transaction. Everything in it commits together, or nothing does.

    ``journal`` holds its audit entries until just before the commit, ``woken`` the jobs whose workers are nudged just after it.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        super().__init__(connection)
        self.journal: list[audit.Entry] = []
        self.woken: set[str] = set()

    async def run(self, sql: LiteralString, params: Params = None) -> int:
        """Executes and gives the number of rows touched."""
        async with self.connection.cursor() as cursor:
            await cursor.execute(sql, params)
            return cursor.rowcount

    async def run_many(self, sql: LiteralString, rows: Sequence[Params]) -> None:
        """Executes once for each of ``rows``, in one pipeline."""
        async with self.connection.cursor() as cursor:
            await cursor.executemany(sql, [row or {} for row in rows])


class Database:
    """The pool. ``url`` is a PostgreSQL connection string of the application role."""

    def __init__(self, url: str, *, min_size: int = 1, max_size: int = 10) -> None:
        self.url = url
        self._nudge = Nudge()
        self.pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
            url,
            min_size=min_size,
            max_size=max_size,
            open=False,
            timeout=POOL_WAIT_SECONDS,
            # Autocommit, so that one statement is one round trip; transactions are opened explicitly below.
            kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 3, "options": "-c timezone=UTC"},
        )

    async def open(self) -> None:
        """Opens the pool; raises DatabaseUnavailable where nothing answers."""
        with _translated():
            await self.pool.open(wait=True, timeout=POOL_WAIT_SECONDS)

    async def close(self) -> None:
        """Closes the pool and its connections."""
        await self.pool.close()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Read]:
        """A session whose statements each see what is committed when they start."""
        with _translated():
            async with self.pool.connection() as connection:
                yield Read(connection)

    @asynccontextmanager
    async def statement(self) -> AsyncGenerator[Write]:
        """A session whose statements are each a transaction: one round trip where one statement says it all. It writes no audit entry."""
        with _translated():
            async with self.pool.connection() as connection:
                tx = Write(connection)
                yield tx
                if tx.woken:
                    await self._nudge.send(connection, tx.woken)

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Write]:
        """A transaction that commits when the block ends and rolls back when it raises.

        A lost connection during the commit leaves it unknown whether it happened: callers repeat work that is idempotent by its keys.
        """
        with _translated():
            async with self.pool.connection() as connection:
                tx = Write(connection)
                async with connection.transaction():
                    yield tx
                    await audit.write(tx, tx.journal)
                if tx.woken:
                    await self._nudge.send(connection, tx.woken)


class _translated:  # noqa: N801 - reads as a phrase: with _translated()
    """Turns the driver's words for "the server is away" into DatabaseUnavailable, and for "no such text" into Malformed."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PoolTimeout | psycopg.errors.AdminShutdown | psycopg.errors.CannotConnectNow):
            raise DatabaseUnavailable("PostgreSQL does not answer; start it, or check RECOUP_DATABASE_URL") from error
        if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
            raise DatabaseUnavailable("the connection to PostgreSQL was lost; it is tried again") from error
        if isinstance(error, UnicodeEncodeError) or (isinstance(error, psycopg.DataError) and error.sqlstate in UNSTORABLE):
            raise Malformed("a text holds what cannot be stored: a NUL character, or half of a surrogate pair") from error
