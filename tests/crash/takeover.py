"""How long the work of a worker that died lies about: from the kill to the moment at which every row that it held is done."""

import asyncio
import time

from memory.database import Database
from recoup.record import Record

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 60.0


class Held(Record):
    """A row that somebody holds."""

    kind: str
    id: str


HELD = """
WITH held AS (
    SELECT 'event' AS kind, id, lease_until FROM inbox WHERE status = 'accepted'
    UNION ALL SELECT 'case', id, lease_until FROM cases
    UNION ALL SELECT 'action', id, lease_until FROM actions WHERE state IN ('ready', 'started', 'unknown')
)
SELECT kind, id FROM held WHERE lease_until > clock_timestamp()
"""
# Done: nobody needs to do anything with it now. An action that is put off, or left to a person, has been dealt with.
UNDONE = """
SELECT 'event' AS kind, id FROM inbox WHERE status = 'accepted' AND id = ANY (%(ids)s)
UNION ALL SELECT 'case', id FROM cases WHERE id = ANY (%(ids)s) AND lease_until IS NOT NULL
UNION ALL SELECT 'action', id FROM actions WHERE id = ANY (%(ids)s) AND (state = 'started' OR lease_until IS NOT NULL)
"""


async def takeover_seconds(db: Database, killed_at: float) -> float:
    """How many seconds after the monotonic instant ``killed_at`` the last of the rows that were held just after it was done."""
    async with db.read() as session:
        ids = [row.id for row in await session.all(Held, HELD)]
    while True:
        async with db.read() as session:
            undone = await session.all(Held, UNDONE, {"ids": ids})
        seconds = time.monotonic() - killed_at
        if not undone or seconds > PATIENCE_SECONDS:
            return seconds
        await asyncio.sleep(POLL_SECONDS)
