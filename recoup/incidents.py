"""Systemic failures that people look at now, as the agents may know them: what kind, since when, never whose."""

from datetime import datetime
from typing import Protocol

from recoup.record import Record


class Incident(Record):
    """An open one. ``kind`` is a word such as ``processor_down``."""

    id: str
    kind: str
    since: datetime


class IncidentSource(Protocol):
    """Tells what is wrong beyond a single case."""

    async def open_incidents(self, connection: str) -> tuple[Incident, ...]:
        """Those of one connection that nobody has closed, newest first, at most ten."""
        ...
