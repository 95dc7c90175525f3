"""What a check of an invariant is given and what it answers."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

from psycopg.rows import dict_row
from psycopg.sql import Composed

from evals.ledgers import MailLedger, PlatformLedger
from evals.policy_history import PolicyHistory
from memory.database import Params, Read

MOST_KEPT = 200
ROWS_AT_ONCE = 2000


@dataclass(frozen=True)
class Finding:
    """One violation: which row, and what is wrong with it, free of personal data."""

    subject: str
    problem: str


@dataclass
class Result:
    """What one check saw. ``found`` counts all violations, ``findings`` holds the first of them. ``notes``: what could not be looked at."""

    examined: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])
    notes: list[str] = field(default_factory=list[str])

    def add(self, subject: str, problem: str) -> None:
        """Notes a violation."""
        self.found += 1
        if len(self.findings) < MOST_KEPT:
            self.findings.append(Finding(subject, problem))


@dataclass(frozen=True)
class Scope:
    """What a check may look at, all of it at one moment: one snapshot of the database, and ledgers that are a little older.

    ``wall``: the machine's time at the start; ``patience_seconds``: how long things may be on their way; ``logs``: files to read too.
    """

    session: Read
    platforms: dict[str, PlatformLedger]
    mail: MailLedger | None
    policies: PolicyHistory
    wall: datetime
    patience_seconds: float
    logs: tuple[Path, ...] = ()

    @property
    def all_is_done(self) -> bool:
        """Whether the caller says that nothing is on its way any more."""
        return self.patience_seconds == 0

    async def count(self, sql: LiteralString, params: Params = None) -> int:
        """A number from one statement."""
        return int(await self.session.value(sql, params) or 0)

    async def collect(self, result: Result, sql: LiteralString, params: Params = None) -> None:
        """Adds a violation for every row (subject, problem) of the statement."""
        async for row in self.stream(sql, params):
            result.add(str(row["subject"]), str(row["problem"]))

    async def stream(self, sql: LiteralString | Composed, params: Params = None) -> AsyncGenerator[dict[str, Any]]:
        """The statement's rows, a few thousand at a time: a check must not need the memory of a whole table."""
        async with self.session.connection.cursor(name="look", row_factory=dict_row) as cursor:
            cursor.itersize = ROWS_AT_ONCE
            await cursor.execute(sql, params)
            async for row in cursor:
                yield row


Check = Callable[[Scope, Result], Awaitable[None]]
