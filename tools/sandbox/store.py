"""The sandbox's own durable memory: one SQLite file that a kill -9 cannot hurt, rows as typed values, no ORM."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from recoup.record import Record

RowT = TypeVar("RowT", bound=Record)


class Store:
    """One connection. Every change happens inside ``transaction()``, which is on the disk when it ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The server is one thread of asyncio, but tests open a store in one thread and use it in another.
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(files("tools.sandbox").joinpath("schema.sql").read_text(encoding="utf-8"))

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing, durable at the end."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def run(self, sql: str, params: Sequence[object] = ()) -> int:
        """Executes and gives the number of rows touched."""
        return self._connection.execute(sql, params).rowcount

    def all(self, row: type[RowT], sql: str, params: Sequence[object] = ()) -> list[RowT]:
        """All rows as ``row``; the columns must be its fields."""
        return [row.model_validate(dict(found)) for found in self._connection.execute(sql, params)]

    def one(self, row: type[RowT], sql: str, params: Sequence[object] = ()) -> RowT | None:
        """The first row as ``row``, or None."""
        found = self._connection.execute(sql, params).fetchone()
        return None if found is None else row.model_validate(dict(found))

    def value(self, sql: str, params: Sequence[object] = ()) -> Any:
        """The first column of the first row, or None."""
        found = self._connection.execute(sql, params).fetchone()
        return None if found is None else found[0]


def stamp(at: datetime) -> str:
    """An instant as text that sorts by time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
