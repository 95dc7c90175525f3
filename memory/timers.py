"""Timers: what is due later, as rows that a person can see and a payment can cancel. All times are domain time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from memory import audit
from memory.database import Read, Write
from recoup.ids import new_id
from recoup.record import Record

TimerKind = Literal["decide", "expire_approval", "end_case", "end_grace", "execute"]
TimerState = Literal["pending", "fired", "cancelled"]


class FiredTimer(Record):
    """A timer whose time has come; whoever fired it acts on it in the same transaction."""

    id: str
    case_id: str
    account_id: str
    approval_id: str | None
    action_id: str | None
    kind: TimerKind
    due_at: datetime
    reason: str


class TimerRow(Record):
    """A row of ``timers``."""

    id: str
    case_id: str
    approval_id: str | None
    action_id: str | None
    kind: TimerKind
    due_at: datetime
    state: TimerState
    reason: str
    created_at: datetime
    fired_at: datetime | None
    cancelled_at: datetime | None


class _Cancelled(Record):
    id: str
    kind: TimerKind


async def set_timer(
    tx: Write,
    *,
    case_id: str,
    kind: TimerKind,
    due_at: datetime,
    reason: str,
    at: datetime,
    approval_id: str | None = None,
    action_id: str | None = None,
    actor: str = "worker",
) -> str:
    """Plans a wake-up of the case and gives its id."""
    timer_id = new_id("timer")
    await tx.run(
        "INSERT INTO timers (id, case_id, approval_id, action_id, kind, due_at, reason, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (timer_id, case_id, approval_id, action_id, kind, due_at, reason, at),
    )
    data = {"timer": kind, "due_at": due_at.isoformat(), "reason": reason}
    await audit.append(tx, chain=case_id, subject=timer_id, kind="timer", state="pending", actor=actor, at=at, data=data)
    return timer_id


async def cancel_for_case(
    tx: Write,
    case_id: str,
    at: datetime,
    *,
    kinds: Sequence[TimerKind] | None = None,
    action_id: str | None = None,
    actor: str = "worker",
) -> int:
    """Cancels the case's pending timers (of ``kinds``, else all; of ``action_id``, else whosever) and gives their number. The caller
    holds the account's lock, which firing takes too: a cancelled timer never fires."""
    cancelled = await tx.all(
        _Cancelled,
        "UPDATE timers SET state = 'cancelled', cancelled_at = %(at)s WHERE case_id = %(case_id)s AND state = 'pending'"
        " AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s)) AND (%(action_id)s::text IS NULL OR action_id = %(action_id)s)"
        " RETURNING id, kind",
        {"case_id": case_id, "at": at, "kinds": list(kinds) if kinds is not None else None, "action_id": action_id},
    )
    for timer in cancelled:
        data = {"timer": timer.kind}
        await audit.append(tx, chain=case_id, subject=timer.id, kind="timer", state="cancelled", actor=actor, at=at, data=data)
    return len(cancelled)


async def replace_timer(tx: Write, *, case_id: str, kind: TimerKind, due_at: datetime, reason: str, at: datetime) -> None:
    """Plans a wake-up instead of the case's pending ones of that kind, in one statement. The caller holds the account's lock."""
    timer_id = new_id("timer")
    replaced = await tx.dicts(
        """
        WITH replaced AS (
            UPDATE timers SET state = 'cancelled', cancelled_at = %(at)s
             WHERE case_id = %(case_id)s AND kind = %(kind)s AND state = 'pending' RETURNING id
        ), planned AS (
            INSERT INTO timers (id, case_id, kind, due_at, reason, created_at)
            VALUES (%(id)s, %(case_id)s, %(kind)s, %(due_at)s, %(reason)s, %(at)s)
        )
        SELECT id FROM replaced
        """,
        {"id": timer_id, "case_id": case_id, "kind": kind, "due_at": due_at, "reason": reason, "at": at},
    )
    for row in replaced:
        await audit.append(
            tx, chain=case_id, subject=row["id"], kind="timer", state="cancelled", actor="worker", at=at, data={"timer": kind}
        )
    data = {"timer": kind, "due_at": due_at.isoformat(), "reason": reason}
    await audit.append(tx, chain=case_id, subject=timer_id, kind="timer", state="pending", actor="worker", at=at, data=data)


async def fire_due(tx: Write, now: datetime, *, limit: int = 20) -> list[FiredTimer]:
    """Fires what is due at ``now``, oldest first, and gives it; each timer once.

    The accounts are locked first, as everywhere; one that is busy is skipped and comes with the next tick, so ticks of several workers
    neither wait for each other nor for an intake.
    """
    due = await tx.dicts(
        "SELECT t.id FROM timers t JOIN cases c ON c.id = t.case_id JOIN accounts a ON a.id = c.account_id"
        " WHERE t.state = 'pending' AND t.due_at <= %s ORDER BY t.due_at, t.id LIMIT %s FOR UPDATE OF a SKIP LOCKED",
        (now, limit),
    )
    fired = await tx.all(
        FiredTimer,
        "UPDATE timers t SET state = 'fired', fired_at = %s FROM cases c WHERE t.id = ANY(%s) AND t.state = 'pending' AND c.id = t.case_id"
        " RETURNING t.id, t.case_id, c.account_id, t.approval_id, t.action_id, t.kind, t.due_at, t.reason",
        (now, [row["id"] for row in due]),
    )
    fired.sort(key=lambda timer: (timer.due_at, timer.id))
    for timer in fired:
        data = {"timer": timer.kind}
        await audit.append(tx, chain=timer.case_id, subject=timer.id, kind="timer", state="fired", actor="worker", at=now, data=data)
    return fired


async def next_due(session: Read) -> datetime | None:
    """When the next timer is due, None where nothing is planned."""
    return await session.value("SELECT min(due_at) FROM timers WHERE state = 'pending'")


async def page(
    session: Read, *, case_id: str | None = None, state: str | None = None, after: str | None = None, limit: int = 50
) -> list[TimerRow]:
    """By due time, earliest first, from behind the timer ``after``."""
    return await session.all(
        TimerRow,
        """
        SELECT id, case_id, approval_id, action_id, kind, due_at, state, reason, created_at, fired_at, cancelled_at FROM timers
        WHERE (%(case_id)s::text IS NULL OR case_id = %(case_id)s) AND (%(state)s::text IS NULL OR state = %(state)s)
          AND (%(after)s::text IS NULL OR (due_at, id) > (SELECT due_at, id FROM timers WHERE id = %(after)s))
        ORDER BY due_at, id LIMIT %(limit)s
        """,
        {"case_id": case_id, "state": state, "after": after, "limit": limit},
    )
