"""Actions that may be done, but not at this hour: held on their rows, counted at the hour at which they go out, woken by a timer."""

from datetime import datetime

from memory import queue, timers
from memory.database import Write


async def postpone(tx: Write, action_id: str, case_id: str, *, until: datetime, why: str, at: datetime) -> None:
    """Nobody touches the action before ``until``. The caller holds the account's and the case's locks."""
    await tx.run("UPDATE actions SET hold_until = %s, state_reason = %s WHERE id = %s", (until, why, action_id))
    await tx.run("UPDATE reservations SET at = %s WHERE action_id = %s AND state = 'reserved'", (until, action_id))
    await timers.cancel_for_case(tx, case_id, at, kinds=["execute"], action_id=action_id)
    await timers.set_timer(tx, case_id=case_id, kind="execute", due_at=until, reason=why, at=at, action_id=action_id)


async def let_go(tx: Write, case_id: str, at: datetime, *, actor: str) -> None:
    """What the case holds back may go out at once. The caller holds the account's and the case's locks."""
    held = await tx.dicts(
        "UPDATE actions SET hold_until = NULL WHERE case_id = %s AND state IN ('ready', 'unknown') AND hold_until > %s RETURNING id",
        (case_id, at),
    )
    await timers.cancel_for_case(tx, case_id, at, kinds=["execute"], actor=actor)
    for row in held:
        await queue.wake(tx, "execute", row["id"])
