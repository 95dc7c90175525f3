"""The drift report of a connection, as the HTTP API and the command show it: what webhooks had lost, and how late it was found."""

from collections.abc import Mapping
from datetime import datetime

from memory import drift, reconciliations
from memory.database import Database
from memory.drift import DriftLine
from recoup.errors import NotFound
from recoup.record import Record
from recoup.settings import Connection


class Drift(Record):
    """``looked_at``: the platform had told everything up to then; None where it has not yet. ``told_from``: everything since then; what
    changed before is left to a backfill. ``due_at``: when it is asked next, None where it never is. ``last_error``: why it cannot be
    asked. ``missed``: all that was found by asking alone."""

    connection: str
    looked_at: datetime | None
    told_from: datetime | None
    due_at: datetime | None
    last_error: str | None
    missed: int
    kinds: tuple[DriftLine, ...]


async def drift_of(db: Database, connections: Mapping[str, Connection], name: str) -> Drift:
    """Raises NotFound where there is no such connection and never was."""
    async with db.read() as session:
        state = await reconciliations.get(session, name)
        if state is None and name not in connections:
            raise NotFound(f"there is no connection {name!r}; there are: {', '.join(connections) or 'none'}")
        kinds = await drift.lines(session, name)
    return Drift(
        connection=name,
        looked_at=state.looked_at if state else None,
        told_from=state.told_from if state else None,
        due_at=state.due_at if state else None,
        last_error=state.last_error if state else None,
        missed=sum(line.missed for line in kinds),
        kinds=tuple(kinds),
    )
