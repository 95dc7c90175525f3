"""Cases: rows of recovery episodes, moved by the lifecycle's transitions with all that hangs on them, in one transaction."""

from datetime import datetime, timedelta
from typing import LiteralString

from memory import approvals, audit, contacts, decisions, ledger, messages, mirror, outbox, queue, timers
from memory.database import Read, Write
from recoup.case import Case, CaseState, CaseStatus, Fact, Transition
from recoup.errors import Defect, NotFound
from recoup.ids import new_id
from recoup.record import Record

LEASE_SECONDS = 10.0

COLUMNS: LiteralString = """
    id, invoice_id, account_id, connection, episode, status, holds, version, priority, opened_at, first_failed_at, closed_at, attribution,
    winning_attempt_key, grace_until, suspended, simulated, overridden_rules, needs_decision, wanted_because, decide_attempts,
    decide_error"""


class CaseRow(Case):
    """A row of ``cases``. ``wanted_because`` says what asked for the decision that is wanted; ``decide_error`` that deciding is dead."""

    first_failed_at: datetime
    winning_attempt_key: str | None
    grace_until: datetime | None
    suspended: bool
    overridden_rules: tuple[str, ...]
    needs_decision: bool
    wanted_because: str | None
    decide_attempts: int
    decide_error: str | None

    @property
    def state(self) -> CaseState:
        """What the lifecycle needs of it."""
        return CaseState(
            episode=self.episode, status=self.status, holds=frozenset(self.holds), winning_attempt_key=self.winning_attempt_key
        )


class Opening(Record):
    """What a new episode's row needs besides its transition. ``is_holdout``: the account's arm, if this is its first case."""

    invoice_id: str
    account_id: str
    connection: str
    simulated: bool
    first_failed_at: datetime
    priority: float
    last_day: float
    is_holdout: bool


class Lease(Record):
    """The right to decide on a case for a while. ``token`` grows with every holder, so that who lost the lease without noticing can
    save nothing."""

    case_id: str
    token: int


async def get(session: Read, case_id: str) -> CaseRow:
    """One case; raises NotFound."""
    row = await session.one(CaseRow, "SELECT" + COLUMNS + " FROM cases WHERE id = %s", (case_id,))
    if row is None:
        raise NotFound(f"there is no case {case_id}")
    return row


async def lock(tx: Write, case_id: str) -> CaseRow:
    """Locks the case for the rest of the transaction, after its account; raises NotFound."""
    row = await tx.one(CaseRow, "SELECT" + COLUMNS + " FROM cases WHERE id = %s FOR UPDATE", (case_id,))
    if row is None:
        raise NotFound(f"there is no case {case_id}")
    return row


async def newest(tx: Write, invoice_id: str) -> CaseRow | None:
    """The invoice's newest episode, locked; None where there is none."""
    return await tx.one(
        CaseRow, "SELECT" + COLUMNS + " FROM cases WHERE invoice_id = %s ORDER BY episode DESC LIMIT 1 FOR UPDATE", (invoice_id,)
    )


async def open_of_account(session: Read, account_id: str) -> list[CaseRow]:
    """The account's open cases, oldest first."""
    return await session.all(
        CaseRow, "SELECT" + COLUMNS + " FROM cases WHERE account_id = %s AND status = 'open' ORDER BY id", (account_id,)
    )


