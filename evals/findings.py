"""What a check of an invariant is given and what it answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString

from evals.ledgers import MailLedger, PlatformLedger
from memory.database import Params, Read


@dataclass(frozen=True)
class Finding:
    """One violation: which row, and what is wrong with it, free of personal data."""

    subject: str
    problem: str


@dataclass
class Result:
    """What one check saw. ``notes`` say what could not be looked at, and why."""

    examined: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])
    notes: list[str] = field(default_factory=list[str])

    def add(self, subject: str, problem: str) -> None:
        """Notes a violation."""
        self.findings.append(Finding(subject, problem))


@dataclass(frozen=True)
class Scope:
    """What a check may look at. ``wall``: the machine's time at the start; ``patience_seconds``: how long things may be on their way."""

    session: Read
    platforms: dict[str, PlatformLedger]
    mail: MailLedger | None
    wall: datetime
    patience_seconds: float

    async def count(self, sql: LiteralString, params: Params = None) -> int:
        """A number from one statement."""
        return int(await self.session.value(sql, params) or 0)

    async def collect(self, result: Result, sql: LiteralString, params: Params = None) -> None:
        """Adds a violation for every row (subject, problem) of the statement."""
        for row in await self.session.dicts(sql, params):
            result.add(str(row["subject"]), str(row["problem"]))


Check = Callable[[Scope, Result], Awaitable[None]]
