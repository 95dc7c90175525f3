"""The inbox: every event that a platform was told is kept, and the one terminal state it came to.

An event is ``accepted`` until it is ``processed``, ``ignored`` or ``dead``; a further delivery of it only counts ``duplicates``. All
times here but ``occurred_at`` are wall time: leases, pauses and waiting are about machines.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, LiteralString

from memory import audit, queue
from memory.database import Read, Write
from recoup.clock import wall_now
from recoup.errors import Busy, Conflict, NotFound
from recoup.events import EventIdentity
from recoup.ids import new_id
from recoup.record import Record

AUDIT_CHAIN = "events"
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 300.0


class EventStatus(StrEnum):
    """``accepted`` is on its way; the others are terminal, but for a person's replay of a dead one."""

    ACCEPTED = "accepted"
    PROCESSED = "processed"
    IGNORED = "ignored"
    DEAD = "dead"


class Accepted(Record):
    """What the sender is told once the event is committed."""

    event_id: str
    status: Literal["accepted", "duplicate"]


class EventRow(Record):
    """A row of the inbox without its payload, which holds personal data."""

    id: str
    connection: str
    vendor_event_id: str
    event_type: str
    status: EventStatus
    reason: str | None
    kind: str | None
    duplicates: int
    invoice_id: str | None
    case_id: str | None
    attempts: int
    last_error: str | None
    received_at: datetime
    occurred_at: datetime | None
    finished_at: datetime | None


class ClaimedEvent(Record):
    """An event that one worker holds until ``lease_until``, which is also its token: who lost the lease cannot save."""

    id: str
    connection: str
    event_type: str
    content_type: str
    payload: str
    attempts: int
    received_at: datetime
    lease_until: datetime


class Outcome(Record):
    """What an event came to. ``reason`` says why, for all but ``processed``."""

    status: Literal[EventStatus.PROCESSED, EventStatus.IGNORED, EventStatus.DEAD]
    reason: str | None = None
    kind: str | None = None
    occurred_at: datetime | None = None
    invoice_id: str | None = None
    case_id: str | None = None


COLUMNS: LiteralString = (
    "id, connection, vendor_event_id, event_type, status, reason, kind, duplicates, invoice_id, case_id, attempts, last_error,"
    " received_at, occurred_at, finished_at"
)


async def accept(
    tx: Write,
    connection: str,
    identity: EventIdentity,
    content_type: str,
    payload: str,
    wall: datetime,
    *,
    priority: int = queue.PROMPT,
) -> Accepted:
    """Keeps an event and asks for its intake, or counts a further delivery of it. ``payload``: masked, as text without NUL.

    One statement, so one round trip in ``Database.statement``, or a part of the caller's transaction. The job has the form of
    ``memory.queue.wake``; a new id can have no job yet, so nothing can conflict.
    """
    event_id = new_id("event")
    stored_id = await tx.value(
        """
        WITH kept AS (
            INSERT INTO inbox (id, connection, vendor_event_id, event_type, content_type, payload, received_at, woken_at)
            VALUES (%(id)s, %(connection)s, %(vendor_event_id)s, %(event_type)s, %(content_type)s, %(payload)s, %(wall)s, %(wall)s)
            -- Vendors deliver twice, and at once: the unique index makes the second a count.
            ON CONFLICT (connection, vendor_event_id) DO UPDATE SET duplicates = inbox.duplicates + 1
            RETURNING id
        ), woken AS (
            INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, priority, args)
            SELECT 'intake', 'intake', 'intake:' || id, %(priority)s, jsonb_build_object('row_id', id) FROM kept WHERE id = %(id)s
        )
        SELECT id FROM kept
        """,
        {
            "id": event_id,
            "connection": connection,
            "vendor_event_id": identity.vendor_event_id,
            "event_type": identity.event_type,
            "content_type": content_type,
            "payload": payload,
            "wall": wall,
            "priority": priority,
        },
    )
    if stored_id != event_id:
        return Accepted(event_id=stored_id, status="duplicate")
    tx.woken.add("intake")
    return Accepted(event_id=event_id, status="accepted")


async def claim(session: Read, event_id: str, wall: datetime, lease_seconds: float) -> ClaimedEvent | None:
    """Takes the event for this worker; None where it is finished, paused, or another worker holds it."""
    return await session.one(
        ClaimedEvent,
        """
        UPDATE inbox SET lease_until = %(until)s, attempts = attempts + 1
         WHERE id = %(id)s AND status = 'accepted' AND (lease_until IS NULL OR lease_until <= %(wall)s)
        RETURNING id, connection, event_type, content_type, payload, attempts, received_at, lease_until
        """,
        {"id": event_id, "wall": wall, "until": wall + timedelta(seconds=lease_seconds)},
    )


