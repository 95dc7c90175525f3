"""The versions of the policy as the checks read them: from the stored text itself, without the code that Recoup reads it with."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from memory.database import Read

# Who reads the policy just before a new version is committed acts on the old one just after.
CROSSING = timedelta(seconds=60)


@dataclass(frozen=True)
class PolicyText:
    """One version, in force from ``since`` until ``until``; what the text leaves out has the value of the documentation."""

    version: int
    since: datetime
    until: datetime | None
    content: Mapping[str, Any]

    def value(self, table: str, key: str, default: Any) -> Any:
        """One key of one table."""
        return self.content.get(table, {}).get(key, default)

    @property
    def mode(self) -> str:
        """The mode where no cohort takes a case."""
        return self.content.get("mode", "approve")

    @property
    def cohorts(self) -> list[dict[str, Any]]:
        """The cohorts, in their order."""
        return self.content.get("cohorts", [])

    @property
    def reading_seconds(self) -> float:
        """How old a reading may be when something starts."""
        return float(self.value("freshness", "reading_seconds", 300))

    @property
    def four_eyes(self) -> bool:
        """Whether who edits may not approve."""
        return bool(self.value("approvals", "four_eyes", False))

    def hours(self, country: str | None) -> tuple[time, time]:
        """From when (included) until when (excluded) customers there may be written to, by their own clock."""
        own = self.value("house", "contact_hours_by_country", {"IN": {"start": time(9), "end": time(21)}})
        hours = own.get(country or "", self.value("house", "contact_hours", {"start": time(8), "end": time(21)}))
        return _time(hours["start"]), _time(hours["end"])


@dataclass(frozen=True)
class PolicyHistory:
    """Every version, oldest first. The first is taken to have been in force before all else."""

    versions: tuple[PolicyText, ...]

    def version(self, number: int) -> PolicyText:
        """One version."""
        return next(version for version in self.versions if version.version == number)

    def around(self, at: datetime) -> tuple[PolicyText, ...]:
        """What was in force at that moment; two versions where one was just replacing the other."""
        found = tuple(v for v in self.versions if v.since <= at and (v.until is None or v.until + CROSSING > at))
        return found or self.versions[:1]


async def read_policies(session: Read) -> PolicyHistory:
    """All stored versions."""
    rows = await session.dicts("SELECT version, text, created_at FROM policies ORDER BY version")
    ends = [*(row["created_at"] for row in rows[1:]), None]
    return PolicyHistory(
        tuple(
            PolicyText(row["version"], row["created_at"], until, tomllib.loads(row["text"])) for row, until in zip(rows, ends, strict=True)
        )
    )


def _time(value: object) -> time:
    return value if isinstance(value, time) else time.fromisoformat(str(value))