async def open_case(tx: Write, opening: Opening, transition: Transition, fact: Fact, at: datetime, *, actor: str = "worker") -> str:
    """Opens an episode: its row, the timer that ends it, the account's arm of the experiment and, if wanted, its first decision."""
    case_id = new_id("case")
    holds = sorted(transition.holds)
    await tx.run(
        """
        INSERT INTO cases (id, invoice_id, account_id, connection, episode, status, holds, priority, opened_at, first_failed_at, simulated,
            woken_at)
        VALUES (%(id)s, %(invoice_id)s, %(account_id)s, %(connection)s, %(episode)s, 'open', %(holds)s, %(priority)s, %(at)s,
            %(first_failed_at)s, %(simulated)s, clock_timestamp())
        """,
        opening.model_dump() | {"id": case_id, "episode": transition.episode, "holds": holds, "at": at},
    )
    await contacts.fix_holdout(tx, opening.account_id, holdout=opening.is_holdout)
    data = {"reason": transition.reason, "fact": fact.kind, "episode": transition.episode, "holds": holds, "version": 1}
    await audit.append(tx, chain=case_id, subject=case_id, kind="case", state=CaseStatus.OPEN, actor=actor, at=at, data=data)
    await timers.set_timer(
        tx,
        case_id=case_id,
        kind="end_case",
        due_at=at + timedelta(days=opening.last_day),
        reason="the last day of the plan",
        at=at,
        actor=actor,
    )
    if transition.decide:
        await want_decision(tx, case_id, fact.kind)
    return case_id


async def apply(
    tx: Write, case: CaseRow, transition: Transition, fact: Fact, at: datetime, *, actor: str = "worker", why: str | None = None
) -> None:
    """Moves a case, locked by the caller, and everything that rests on it. A transition that opens goes to ``open_case``.

    ``why`` is a person's reason, kept in the audit.
    """
    if transition.opens:
        raise Defect(f"case {case.id} cannot become a new episode; open one")
    if transition.kind in {"none", "recorded"}:
        await _name_winner(tx, case, transition, at, actor)
        return
    await _write(tx, case, transition, fact, at, actor, why)
    if transition.ends or transition.void_pending:
        await void_pending(tx, case.id, transition.reason, at)
    if transition.ends:
        await timers.cancel_for_case(tx, case.id, at, actor=actor)
        await tx.run("UPDATE cases SET needs_decision = false WHERE id = %s", (case.id,))
    if transition.receipt or transition.decide:
        await want_decision(tx, case.id, fact.kind)


async def void_pending(tx: Write, case_id: str, why: str, at: datetime) -> None:
    """Nothing that was planned on the old facts happens any more. What may already be on the wire is not touched."""
    await decisions.supersede_live(tx, case_id, at)
    await approvals.void_for_case(tx, case_id, why, at)
    await timers.cancel_for_case(tx, case_id, at, kinds=["expire_approval", "execute"])
    await outbox.void_for_case(tx, case_id, why, at)
    await ledger.release_for_case(tx, case_id, at)
    await messages.void_for_case(tx, case_id)


async def want_decision(tx: Write, case_id: str, because: str) -> None:
    """Asks for a decision; ``because`` becomes its trigger. A decision that is being made rests on the old version and starts again."""
    await tx.run(
        "UPDATE cases SET needs_decision = true, wanted_because = %s, version = version + 1, decide_attempts = 0, decide_error = NULL,"
        " woken_at = clock_timestamp() WHERE id = %s",
        (because, case_id),
    )
    await queue.wake(tx, "decide", case_id)


async def want_decisions_denied_by(tx: Write, rule: str, because: str) -> None:
    """Open cases whose newest decision the rule denied something are decided anew: what denied it is gone."""
    rows = await tx.dicts(
        "SELECT c.id FROM cases c WHERE c.status = 'open' AND EXISTS (SELECT FROM actions a WHERE a.denied_rule = %s AND a.decision_id ="
        " (SELECT d.id FROM decisions d WHERE d.case_id = c.id ORDER BY d.created_at DESC, d.id DESC LIMIT 1)) ORDER BY c.id",
        (rule,),
    )
    for row in rows:
        await want_decision(tx, row["id"], because)


async def bump(tx: Write, case_id: str) -> None:
    """Something that a decision on the case rests on has changed, though none is wanted for it."""
    await tx.run("UPDATE cases SET version = version + 1 WHERE id = %s", (case_id,))


async def bump_open_of_account(tx: Write, account_id: str) -> None:
    """The same for all open cases of the account."""
    await tx.run("UPDATE cases SET version = version + 1 WHERE account_id = %s AND status = 'open'", (account_id,))


async def set_priority(tx: Write, case_id: str, priority: float) -> None:
    """Moves the case in the queues."""
    await tx.run("UPDATE cases SET priority = %s WHERE id = %s AND priority <> %s", (priority, case_id, priority))


