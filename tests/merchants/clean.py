"""A migrated database made as new again for the next history: a clone of the template for each would cost more than the history."""

from typing import Any

import psycopg
from psycopg import sql

# What a migration writes; of the policy and its chain the first row of each.
KEPT = frozenset({"alembic_version", "checkpoint_migrations"})
FIRST_ROWS = {"policies": "version > 1", "audit_log": "chain <> 'policy' OR n > 1"}
REFERENCES = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid"
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"


class CleanSlate:
    """Made while the database is fresh, by the role that owns its tables; the schema stays as the product has it."""

    def __init__(self, owner_url: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(owner_url, autocommit=True)
        self._heads = self._connection.execute("SELECT chain, n, hash FROM audit_heads").fetchall()
        tables = [name for (name,) in self._connection.execute(TABLES) if name not in KEPT]
        referring: dict[str, set[str]] = {}
        for table, referred in self._connection.execute(REFERENCES):
            referring.setdefault(referred, set()).add(table)
        self._order = _referring_first(tables, referring)

    def wipe(self) -> None:
        """Deletes what came since."""
        with self._connection.transaction():
            # The log is insert-only for good reason; who owns it can still begin a new world.
            self._connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
            for table in self._order:
                rest = sql.SQL(f" WHERE {FIRST_ROWS[table]}" if table in FIRST_ROWS else "")  # type: ignore[arg-type]
                self._connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) + rest)
            self._connection.cursor().executemany("INSERT INTO audit_heads (chain, n, hash) VALUES (%s, %s, %s)", self._heads)
            self._connection.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")

    def close(self) -> None:
        """Ends its connection."""
        self._connection.close()


def _referring_first(tables: list[str], referring: dict[str, set[str]]) -> list[str]:
    """So that nothing is deleted that something else still refers to."""
    done: list[str] = []
    while len(done) < len(tables):
        done += [table for table in tables if table not in done and referring.get(table, set()) <= set(done)]
    return done
