"""The life of a committed action on its way out, under a fenced lease: who holds a stale token can write nothing.

ready ──► started ──► done | failed
  ▲          ├──────► ready      surely not done: tried later, with a longer pause each time
  │          └──────► unknown    the answer was lost: looked up on the other side, then handed to a person
  └─ a lease that ran out while ``started`` is looked up like ``unknown``
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from memory import audit, mirror
from memory.database import Read, Write
from memory.outbox import COLUMNS, ActionRow, ActionState
from recoup.errors import Busy, Conflict, Defect
from recoup.ports import Effect, EffectResult

LEASE_SECONDS = 10.0
# Together two and a half hours: a platform's outage, the silence it asks for and our own limits on a busy day end before they do.
MAX_TRIES = 16
FIRST_PAUSE_SECONDS = 2.0
PAUSE_GROWTH = 4.0
LONGEST_PAUSE_SECONDS = 900.0

# An ``unknown`` without a next try waits for a person and for nobody else.
CLAIMABLE: LiteralString = """
    (state IN ('ready', 'started') OR (state = 'unknown' AND next_try_at IS NOT NULL))
    AND (lease_until IS NULL OR lease_until <= %(wall)s) AND (next_try_at IS NULL OR next_try_at <= %(wall)s)
    AND (hold_until IS NULL OR hold_until <= %(now)s)"""


def pause_seconds(tries: int) -> float:
    """How long to wait after that many tries: 2, 8, 32, 128, 512 seconds, then a quarter of an hour each time."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * PAUSE_GROWTH ** max(0, tries - 1))


async def claim(tx: Write, action_id: str, *, wall: datetime, now: datetime) -> ActionRow | None:
    """Takes the lease; None where somebody else has it, where it is not due, or where there is nothing left to do."""
    return await tx.one(
        ActionRow,
        "UPDATE actions SET lease_token = lease_token + 1, lease_until = %(until)s WHERE id = %(id)s AND "  # noqa: S608 - constants
        + CLAIMABLE
        + " RETURNING "
        + COLUMNS,
        {"id": action_id, "wall": wall, "now": now, "until": wall + timedelta(seconds=LEASE_SECONDS)},
    )


async def renew(tx: Write, action: ActionRow, *, wall: datetime) -> bool:
    """As long again for whoever has it; False where it has been taken over, voided or finished."""
    renewed = await tx.run(
        """
        UPDATE actions SET lease_until = %s
         WHERE id = %s AND lease_token = %s AND lease_until IS NOT NULL AND state IN ('ready', 'started', 'unknown')
        """,
        (wall + timedelta(seconds=LEASE_SECONDS), action.id, action.lease_token),
    )
    return renewed == 1


async def still_held(tx: Write, action: ActionRow) -> bool:
    """Whether the action is as it was claimed: not taken over, not voided. Locks its row for the rest of the transaction."""
    row = await tx.value(
        "SELECT 1 FROM actions WHERE id = %s AND lease_token = %s AND state = %s FOR UPDATE", (action.id, action.lease_token, action.state)
    )
    return row is not None


async def begin(tx: Write, action: ActionRow, *, now: datetime, read_at: datetime, wall: datetime, key_valid_seconds: float) -> ActionRow:
    """From this commit on it may be on the wire. The lease starts anew; the key's life counts from the first send ever, and what is
    known on the invoice is what was known before it."""
    started = await tx.one(
        ActionRow,
        """
        UPDATE actions SET state = 'started', state_reason = NULL, started_at = %(now)s, read_at = %(read_at)s, next_try_at = NULL,
               first_sent_at = coalesce(first_sent_at, %(wall)s), key_valid_until = coalesce(key_valid_until, %(key)s),
               known_transactions = CASE WHEN first_sent_at IS NULL THEN array(
                   SELECT k.vendor_key FROM attempts k JOIN cases c ON c.invoice_id = k.invoice_id
                    WHERE c.id = actions.case_id ORDER BY k.id) ELSE known_transactions END,
               attempts = attempts + 1, lease_until = %(until)s
         WHERE id = %(id)s AND lease_token = %(token)s AND state IN ('ready', 'started', 'unknown') RETURNING """  # noqa: S608 - constants
        + COLUMNS,
        {
            "id": action.id,
            "token": action.lease_token,
            "now": now,
            "read_at": read_at,
            "wall": wall,
            "key": wall + timedelta(seconds=key_valid_seconds),
            "until": wall + timedelta(seconds=LEASE_SECONDS),
        },
    )
    if started is None:
        raise Busy(f"action {action.id} was taken over before it started")
    # A second start is only ever made of an action that was looked up and surely did not happen.
    found = None if action.state is ActionState.READY else "absent"
    await _audit(tx, started, at=now, data={"try": started.attempts, "read_at": read_at.isoformat(), "found": found})
    return started


async def take_back(tx: Write, action: ActionRow) -> None:
    """What was started for the first time never left: the next send is the first, with a key whose life begins then. Raises Busy."""
    taken = await tx.run(
        """
        UPDATE actions SET first_sent_at = NULL, key_valid_until = NULL, known_transactions = '{}'
         WHERE id = %s AND lease_token = %s AND state = %s
        """,
        (action.id, action.lease_token, action.state),
    )
    if not taken:
        raise Busy(f"action {action.id} was taken over")


