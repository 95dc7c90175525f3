"""Events that name a charge, an intent or a subscription which no row has yet: they are read again when one does, so none is lost.

Both sides lock the vendor's id before they look: the event that finds nothing, and the reading that brings what it waits for.
"""

from collections.abc import Sequence

from memory import queue
from memory.database import Read, Write


async def lock(tx: Write, connection: str, refs: Sequence[str]) -> None:
    """Holds these vendor ids until the transaction ends. Taken after the account's lock; who holds these takes no account's any more."""
    for ref in sorted(set(refs)):
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"awaiting:{connection}:{ref}",))


async def remember(tx: Write, connection: str, refs: Sequence[str], event_id: str) -> None:
    """The event waits until a row with one of these vendor ids appears. The caller holds their lock."""
    await tx.run_many(
        "INSERT INTO inbox_awaiting (connection, ref, event_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [(connection, ref, event_id) for ref in sorted(set(refs))],
    )


async def knows(session: Read, connection: str, refs: Sequence[str]) -> bool:
    """Whether some event waits for each of these vendor ids."""
    waiting = await session.value(
        "SELECT count(DISTINCT ref) FROM inbox_awaiting WHERE connection = %s AND ref = ANY(%s)", (connection, list(refs))
    )
    return waiting == len(set(refs))


async def wake(tx: Write, connection: str, refs: Sequence[str]) -> list[str]:
    """Lets the events be read again that waited for these vendor ids, which now have rows. The caller holds their lock."""
    rows = await tx.dicts(
        """
        WITH due AS (DELETE FROM inbox_awaiting WHERE connection = %s AND ref = ANY(%s) RETURNING event_id)
        UPDATE inbox SET status = 'accepted', reason = NULL, attempts = 0, last_error = NULL, finished_at = NULL, lease_until = NULL,
            woken_at = clock_timestamp()
        WHERE id IN (SELECT event_id FROM due) AND status <> 'accepted' RETURNING id
        """,
        (connection, list(refs)),
    )
    event_ids = sorted(row["id"] for row in rows)
    for event_id in event_ids:
        await queue.wake(tx, "intake", event_id)
    return event_ids
