"""What the deciding jobs write on a case: that it is decided, that deciding failed and when to try again, what a person lifted."""

from datetime import datetime

from memory import approvals, audit, decisions, outbox, timers
from memory.cases import Lease
from memory.database import Write
from memory.outbox import ActionState, Change
from recoup.errors import NotFound

MAX_TRIES = 6
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0


def pause_seconds(failures: int) -> float:
    """How long deciding rests after that many failures in a row: 2, 4, 8, 16 seconds and so on."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** max(0, failures - 1))


async def finish(tx: Write, lease: Lease, version: int) -> bool:
    """The wanted decision is made, on this version: locks account and case for the rest of the transaction and gives the lease back.

    False, and nothing is changed, where the case moved on or the lease went to another worker.
    """
    finished = await tx.run(
        """
        WITH account AS (SELECT a.id FROM cases c JOIN accounts a ON a.id = c.account_id WHERE c.id = %(id)s FOR UPDATE OF a)
        UPDATE cases SET needs_decision = false, decide_attempts = 0, decide_error = NULL, lease_until = NULL FROM account
         WHERE cases.id = %(id)s AND cases.account_id = account.id AND lease_token = %(token)s AND version = %(version)s
        """,
        {"id": lease.case_id, "token": lease.token, "version": version},
    )
    return finished == 1


async def hold(tx: Write, lease: Lease) -> bool:
    """Locks account and case for the rest of the transaction and gives the lease back; False where another worker has it."""
    held = await tx.run(
        """
        WITH account AS (SELECT a.id FROM cases c JOIN accounts a ON a.id = c.account_id WHERE c.id = %(id)s FOR UPDATE OF a)
        UPDATE cases SET decide_attempts = 0, lease_until = NULL FROM account
         WHERE cases.id = %(id)s AND cases.account_id = account.id AND lease_token = %(token)s
        """,
        {"id": lease.case_id, "token": lease.token},
    )
    return held == 1


async def supersede(tx: Write, case_id: str, why: str, at: datetime) -> None:
    """Ends the case's live decision: its approval is void, and what waited for the answer too. What was let run by itself still may.

    The caller holds the account's and the case's locks.
    """
    decision_id = await decisions.supersede_live(tx, case_id, at, why)
    if decision_id is None:
        return
    await approvals.void_for_case(tx, case_id, why, at)
    await timers.cancel_for_case(tx, case_id, at, kinds=["expire_approval"])
    waiting = [row.id for row in await outbox.of_decision(tx, decision_id) if row.state is ActionState.WAITING]
    await outbox.set_states(tx, case_id, [Change(id=action_id, state=ActionState.VOID, reason=why) for action_id in waiting], at=at)


async def failed(tx: Write, lease: Lease, error: str) -> None:
    """Counts a failure to decide. The decision stays wanted: the sweep wakes it after a pause, and after the last try no more."""
    failures: int | None = await tx.value(
        "UPDATE cases SET decide_attempts = decide_attempts + 1 WHERE id = %s AND lease_token = %s RETURNING decide_attempts",
        (lease.case_id, lease.token),
    )
    if failures is None:
        return
    await tx.run(
        "UPDATE cases SET decide_error = CASE WHEN decide_attempts >= %(most)s THEN %(error)s::text END,"
        " woken_at = clock_timestamp() + make_interval(secs => %(pause)s), lease_until = NULL WHERE id = %(id)s",
        {"id": lease.case_id, "most": MAX_TRIES, "error": error, "pause": pause_seconds(failures)},
    )


async def override(tx: Write, case_id: str, rule: str, *, reason: str, person: str, at: datetime) -> None:
    """A person lifts a house rule for this case; the reason stands in the audit log. Raises NotFound."""
    rows = await tx.dicts(
        """
        UPDATE cases SET overridden_rules = array_append(array_remove(overridden_rules, %(rule)s), %(rule)s) WHERE id = %(id)s
        RETURNING status, holds
        """,
        {"id": case_id, "rule": rule},
    )
    if not rows:
        raise NotFound(f"there is no case {case_id}")
    data: dict[str, object] = {"overridden": rule, "reason": reason, "holds": list(rows[0]["holds"])}
    await audit.append(tx, chain=case_id, subject=case_id, kind="case", state=rows[0]["status"], actor=person, at=at, data=data)