async def finish(
    tx: Write, action: ActionRow, state: ActionState, *, at: datetime, why: str | None = None, result: EffectResult | None = None
) -> None:
    """Its end: ``done``, ``failed``, ``void`` or ``dead``; raises Busy where the lease has gone to somebody else."""
    await _move(tx, action, state, why=why, result=result, next_try_at=None, finished_at=at)
    await _audit(tx, action, state=state, at=at, data={"reason": why, "result": result.model_dump(mode="json") if result else None})
    await mirror.want_again(tx, action.case_id)


async def try_later(tx: Write, action: ActionRow, state: ActionState, *, why: str, at: datetime, next_try_at: datetime) -> None:
    """Gives the lease back and waits: ``ready`` where it surely did not happen, ``unknown`` where it must be looked up first."""
    await _move(tx, action, state, why=why, result=None, next_try_at=next_try_at, finished_at=None)
    if state is not action.state:
        await _audit(tx, action, state=state, at=at, data={"reason": why})


async def leave_to_a_person(tx: Write, action: ActionRow, *, why: str, at: datetime) -> None:
    """``unknown`` for good: no worker touches it again until a person says what happened."""
    await _move(tx, action, ActionState.UNKNOWN, why=why, result=None, next_try_at=None, finished_at=None)
    await _audit(tx, action, state=ActionState.UNKNOWN, at=at, data={"reason": why, "person": True})
    await mirror.want_again(tx, action.case_id)


async def count_try(tx: Write, action: ActionRow) -> ActionRow:
    """Counts a try that failed before it started; raises Busy where the lease has gone."""
    counted = await tx.one(
        ActionRow,
        "UPDATE actions SET attempts = attempts + 1 WHERE id = %s AND lease_token = %s AND state = %s RETURNING "  # noqa: S608 - constants
        + COLUMNS,
        (action.id, action.lease_token, action.state),
    )
    if counted is None:
        raise Busy(f"action {action.id} was taken over")
    return counted


async def settle_by_person(tx: Write, action: ActionRow, state: ActionState, *, person: str, at: datetime) -> None:
    """A person's word on an action whose outcome nobody could read; raises Conflict where it is not, or no longer, such a one."""
    settled = await tx.run(
        """
        UPDATE actions SET state = %(state)s, state_reason = %(why)s, finished_at = %(at)s, lease_token = lease_token + 1
         WHERE id = %(id)s AND state = 'unknown' AND next_try_at IS NULL
        """,
        {"id": action.id, "state": state, "why": f"settled by {person}", "at": at},
    )
    if not settled:
        raise Conflict(f"action {action.id} does not wait for a person")
    await _audit(tx, action, state=state, at=at, actor=person, data={"reason": "settled by a person"})
    await mirror.want_again(tx, action.case_id)


async def effect_of(session: Read, action: ActionRow) -> Effect:
    """The action as the other side is asked to do it: our references replaced by the platform's own ids. What was known before it was
    sent is told from its start on."""
    rows = await session.dicts(
        """
        SELECT i.vendor_id AS invoice, i.subscription_vendor_id AS subscription, a.vendor_id AS account,
               r.vendor_id AS credential_vendor_id, t.vendor_key AS attempt_vendor_key, x.known_transactions AS known,
               x.created_at AS decided_at
          FROM actions x
          JOIN cases c ON c.id = x.case_id
          JOIN invoices i ON i.id = c.invoice_id
          JOIN accounts a ON a.id = c.account_id
          LEFT JOIN credentials r ON r.id = x.args ->> 'credential_id'
          LEFT JOIN attempts t ON t.id = x.args ->> 'attempt_id'
         WHERE x.id = %s
        """,
        (action.id,),
    )
    if not rows:
        raise Defect(f"action {action.id} belongs to no case")
    row = rows[0]
    resolved = {name: row[name] for name in ("credential_vendor_id", "attempt_vendor_key") if row[name] is not None}
    return Effect(
        key=action.id,
        name=action.name,
        invoice_vendor_id=row["invoice"],
        subscription_vendor_id=row["subscription"],
        account_vendor_id=row["account"],
        args=action.args | resolved,
        known_transactions=tuple(row["known"]),
        decided_at=row["decided_at"],
    )


async def _move(
    tx: Write,
    action: ActionRow,
    state: ActionState,
    *,
    why: str | None,
    result: EffectResult | None,
    next_try_at: datetime | None,
    finished_at: datetime | None,
) -> None:
    parameters: Mapping[str, Any] = {
        "id": action.id,
        "token": action.lease_token,
        "from": action.state,
        "state": state,
        "why": why,
        "result": Jsonb(result.model_dump(mode="json")) if result else None,
        "next": next_try_at,
        "finished": finished_at,
    }
    moved = await tx.run(
        """
        UPDATE actions SET state = %(state)s, state_reason = %(why)s, result = coalesce(%(result)s, result), next_try_at = %(next)s,
               finished_at = %(finished)s, lease_until = NULL
         WHERE id = %(id)s AND lease_token = %(token)s AND state = %(from)s
        """,
        parameters,
    )
    if not moved:
        raise Busy(f"action {action.id} was taken over or voided")


async def _audit(
    tx: Write, action: ActionRow, *, at: datetime, data: Mapping[str, object], state: ActionState | None = None, actor: str = "worker"
) -> None:
    kept = {key: value for key, value in data.items() if value is not None}
    await audit.append(
        tx, chain=action.case_id, subject=action.id, kind="action", state=state or action.state, actor=actor, at=at, data=kept
    )