async def take_lease(tx: Write, case_id: str) -> Lease | None:
    """Takes the case's lease for ten seconds of wall time; None where another worker holds it."""
    return await tx.one(
        Lease,
        "UPDATE cases SET lease_token = lease_token + 1, lease_until = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = %s AND (lease_until IS NULL OR lease_until <= clock_timestamp())"
        " RETURNING id AS case_id, lease_token AS token",
        (LEASE_SECONDS, case_id),
    )


async def renew_lease(tx: Write, case_id: str, token: int) -> bool:
    """Ten more seconds; False where the lease has gone to another worker, or has been given back."""
    renewed = await tx.run(
        "UPDATE cases SET lease_until = clock_timestamp() + make_interval(secs => %s)"
        " WHERE id = %s AND lease_token = %s AND lease_until IS NOT NULL",
        (LEASE_SECONDS, case_id, token),
    )
    return renewed == 1


async def release_lease(tx: Write, case_id: str, token: int) -> None:
    """Gives the lease back, if it is still ours."""
    await tx.run("UPDATE cases SET lease_until = NULL WHERE id = %s AND lease_token = %s", (case_id, token))


async def page(
    session: Read,
    *,
    status: CaseStatus | None = None,
    connection: str | None = None,
    account_id: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[CaseRow]:
    """By priority, highest first, from behind the case ``after``."""
    return await session.all(
        CaseRow,
        "SELECT"  # noqa: S608 - constants
        + COLUMNS
        + """
        FROM cases
        WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(connection)s::text IS NULL OR connection = %(connection)s)
          AND (%(account_id)s::text IS NULL OR account_id = %(account_id)s)
          AND (%(after)s::text IS NULL OR (-priority, id) > (SELECT -priority, id FROM cases WHERE id = %(after)s))
        ORDER BY priority DESC, id LIMIT %(limit)s
        """,
        {"status": status, "connection": connection, "account_id": account_id, "after": after, "limit": limit},
    )


async def _write(tx: Write, case: CaseRow, transition: Transition, fact: Fact, at: datetime, actor: str, why: str | None) -> None:
    holds = sorted(transition.holds)
    version = await tx.value(
        """
        UPDATE cases SET status = %(status)s, holds = %(holds)s, version = version + 1,
            closed_at = CASE WHEN %(ends)s THEN coalesce(closed_at, %(at)s) ELSE closed_at END,
            attribution = coalesce(%(attribution)s, attribution), winning_attempt_key = coalesce(%(winner)s, winning_attempt_key)
        WHERE id = %(id)s RETURNING version
        """,
        {
            "id": case.id,
            "status": transition.status,
            "holds": holds,
            "ends": transition.ends,
            "at": at,
            "attribution": transition.attribution,
            "winner": transition.winning_attempt_key,
        },
    )
    data = {
        "reason": transition.reason,
        "why": why,
        "fact": fact.kind,
        "attempt": fact.attempt_key,
        "attribution": transition.attribution,
        "holds": holds,
        "version": version,
    }
    kept = {key: value for key, value in data.items() if value is not None}
    state = transition.status or case.status
    await audit.append(tx, chain=case.id, subject=case.id, kind="case", state=state, actor=actor, at=at, data=kept)
    await mirror.want_again(tx, case.id)


async def _name_winner(tx: Write, case: CaseRow, transition: Transition, at: datetime, actor: str) -> None:
    """The invoice said "paid" before its payment was told: now we know which one it was."""
    winner = transition.winning_attempt_key
    if winner is None or case.winning_attempt_key is not None:
        return
    await tx.run(
        "UPDATE cases SET winning_attempt_key = %s, attribution = coalesce(%s, attribution) WHERE id = %s",
        (winner, transition.attribution, case.id),
    )
    data = {"reason": "its payment is known now", "attempt": winner, "attribution": transition.attribution, "holds": sorted(case.holds)}
    await audit.append(tx, chain=case.id, subject=case.id, kind="case", state=case.status, actor=actor, at=at, data=data)
