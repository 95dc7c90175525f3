"""Which cases have something to tell their platform. A row says only that there is something: what it is stands in the case's own rows,
so that the newest state wins and a burst of changes is one note.

pending ──► settled    it stands there, or there is nothing to tell
   │  ▲        └─ the next change makes it pending again, and so it does what is dead
   └──┴──► dead        the platform does not take it, or did not answer for long: listed, with why
All times are wall time.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from memory import audit
from memory.database import Read, Write
from memory.outbox import COLUMNS as ACTION_COLUMNS
from memory.outbox import ActionRow
from recoup.mirror import Addressee, MirrorNote
from recoup.record import Record

# What a decision sets off ends within seconds, and is then told as one.
GATHER_SECONDS = 5.0
LEASE_SECONDS = 30.0
MAX_TRIES = 8
FIRST_PAUSE_SECONDS, PAUSE_GROWTH, LONGEST_PAUSE_SECONDS = 10.0, 4.0, 900.0


class Mirror(Record):
    """A case's row, held by this worker. ``id`` is the case's; ``digest`` of what was last written."""

    id: str
    connection: str
    version: int
    digest: str | None
    attempts: int
    lease_token: int


class DeadMirror(Record):
    """A case whose newest state could not be written, and why."""

    case_id: str
    connection: str
    error: str


async def want(tx: Write, case_id: str, connection: str, wall: datetime) -> None:
    """There is something to tell of the case, in the transaction that makes it so."""
    await tx.run(
        """
        INSERT INTO mirrors AS m (id, connection, next_try_at, woken_at) VALUES (%(id)s, %(connection)s, %(due)s, %(wall)s)
        ON CONFLICT (id) DO UPDATE SET state = 'pending', version = m.version + 1,
            next_try_at = CASE WHEN m.state = 'pending' THEN m.next_try_at ELSE excluded.next_try_at END,
            attempts = CASE WHEN m.state = 'pending' THEN m.attempts ELSE 0 END
        """,
        {"id": case_id, "connection": connection, "due": wall + timedelta(seconds=GATHER_SECONDS), "wall": wall},
    )


async def want_again(tx: Write, case_id: str) -> None:
    """The case has moved on: told where it was told of before, and of no other."""
    await tx.run(
        """
        UPDATE mirrors SET state = 'pending', version = version + 1,
               next_try_at = CASE WHEN state = 'pending' THEN next_try_at ELSE clock_timestamp() + make_interval(secs => %(gather)s) END,
               attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END
         WHERE id = %(id)s
        """,
        {"id": case_id, "gather": GATHER_SECONDS},
    )


async def claim(tx: Write, case_id: str, wall: datetime) -> Mirror | None:
    """Takes it for this worker; None where it is not due, another worker has it, or an action of the case is on the wire just now:
    nothing stands in that one's way, and its outcome is told with it."""
    return await tx.one(
        Mirror,
        """
        UPDATE mirrors SET lease_token = lease_token + 1, lease_until = %(until)s
         WHERE id = %(id)s AND state = 'pending' AND next_try_at <= %(wall)s AND (lease_until IS NULL OR lease_until <= %(wall)s)
           AND NOT EXISTS (SELECT FROM actions a WHERE a.case_id = mirrors.id AND a.state = 'started')
        RETURNING id, connection, version, digest, attempts, lease_token
        """,
        {"id": case_id, "wall": wall, "until": wall + timedelta(seconds=LEASE_SECONDS)},
    )


async def written(tx: Write, held: Mirror, note: MirrorNote, at: datetime) -> None:
    """It stands at the platform. What has come since then is told next."""
    if await _settle(tx, held, note.digest()):
        data = {"key": note.key, "status": note.status, "next": note.next, "last": note.last, "tags": list(note.to.tags)}
        await _audit(tx, held, "written", at, data)


async def leave(tx: Write, held: Mirror) -> None:
    """There is nothing to tell, or it is said there already."""
    await _settle(tx, held, held.digest)


async def give_up(tx: Write, held: Mirror, why: str, at: datetime) -> None:
    """``dead`` until the case moves on or a person asks again; what has come since it was claimed is tried."""
    moved = await tx.value(
        """
        UPDATE mirrors SET state = CASE WHEN version = %(version)s THEN 'dead' ELSE 'pending' END, error = %(why)s, lease_until = NULL,
               attempts = attempts + 1
         WHERE id = %(id)s AND lease_token = %(token)s RETURNING state
        """,
        {"id": held.id, "version": held.version, "token": held.lease_token, "why": why},
    )
    if moved == "dead":
        await _audit(tx, held, "dead", at, {"reason": why})