async def finish(tx: Write, event: ClaimedEvent, outcome: Outcome, wall: datetime) -> None:
    """Gives the event its terminal state, in the transaction of what it changed; raises Busy where the lease was lost."""
    touched = await tx.run(
        """
        UPDATE inbox SET status = %(status)s, reason = %(reason)s, kind = %(kind)s, occurred_at = %(occurred_at)s,
               invoice_id = %(invoice_id)s, case_id = %(case_id)s, last_error = NULL, lease_until = NULL, finished_at = %(wall)s
         WHERE id = %(id)s AND status = 'accepted' AND lease_until = %(lease)s
        """,
        outcome.model_dump() | {"id": event.id, "lease": event.lease_until, "wall": wall},
    )
    _must_hold(touched, event)


async def bury(tx: Write, event: ClaimedEvent, reason: str, wall: datetime) -> None:
    """What cannot be processed is ``dead`` with its reason: listed, and replayable by a person."""
    await finish(tx, event, Outcome(status=EventStatus.DEAD, reason=reason), wall)


async def retry_later(tx: Write, event: ClaimedEvent, error: str, wall: datetime) -> float:
    """Pauses the event, longer each time, and tells for how many seconds; the sweep wakes it. Raises Busy where the lease was lost."""
    pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(event.attempts - 1, 16))
    touched = await tx.run(
        """
        UPDATE inbox SET last_error = %(error)s, lease_until = %(until)s
         WHERE id = %(id)s AND status = 'accepted' AND lease_until = %(lease)s
        """,
        {"error": error, "until": wall + timedelta(seconds=pause), "id": event.id, "lease": event.lease_until},
    )
    _must_hold(touched, event)
    return pause


async def replay(tx: Write, event_id: str, *, actor: str, at: datetime) -> None:
    """A person has a dead event processed once more; raises NotFound, or Conflict where it is not dead."""
    event = await get(tx, event_id)
    touched = await tx.run(
        """
        UPDATE inbox SET status = 'accepted', reason = NULL, attempts = 0, last_error = NULL, lease_until = NULL, finished_at = NULL,
               woken_at = %s
         WHERE id = %s AND status = 'dead'
        """,
        (wall_now(), event_id),
    )
    if not touched:
        raise Conflict(f"event {event_id} is {event.status}; only a dead one can be replayed")
    await audit.append(tx, chain=AUDIT_CHAIN, subject=event_id, kind="event", state=EventStatus.ACCEPTED, actor=actor, at=at)
    await queue.wake(tx, "intake", event_id)


async def get(session: Read, event_id: str) -> EventRow:
    """One event; raises NotFound."""
    row = await session.one(EventRow, "SELECT " + COLUMNS + " FROM inbox WHERE id = %s", (event_id,))  # noqa: S608 - a constant
    if row is None:
        raise NotFound(f"there is no event {event_id}")
    return row


async def page(
    session: Read, *, status: str | None = None, connection: str | None = None, before: str | None = None, limit: int = 50
) -> list[EventRow]:
    """Newest first; ``before`` is the id of the last row seen."""
    return await session.all(
        EventRow,
        "SELECT " + COLUMNS + " FROM inbox WHERE (%(status)s::text IS NULL OR status = %(status)s)"  # noqa: S608 - constants
        " AND (%(connection)s::text IS NULL OR connection = %(connection)s) AND (%(before)s::text IS NULL OR id < %(before)s)"
        " ORDER BY id DESC LIMIT %(limit)s",
        {"status": status, "connection": connection, "before": before, "limit": limit},
    )


async def status_of(session: Read, connection: str, vendor_event_id: str) -> EventStatus | None:
    """Where the event stands; None where it never came."""
    found = await session.value("SELECT status FROM inbox WHERE connection = %s AND vendor_event_id = %s", (connection, vendor_event_id))
    return None if found is None else EventStatus(found)


async def has_untried(session: Read, connection: str, received_before: datetime, *, but: str) -> bool:
    """Whether an event waits that no worker has tried yet, of any type ``but`` this."""
    return await session.value(
        """
        SELECT EXISTS (SELECT FROM inbox WHERE status = 'accepted' AND connection = %s AND attempts = 0 AND received_at <= %s
                          AND event_type <> %s)
        """,
        (connection, received_before, but),
    )


async def backlog(session: Read, at_most: int) -> int:
    """How many events wait for their intake, counted up to ``at_most``."""
    count = await session.value(
        "SELECT count(*) FROM (SELECT FROM inbox WHERE status = 'accepted' LIMIT %s) AS waiting",
        (at_most,),
    )
    return int(count)


def _must_hold(touched: int, event: ClaimedEvent) -> None:
    if not touched:
        raise Busy(f"event {event.id} was taken over by another worker")
