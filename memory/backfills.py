"""How far the past of each connection has been read, so that an interrupted backfill goes on where it stopped."""

from datetime import datetime

from memory.database import Read, Write
from recoup.errors import Conflict
from recoup.record import Record


class Tally(Record):
    """What some invoices of the past came to. ``left_alone``: owed after a failed attempt, and without a case."""

    invoices: int = 0
    opened: int = 0
    left_alone: int = 0
    unread: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            invoices=self.invoices + other.invoices,
            opened=self.opened + other.opened,
            left_alone=self.left_alone + other.left_alone,
            unread=self.unread + other.unread,
        )


class BackfillRow(Tally):
    """A row of ``backfills``. ``reached``: every invoice issued later has been read."""

    connection: str
    since: datetime
    cursor: str | None
    reached: datetime | None
    started_at: datetime
    finished_at: datetime | None

    @property
    def tally(self) -> Tally:
        """Its counts alone."""
        return Tally(invoices=self.invoices, opened=self.opened, left_alone=self.left_alone, unread=self.unread)


async def find(session: Read, connection: str) -> BackfillRow | None:
    """The connection's newest backfill; None where there was none."""
    return await session.one(BackfillRow, "SELECT * FROM backfills WHERE connection = %s", (connection,))


async def cases_of(session: Read, connection: str, invoice_vendor_id: str) -> int:
    """How many cases a vendor's invoice has; none where it is not known."""
    return await session.value(
        "SELECT count(*) FROM cases c JOIN invoices i ON i.id = c.invoice_id WHERE i.connection = %s AND i.vendor_id = %s",
        (connection, invoice_vendor_id),
    )


async def begin(tx: Write, connection: str, since: datetime, at: datetime) -> BackfillRow:
    """Goes on with an unfinished one that goes back as far as is asked for; else begins anew."""
    row = BackfillRow(connection=connection, since=since, cursor=None, reached=None, started_at=at, finished_at=None)
    await tx.run(
        """
        INSERT INTO backfills (connection, since, started_at) VALUES (%(connection)s, %(since)s, %(started_at)s)
        ON CONFLICT (connection) DO UPDATE SET since = excluded.since, started_at = excluded.started_at, cursor = NULL, reached = NULL,
            invoices = 0, opened = 0, left_alone = 0, unread = 0, finished_at = NULL
        WHERE backfills.finished_at IS NOT NULL OR backfills.since > excluded.since
        """,
        row.model_dump(),
    )
    return await find(tx, connection) or row


async def advance(
    tx: Write, before: BackfillRow, page: Tally, *, cursor: str | None, reached: datetime | None, finished_at: datetime | None
) -> BackfillRow:
    """One page further, and after the last one the database counts what it has been given. Raises Conflict where somebody else has gone
    on with it meanwhile."""
    told = (before.tally + page).model_dump() | {"cursor": cursor, "reached": reached or before.reached, "finished_at": finished_at}
    after = before.model_copy(update=told)
    moved = await tx.run(
        """
        UPDATE backfills SET cursor = %(cursor)s, reached = %(reached)s, finished_at = %(finished_at)s, invoices = %(invoices)s,
            opened = %(opened)s, left_alone = %(left_alone)s, unread = %(unread)s
        WHERE connection = %(connection)s AND started_at = %(started_at)s AND finished_at IS NULL
          AND cursor IS NOT DISTINCT FROM %(cursor_before)s AND invoices = %(invoices_before)s
        """,
        after.model_dump() | {"cursor_before": before.cursor, "invoices_before": before.invoices},
    )
    if moved and finished_at is not None:
        await tx.run("SELECT count_history()")
    if not moved:
        raise Conflict(f"somebody else is reading the past of {before.connection}; let one of the two end")
    return after
