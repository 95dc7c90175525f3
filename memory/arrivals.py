"""Which webhooks of a connection came in, and which was turned away last: the sight of its set-up that is only ours."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from memory.database import Read, Write
from recoup.record import Record

Why = Literal["missing", "wrong", "too old", "mode"]


class RefusedWebhook(Record):
    """One that was turned away. ``why``: what was wrong with its signature, or that it is of the other mode. No part of it is kept."""

    why: Why
    detail: str
    refused_at: datetime


class ArrivedWebhook(Record):
    """One that was kept."""

    event_type: str
    received_at: datetime


async def note_refused(tx: Write, connection: str, refused: RefusedWebhook) -> None:
    """Remembers it as the newest of the connection."""
    await tx.run(
        """
        INSERT INTO refused_webhooks (connection, why, detail, refused_at)
        VALUES (%(connection)s, %(why)s, %(detail)s, %(refused_at)s)
        ON CONFLICT (connection) DO UPDATE SET why = excluded.why, detail = excluded.detail, refused_at = excluded.refused_at
        """,
        refused.model_dump() | {"connection": connection},
    )


async def newest_refused(session: Read, connection: str) -> RefusedWebhook | None:
    """The newest that was turned away; None where none was."""
    return await session.one(RefusedWebhook, "SELECT why, detail, refused_at FROM refused_webhooks WHERE connection = %s", (connection,))


async def newest_arrived(session: Read, connection: str, ours: Sequence[str]) -> ArrivedWebhook | None:
    """The newest that came from outside; ``ours`` are the types of events that we tell ourselves."""
    return await session.one(
        ArrivedWebhook,
        "SELECT event_type, received_at FROM inbox WHERE connection = %s AND event_type <> ALL (%s) ORDER BY id DESC LIMIT 1",
        (connection, list(ours)),
    )


async def types_arrived(session: Read, connection: str, types: Collection[str]) -> set[str]:
    """Those of ``types`` that are among the newest 10,000 events of the connection."""
    found = await session.value(
        """
        SELECT array_agg(DISTINCT event_type)
          FROM (SELECT event_type FROM inbox WHERE connection = %s ORDER BY id DESC LIMIT 10000) AS newest WHERE event_type = ANY (%s)
        """,
        (connection, list(types)),
    )
    return set(found or ())
