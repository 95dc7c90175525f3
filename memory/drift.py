"""Drift: what our rows did not have as the platform told it, found by asking the platform when no webhook had told us."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from memory.database import Read, Write
from recoup.ids import new_id
from recoup.record import Record

DriftKind = Literal["invoice", "attempt", "payment_method", "account", "dispute", "cancellation", "other"]


class Missed(Record):
    """One thing that was not known, or not so. ``changed_at``: the platform's time of the change, where it tells it."""

    kind: DriftKind
    vendor_id: str
    is_new: bool
    changed_at: datetime | None = None


class Found(Record):
    """When and how something missed was found. ``looked_at``: when we had last looked; ``read_at``: the platform's time of the reading;
    ``wall``: the machine's."""

    connection: str
    event_id: str
    looked_at: datetime
    read_at: datetime
    found_at: datetime
    wall: datetime


class DriftLine(Record):
    """What was missed of one kind of object.

    ``found``: how many; of these ``told_later`` by an event of the same invoice or case that was only late, so that ``missed`` were found
    by asking alone, and ``unknown`` of those had no row at all. ``longest_late_seconds``: from the change to the finding; where the
    platform does not tell when it changed, from when we had looked before, which is the longest that it can have been.
    """

    kind: DriftKind
    found: int
    told_later: int
    missed: int
    unknown: int
    first_found_at: datetime
    last_found_at: datetime
    longest_late_seconds: float


async def add(tx: Write, found: Found, missed: Sequence[Missed]) -> None:
    """Remembers what was missed, beside the event by which it enters."""
    await tx.run_many(
        """
        INSERT INTO drift (id, connection, event_id, kind, vendor_id, is_new, changed_at, looked_at, read_at, found_at, found_wall)
        VALUES (%(id)s, %(connection)s, %(event_id)s, %(kind)s, %(vendor_id)s, %(is_new)s, %(changed_at)s, %(looked_at)s, %(read_at)s,
            %(found_at)s, %(wall)s)
        """,
        [{"id": new_id("drift"), **found.model_dump(), **one.model_dump()} for one in missed],
    )


async def on_its_way(session: Read, connection: str, missed: Missed, since: datetime) -> bool:
    """Whether an event that was not processed yet at ``since`` (wall time) was made for it: an account, say, is read with each of its
    invoices, and what was compared then did not have it yet."""
    return await session.value(
        """
        SELECT EXISTS (SELECT FROM drift d JOIN inbox e ON e.id = d.event_id
                        WHERE d.connection = %s AND d.kind = %s AND d.vendor_id = %s
                          AND (e.status = 'accepted' OR e.finished_at >= %s))
        """,
        (connection, missed.kind, missed.vendor_id, since),
    )


async def lines(session: Read, connection: str) -> list[DriftLine]:
    """What was missed of the connection, the most frequent kind first."""
    return await session.all(
        DriftLine,
        """
        WITH told AS (
            SELECT d.*, EXISTS (
                SELECT FROM inbox entered JOIN inbox other ON other.invoice_id = entered.invoice_id AND other.connection = d.connection
                 WHERE entered.id = d.event_id AND other.kind <> 'reconciliation' AND other.finished_at >= d.found_wall
                   -- Of our own actions we are told by ourselves, a little after the platform knows.
                   AND (other.occurred_at <= d.read_at
                        OR (other.kind = 'action_result' AND other.received_at <= d.found_wall + interval '1 minute'))
            ) OR EXISTS (
                -- What is about a subscription or a customer names no invoice, but the case that it concerns.
                SELECT FROM inbox entered JOIN inbox other ON other.case_id = entered.case_id AND other.connection = d.connection
                 WHERE entered.id = d.event_id AND entered.invoice_id IS NULL AND other.invoice_id IS NULL
                   AND other.kind <> 'reconciliation' AND other.finished_at >= d.found_wall AND other.occurred_at <= d.read_at
                   AND (other.kind = 'subscription_cancelled') = (d.kind = 'cancellation')
            ) AS later
              FROM drift d WHERE d.connection = %s
        )
        SELECT kind, count(*) AS found, count(*) FILTER (WHERE later) AS told_later, count(*) FILTER (WHERE NOT later) AS missed,
               count(*) FILTER (WHERE is_new AND NOT later) AS unknown, min(found_at) AS first_found_at, max(found_at) AS last_found_at,
               max(extract(epoch FROM greatest(found_at - coalesce(changed_at, looked_at), interval '0')))::float8 AS longest_late_seconds
          FROM told GROUP BY kind ORDER BY count(*) DESC, kind
        """,
        (connection,),
    )
