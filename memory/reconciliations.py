"""How far each connection's platform has been asked what changed, and which objects of its answers are still to be looked at.

``due_at`` and ``looked_at`` are domain time, which is wall time but in sandbox mode; leases and pauses are wall time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from memory.database import Read, Write
from recoup.errors import Busy
from recoup.events import ObjectRef
from recoup.ports import ChangedPage
from recoup.record import Record

LEASE_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0


class Reconciliation(Record):
    """A connection's row. ``has_more``: another page is to be read before it rests. ``looked_at`` None: the platform has not
    told everything once yet. ``told_from``: everything that changed since then has been asked for. ``failures``: in a row."""

    id: str
    cursor: str | None
    has_more: bool
    due_at: datetime
    looked_at: datetime | None
    told_from: datetime | None
    last_error: str | None
    failures: int
    lease_token: int


class WaitingRef(Record):
    """An object that is to be looked at; ``n`` orders them, oldest change first."""

    n: int
    kind: str
    vendor_id: str

    @property
    def ref(self) -> ObjectRef:
        """What to fetch."""
        return ObjectRef(kind=self.kind, vendor_id=self.vendor_id)


async def begin(tx: Write, connections: Iterable[str], now: datetime, wall: datetime) -> None:
    """Sees to it that each connection is asked from now on."""
    await tx.run_many(
        "INSERT INTO reconciliations (id, due_at, woken_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        # Woken long ago: the next sweep takes it.
        [(name, now, wall - timedelta(days=1)) for name in sorted(connections)],
    )


async def claim(session: Read, connection: str, now: datetime, wall: datetime) -> Reconciliation | None:
    """Takes it for this worker; None where it is not due, pauses, or another worker has it."""
    return await session.one(
        Reconciliation,
        """
        UPDATE reconciliations SET lease_token = lease_token + 1, lease_until = %(until)s
         WHERE id = %(id)s AND due_at <= %(now)s AND (lease_until IS NULL OR lease_until <= %(wall)s)
        RETURNING id, cursor, has_more, due_at, looked_at, told_from, last_error, failures, lease_token
        """,
        {"id": connection, "now": now, "wall": wall, "until": wall + timedelta(seconds=LEASE_SECONDS)},
    )


async def get(session: Read, connection: str) -> Reconciliation | None:
    """How far it is; None where it never began."""
    return await session.one(
        Reconciliation,
        "SELECT id, cursor, has_more, due_at, looked_at, told_from, last_error, failures, lease_token FROM reconciliations WHERE id = %s",
        (connection,),
    )


async def keep_page(tx: Write, held: Reconciliation, page: ChangedPage, wall: datetime) -> Reconciliation:
    """A page was read: what it names is looked at before the next one is. Gives the row as it then is; raises Busy where the lease was
    lost."""
    await _hold(tx, held, wall)
    await tx.run(
        "UPDATE reconciliations SET cursor = %s, has_more = %s, told_from = coalesce(%s, told_from) WHERE id = %s",
        (page.cursor, page.has_more, page.begins, held.id),
    )
    await tx.run_many(
        "INSERT INTO reconciliation_refs (connection, kind, vendor_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [(held.id, ref.kind, ref.vendor_id) for ref in page.refs],
    )
    told = {"cursor": page.cursor, "has_more": page.has_more, "told_from": page.begins or held.told_from}
    return held.model_copy(update=told)


async def waiting(session: Read, connection: str, limit: int) -> list[WaitingRef]:
    """What is to be looked at next."""
    return await session.all(
        WaitingRef, "SELECT n, kind, vendor_id FROM reconciliation_refs WHERE connection = %s ORDER BY n LIMIT %s", (connection, limit)
    )


async def looked(tx: Write, held: Reconciliation, ref: WaitingRef, wall: datetime) -> None:
    """The object was looked at, in the transaction that tells of it. Raises Busy where the lease was lost."""
    await _hold(tx, held, wall)
    await tx.run(
        "DELETE FROM reconciliation_refs WHERE connection = %s AND kind = %s AND vendor_id = %s", (held.id, ref.kind, ref.vendor_id)
    )


async def put_back(tx: Write, held: Reconciliation, ref: WaitingRef, wall: datetime) -> None:
    """The object could not be looked at: others go first. Raises Busy where the lease was lost."""
    await _hold(tx, held, wall)
    await tx.run("UPDATE reconciliation_refs SET n = DEFAULT WHERE n = %s", (ref.n,))


async def rest(tx: Write, held: Reconciliation, *, due_at: datetime, looked_at: datetime | None, why: str | None, wall: datetime) -> None:
    """Gives it back until it is due. ``looked_at``: the platform has told everything up to then, None where it has not.

    ``why`` it cannot be asked, if so. Raises Busy where the lease was lost."""
    await _hold(tx, held, wall)
    await tx.run(
        """
        UPDATE reconciliations SET due_at = %s, looked_at = coalesce(%s, looked_at), last_error = %s, failures = 0, lease_until = NULL,
               has_more = true
         WHERE id = %s
        """,
        (due_at, looked_at, why, held.id),
    )


async def pause(tx: Write, held: Reconciliation, seconds: float, wall: datetime) -> None:
    """Lets others go first; no failure. Raises Busy where the lease was lost."""
    await _hold(tx, held, wall)
    await tx.run("UPDATE reconciliations SET lease_until = %s WHERE id = %s", (wall + timedelta(seconds=seconds), held.id))


async def fail(tx: Write, held: Reconciliation, error: str, wall: datetime, *, start_over: bool = False) -> float:
    """Goes on where it was after a pause, which grows, and gives its seconds; ``start_over``: the cursor is of no use any more.

    Raises Busy where the lease was lost."""
    await _hold(tx, held, wall)
    seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(held.failures, 16))
    await tx.run(
        """
        UPDATE reconciliations SET last_error = %(error)s, failures = failures + 1, lease_until = %(until)s,
               cursor = CASE WHEN %(start_over)s THEN NULL ELSE cursor END
         WHERE id = %(id)s
        """,
        {"error": error, "until": wall + timedelta(seconds=seconds), "start_over": start_over, "id": held.id},
    )
    return seconds


async def _hold(tx: Write, held: Reconciliation, wall: datetime) -> None:
    """Locks the row and lengthens the lease, or raises Busy."""
    touched = await tx.run(
        "UPDATE reconciliations SET lease_until = %s WHERE id = %s AND lease_token = %s",
        (wall + timedelta(seconds=LEASE_SECONDS), held.id, held.lease_token),
    )
    if not touched:
        raise Busy(f"the reconciliation of {held.id} was taken over by another worker")
