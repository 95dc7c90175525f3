"""What the deciding jobs write on a case: that it is decided, that deciding failed and when to try again, what a person lifted."""

from datetime import datetime
from typing import LiteralString

from memory import approvals, audit, decisions, outbox, timers
from memory.cases import LEASE_SECONDS, Lease
from memory.database import Write
from memory.outbox import ActionState, Change
from recoup.errors import NotFound

MAX_TRIES = 6
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0


class Wanted(Lease):
    """The lease of a case that wants a decision, and what asked for it."""

    trigger: str


# Locks the account before the case, as everybody does; a case whose account was merged away meanwhile does not join.
ACCOUNT: LiteralString = """
    WITH account AS (SELECT a.id FROM cases c JOIN accounts a ON a.id = c.account_id WHERE c.id = %(id)s FOR UPDATE OF a)"""


def pause_seconds(failures: int) -> float:
    """How long deciding rests after that many failures in a row: 2, 4, 8, 16 seconds and so on."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** max(0, failures - 1))


async def take(tx: Write, case_id: str) -> Wanted | None:
    """Takes the case's lease to make the decision that it wants, and locks account and case for the rest of the transaction. None
    where none is wanted, deciding is dead, or another worker is at it."""
    return await tx.one(
        Wanted,
        ACCOUNT  # noqa: S608 - constants
        + """
        UPDATE cases SET lease_token = lease_token + 1, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s) FROM account
         WHERE cases.id = %(id)s AND cases.account_id = account.id AND needs_decision AND decide_error IS NULL
           AND (lease_until IS NULL OR lease_until <= clock_timestamp())
        RETURNING cases.id AS case_id, lease_token AS token, coalesce(wanted_because, 'wanted') AS trigger
        """,
        {"id": case_id, "seconds": LEASE_SECONDS},
    )


async def finish(tx: Write, lease: Lease, version: int) -> bool:
    """The wanted decision is made, on this version: locks account and case for the rest of the transaction and gives the lease back.

    False, and nothing is changed, where the case moved on or the lease went to another worker.
    """
    finished = await tx.run(
        ACCOUNT  # noqa: S608 - constants
        + """
        UPDATE cases SET needs_decision = false, decide_attempts = 0, decide_error = NULL, lease_until = NULL FROM account
         WHERE cases.id = %(id)s AND cases.account_id = account.id AND lease_token = %(token)s AND version = %(version)s
        """,
        {"id": lease.case_id, "token": lease.token, "version": version},
    )
    return finished == 1


async def hold(tx: Write, lease: Lease) -> bool:
    """Locks account and case for the rest of the transaction and gives the lease back; False where another worker has it."""
    held = await tx.run(
        ACCOUNT  # noqa: S608 - constants
        + """
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


async def failed(tx: Write, case_id: str, error: str, token: int | None) -> None:
    """Counts a failure to decide, unless the lease ``token`` has gone to another worker (None: it failed before it had one). The
    decision stays wanted: the sweep wakes it after a pause, and after the last try no more."""
    failures: int | None = await tx.value(
        "UPDATE cases SET decide_attempts = decide_attempts + 1 WHERE id = %(id)s AND lease_token = coalesce(%(token)s, lease_token)"
        " RETURNING decide_attempts",
        {"id": case_id, "token": token},
    )
    if failures is None:
        return
    await tx.run(
        "UPDATE cases SET decide_error = CASE WHEN decide_attempts >= %(most)s THEN %(error)s::text END,"
        " woken_at = clock_timestamp() + make_interval(secs => %(pause)s),"
        " lease_until = CASE WHEN lease_token = %(token)s THEN NULL ELSE lease_until END WHERE id = %(id)s",
        {"id": case_id, "token": token, "most": MAX_TRIES, "error": error, "pause": pause_seconds(failures)},
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
