"""The inbox: every webhook that was accepted, once, with its payload and how it ended. The results of our own actions come in here too."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import LiteralString

from memory import audit
from memory.database import Read, Write
from memory.queue import wake
from recoup.clock import wall_now
from recoup.errors import Conflict, NotFound
from recoup.events import EventKind
from recoup.ids import new_id
from recoup.record import Record

LEASE_SECONDS = 10.0


class EventStatus(StrEnum):
    """``accepted`` is on its way; the others are terminal. A duplicate is a count on the event that it repeats."""

    ACCEPTED = "accepted"
    PROCESSED = "processed"
    IGNORED = "ignored"
    DEAD = "dead"


class Incoming(Record):
    """What the door hands over: verified, card numbers masked. ``vendor_event_id`` is what the platform repeats on a redelivery."""

    connection: str
    vendor_event_id: str
    event_type: str
    content_type: str
    payload: str


class Accepted(Record):
    """Our id of the event, and whether it was new."""

    event_id: str
    is_new: bool


class EventRow(Record):
    """An event without its payload, which may hold personal data. ``received_at`` and ``finished_at`` are wall time."""

    id: str
    connection: str
    vendor_event_id: str
    event_type: str
    status: EventStatus
    reason: str | None
    kind: EventKind | None
    duplicates: int
    invoice_id: str | None
    case_id: str | None
    attempts: int
    last_error: str | None
    received_at: datetime
    occurred_at: datetime | None
    finished_at: datetime | None


class ClaimedEvent(Record):
    """An event that this worker may process until its lease ends. ``attempts`` counts this one."""

    id: str
    connection: str
    event_type: str
    content_type: str
    payload: str
    attempts: int


COLUMNS: LiteralString = """
    id, connection, vendor_event_id, event_type, status, reason, kind, duplicates, invoice_id, case_id, attempts, last_error, received_at,
    occurred_at, finished_at"""

# One statement, one round trip: the event, or one more delivery of it, and the wake-up of a new one. xmax is 0 on a row just inserted.
ACCEPT: LiteralString = """
WITH event AS (
    INSERT INTO inbox (id, connection, vendor_event_id, event_type, content_type, payload, received_at, woken_at)
    VALUES (%(id)s, %(connection)s, %(vendor_event_id)s, %(event_type)s, %(content_type)s, %(payload)s, %(wall)s, %(wall)s)
    ON CONFLICT (connection, vendor_event_id) DO UPDATE SET duplicates = inbox.duplicates + 1
    RETURNING id AS event_id, (xmax = 0) AS is_new
), woken AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)
    SELECT 'intake', 'intake', 'intake:' || event_id, jsonb_build_object('row_id', event_id) FROM event WHERE is_new
)
SELECT event_id, is_new FROM event
"""


async def accept(tx: Write, incoming: Incoming) -> Accepted:
    """Keeps the event and wakes the intake job, or counts a duplicate."""
    row = await tx.one(Accepted, ACCEPT, {"id": new_id("event"), "wall": wall_now(), **incoming.model_dump()})
    assert row is not None
    return row


async def claim(tx: Write, event_id: str) -> ClaimedEvent | None:
    """Takes the event for LEASE_SECONDS; None where it is finished, or another worker has it."""
    wall = wall_now()
    return await tx.one(
        ClaimedEvent,
        """
        UPDATE inbox SET attempts = attempts + 1, lease_until = %(until)s, woken_at = %(wall)s
        WHERE id = %(id)s AND status = 'accepted' AND (lease_until IS NULL OR lease_until <= %(wall)s)
        RETURNING id, connection, event_type, content_type, payload, attempts
        """,
        {"id": event_id, "wall": wall, "until": wall + timedelta(seconds=LEASE_SECONDS)},
    )


async def finish(
    tx: Write,
    event_id: str,
    status: EventStatus,
    *,
    kind: EventKind | None = None,
    reason: str | None = None,
    invoice_id: str | None = None,
    case_id: str | None = None,
    occurred_at: datetime | None = None,
) -> None:
    """Ends the event, once; raises Conflict where another worker has ended it, so that the caller's transaction is undone."""
    ended = await tx.run(
        """
        UPDATE inbox SET status = %(status)s, kind = %(kind)s, reason = %(reason)s, invoice_id = %(invoice_id)s, case_id = %(case_id)s,
               occurred_at = %(occurred_at)s, finished_at = %(wall)s, lease_until = NULL,
               last_error = CASE WHEN %(status)s = 'dead' THEN %(reason)s ELSE last_error END
        WHERE id = %(id)s AND status = 'accepted'
        """,
        {
            "id": event_id,
            "status": status,
            "kind": kind,
            "reason": reason,
            "invoice_id": invoice_id,
            "case_id": case_id,
            "occurred_at": occurred_at,
            "wall": wall_now(),
        },
    )
    if not ended:
        raise Conflict(f"event {event_id} was ended by another worker")


async def retry_later(tx: Write, event_id: str, error: str, pause_seconds: float) -> None:
    """Leaves the event accepted, with its error, until the pause is over and the sweep wakes it."""
    await tx.run(
        "UPDATE inbox SET last_error = %s, lease_until = %s WHERE id = %s AND status = 'accepted'",
        (error, wall_now() + timedelta(seconds=pause_seconds), event_id),
    )


async def replay(tx: Write, event_id: str, *, actor: str, at: datetime) -> None:
    """Lets a dead event be processed again from its first attempt; raises NotFound, or Conflict where it is not dead."""
    event = await get(tx, event_id)
    if event.status is not EventStatus.DEAD:
        raise Conflict(f"event {event_id} is {event.status}; only dead events are replayed")
    await tx.run(
        "UPDATE inbox SET status = 'accepted', attempts = 0, reason = NULL, finished_at = NULL, lease_until = NULL, woken_at = %s WHERE id = %s",
        (wall_now(), event_id),
    )
    await wake(tx, "intake", event_id)
    data = {"was": event.reason}
    await audit.append(tx, chain="events", subject=event_id, kind="event", state=EventStatus.ACCEPTED, actor=actor, at=at, data=data)


async def get(session: Read, event_id: str) -> EventRow:
    """One event; raises NotFound."""
    row = await session.one(EventRow, "SELECT" + COLUMNS + " FROM inbox WHERE id = %s", (event_id,))
    if row is None:
        raise NotFound(f"there is no event {event_id}")
    return row


async def page(
    session: Read, *, status: str | None = None, connection: str | None = None, before: str | None = None, limit: int = 50
) -> list[EventRow]:
    """Events, newest first; ``before`` is the id of the last one already seen."""
    return await session.all(
        EventRow,
        "SELECT"
        + COLUMNS
        + """ FROM inbox
        WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(connection)s::text IS NULL OR connection = %(connection)s)
          AND (%(before)s::text IS NULL OR id < %(before)s)
        ORDER BY id DESC LIMIT %(limit)s""",
        {"status": status, "connection": connection, "before": before, "limit": limit},
    )


async def backlog(session: Read, most: int) -> int:
    """How many events are accepted and unfinished, counted no further than ``most``."""
    return int(await session.value("SELECT count(*) FROM (SELECT 1 FROM inbox WHERE status = 'accepted' LIMIT %s) AS some", (most,)))
