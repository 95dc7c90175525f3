"""Wall time for a stage whose time is the double's: what rests on the wall is made older by what went by there."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import LiteralString, cast

from memory.database import Database
from recoup.clock import wall_now
from tests.vendors.chassis import Site

# Keys are given up long before they end: so little of their life may be left out of account.
OFTEN_ENOUGH = timedelta(minutes=1)
LONG_AGO = timedelta(minutes=5)
COLUMNS: LiteralString = """
SELECT c.relname AS name, array_agg(a.attname::text) AS columns
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname IN ('lease_until', 'woken_at', 'next_try_at')
 GROUP BY 1 ORDER BY 1
"""
FORGET: dict[str, str] = {
    "lease_until": "lease_until = NULL",
    # An action without a next try waits for a person, and goes on doing so.
    "woken_at": "woken_at = CASE WHEN woken_at > %(past)s THEN %(past)s ELSE woken_at END",
    "next_try_at": "next_try_at = CASE WHEN next_try_at > %(past)s THEN %(past)s ELSE next_try_at END",
}
CONCERNED: dict[str, str] = {
    "lease_until": "lease_until IS NOT NULL",
    "woken_at": "woken_at > %(recent)s",
    "next_try_at": "next_try_at > %(recent)s",
}


class Aging:
    """``catch_up`` after the double's clock has moved. The lives of keys are the only times that anybody reads later: ``undone`` shows
    them as they were written."""

    def __init__(self, db: Database, double: Site) -> None:
        self._db, self._double = db, double
        self._reached = double.clock.now()
        self._leases: LiteralString = "SELECT 1"
        self._written: dict[str, datetime] = {}

    async def begin(self) -> None:
        """Finds every table that has leases and wake-ups."""
        async with self._db.read() as session:
            tables = await session.dicts(COLUMNS)
        updates = [_update(table["name"], table["columns"]) for table in tables]
        parts = [f"t{number} AS ({update})" for number, update in enumerate(updates)]
        self._leases = cast("LiteralString", f"WITH {', '.join(parts)} SELECT 1")

    async def catch_up(self) -> None:
        """Keys of what may still be sent again have as much less of their life as time went by."""
        passed = self._double.clock.now() - self._reached
        if passed < OFTEN_ENOUGH:
            return
        self._reached += passed
        async with self._db.statement() as session:
            rows = await session.dicts(
                "UPDATE actions SET key_valid_until = key_valid_until - %(passed)s"
                " WHERE key_valid_until IS NOT NULL AND finished_at IS NULL RETURNING id, key_valid_until + %(passed)s AS written",
                {"passed": passed},
            )
        for row in rows:
            self._written.setdefault(row["id"], row["written"])

    async def let_leases_run_out(self) -> None:
        """Nobody holds anything any more, pauses are over, and the last wake-up was long ago."""
        wall = wall_now()
        async with self._db.statement() as session:
            await session.dicts(self._leases, {"past": wall - LONG_AGO, "recent": wall - LONG_AGO / 2})

    @asynccontextmanager
    async def undone(self) -> AsyncGenerator[None]:
        """While the block lasts keys live for as long as they were given."""
        async with self._db.read() as session:
            rows = await session.dicts("SELECT id, key_valid_until FROM actions WHERE id = ANY(%s)", (list(self._written),))
        await self._set(self._written)
        try:
            yield
        finally:
            await self._set({row["id"]: row["key_valid_until"] for row in rows})

    async def _set(self, lives: dict[str, datetime]) -> None:
        async with self._db.write() as tx:
            await tx.run_many("UPDATE actions SET key_valid_until = %s WHERE id = %s", [(at, row) for row, at in lives.items()])


def _update(table: str, columns: list[str]) -> str:
    known = [column for column in FORGET if column in columns]
    changes, concerned = ", ".join(FORGET[name] for name in known), " OR ".join(CONCERNED[name] for name in known)
    return f"UPDATE {table} SET {changes} WHERE {concerned} RETURNING 1"