async def try_later(tx: Write, held: Mirror, why: str, wall: datetime) -> None:
    """The platform did not answer: it is left alone by all its notes for a pause that grows, whichever of them is tried.

    So they never are what makes it seem to be away altogether (tools/http_breaker.py)."""
    failed: int = await tx.value(
        "SELECT coalesce(sum(attempts), 0) FROM mirrors WHERE connection = %s AND state = 'pending'", (held.connection,)
    )
    await tx.run(
        "UPDATE mirrors SET attempts = attempts + 1, error = %s WHERE id = %s AND lease_token = %s", (why, held.id, held.lease_token)
    )
    seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * PAUSE_GROWTH ** min(failed, MAX_TRIES))
    await pause(tx, held, wall + timedelta(seconds=seconds))


async def pause(tx: Write, held: Mirror, until: datetime) -> None:
    """Gives it back; until then nothing is written through its connection."""
    await tx.run(
        "UPDATE mirrors SET lease_until = NULL, next_try_at = %s WHERE id = %s AND lease_token = %s", (until, held.id, held.lease_token)
    )
    # Rows that somebody is just changing are passed over: nobody waits for a note.
    await tx.run(
        """
        UPDATE mirrors SET next_try_at = %(until)s
         WHERE id IN (SELECT id FROM mirrors WHERE connection = %(connection)s AND state = 'pending' AND next_try_at < %(until)s
                         FOR UPDATE SKIP LOCKED)
        """,
        {"connection": held.connection, "until": until},
    )


async def dead(session: Read, connection: str | None = None) -> list[DeadMirror]:
    """What could not be written, of one connection or of all, by case."""
    return await session.all(
        DeadMirror,
        """
        SELECT id AS case_id, connection, error FROM mirrors
         WHERE state = 'dead' AND (%(connection)s::text IS NULL OR connection = %(connection)s) ORDER BY connection, id
        """,
        {"connection": connection},
    )


async def revive(tx: Write, connection: str, wall: datetime) -> int:
    """Everything of the connection that is dead is tried once more, from now on; gives how many."""
    return await tx.run(
        "UPDATE mirrors SET state = 'pending', attempts = 0, error = NULL, next_try_at = %(wall)s WHERE connection = %(connection)s"
        " AND state = 'dead'",
        {"connection": connection, "wall": wall},
    )


async def addressee(session: Read, case_id: str, may_leave: tuple[str, ...]) -> Addressee:
    """Where the case's invoice and account are at the platform, with those tags of the account that are named."""
    rows = await session.all(
        Addressee,
        """
        SELECT i.vendor_id AS invoice_vendor_id, a.vendor_id AS account_vendor_id,
               array(SELECT tag FROM unnest(a.tags) AS tag WHERE tag = ANY(%(may_leave)s) ORDER BY tag) AS tags
          FROM cases c JOIN invoices i ON i.id = c.invoice_id JOIN accounts a ON a.id = c.account_id WHERE c.id = %(id)s
        """,
        {"id": case_id, "may_leave": list(may_leave)},
    )
    return rows[0]


async def newest_outcome(session: Read, case_id: str) -> ActionRow | None:
    """The newest charge or account action of the case that has come to an end, or to where only a person can tell."""
    return await session.one(
        ActionRow,
        "SELECT"
        + ACTION_COLUMNS
        + """ FROM actions
         WHERE case_id = %s AND risk IN ('charge', 'account')
           AND (state IN ('done', 'failed', 'dead') OR (state = 'unknown' AND next_try_at IS NULL))
         ORDER BY coalesce(finished_at, started_at) DESC, id DESC LIMIT 1""",
        (case_id,),
    )


async def wakes_at(session: Read, case_id: str) -> datetime | None:
    """When the case is decided on again by itself; domain time."""
    return await session.value("SELECT min(due_at) FROM timers WHERE case_id = %s AND kind = 'decide' AND state = 'pending'", (case_id,))


async def _settle(tx: Write, held: Mirror, digest: str | None) -> bool:
    settled = await tx.run(
        """
        UPDATE mirrors SET state = CASE WHEN version = %(version)s THEN 'settled' ELSE 'pending' END, digest = %(digest)s, attempts = 0,
               error = NULL, lease_until = NULL
         WHERE id = %(id)s AND lease_token = %(token)s
        """,
        {"id": held.id, "version": held.version, "digest": digest, "token": held.lease_token},
    )
    return settled == 1


async def _audit(tx: Write, held: Mirror, state: str, at: datetime, data: Mapping[str, object]) -> None:
    """On the case's chain, under a name of its own: the case's newest entry tells how the case stands."""
    subject = f"mirror:{held.id}"
    await audit.append(tx, chain=held.id, subject=subject, kind="mirror", state=state, actor="worker", at=at, data=data)
