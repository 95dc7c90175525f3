"""The mirror job: writes how a case stands, what comes next and what was done last to its platform, where the connection's ``mirror`` is
on. It is for people who look there: nothing rests on it, and whatever becomes of it nothing else waits.

decision, outcome or move of the case ─► row, in the same transaction ─► a little later: note made of the case's rows ─► written, if new
"""

import asyncio
import logging
from datetime import timedelta

from api.jobs.intake import describe
from graph.bootstrap import Services
from memory import cases, decisions, outbox
from memory import mirror as mirrors
from memory.database import Read, Write
from memory.mirror import Mirror
from memory.outbox import ActionRow, ActionState
from memory.switches import kill_switch_is_on
from recoup.actions import MOVES_MONEY, ActionName, ChargeArgs, RefundArgs, WriteOffArgs, typed_args
from recoup.clock import wall_now
from recoup.errors import DatabaseUnavailable, OutcomeUnknown, RecoupError, Retryable
from recoup.facts import CaseFacts
from recoup.gate import mode_for
from recoup.mirror import MirroredAction, MirroredCase, MirrorNote, note_of
from recoup.policy import Mode, Policy
from recoup.settings import Connection
from tools.http_limits import in_backfill

log = logging.getLogger(__name__)

NOTE = "note"
# Shorter than the lease: what hangs is an outage.
PATIENCE_SECONDS = 20.0
KILL_SWITCH_PAUSE_SECONDS = 30.0


async def tell(tx: Write, services: Services, facts: CaseFacts, policy: Policy) -> None:
    """Something was decided that the platform is to show, in the transaction that commits it. In shadow mode there is nothing."""
    connection = services.connections[facts.connection.name]
    if _is_on(services, connection) and mode_for(facts, policy) is not Mode.SHADOW:
        await mirrors.want(tx, facts.case.id, connection.name, wall_now())


async def run(services: Services, case_id: str) -> None:
    """Writes what there is to tell of a case; a no-op where nothing is, it is not due, or another worker has it."""
    wall = wall_now()
    async with services.db.write() as tx:
        held = await mirrors.claim(tx, case_id, wall)
        if held is not None and await kill_switch_is_on(tx):
            await mirrors.pause(tx, held, wall + timedelta(seconds=KILL_SWITCH_PAUSE_SECONDS))
            return
    if held is None:
        return
    try:
        note = await _note(services, held)
        if note is None or note.digest() == held.digest:
            async with services.db.write() as tx:
                await mirrors.leave(tx, held)
            return
        with in_backfill():
            async with asyncio.timeout(PATIENCE_SECONDS):
                await services.billing[held.connection].mirror(note)
    except DatabaseUnavailable:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it was stands on the row, is tried again and then dead: never lost, never a loop
        await _fail(services, held, exc)
        return
    now = await services.clock.now()
    async with services.db.write() as tx:
        await mirrors.written(tx, held, note, now)


def _is_on(services: Services, connection: Connection) -> bool:
    return connection.mirror and NOTE in services.billing[connection.name].capabilities


async def _note(services: Services, held: Mirror) -> MirrorNote | None:
    """What is to stand there now; None where nothing is any more: the switch or the mode has changed since."""
    connection = services.connections.get(held.connection)
    if connection is None or not _is_on(services, connection):
        return None
    _, policy = await services.policies.current()
    async with services.db.read() as session:
        decision = await decisions.newest_told(session, held.id)
        if decision is None or mode_for(decision.facts, policy) is Mode.SHADOW:
            return None
        case = await _case(session, held.id, decision.id, decision.facts)
        to = await mirrors.addressee(session, held.id, connection.mirror_tags)
    return note_of(case, to, held.version)


async def _case(session: Read, case_id: str, decision_id: str, facts: CaseFacts) -> MirroredCase:
    case = await cases.get(session, case_id)
    last = await mirrors.newest_outcome(session, case_id)
    return MirroredCase(
        id=case_id,
        decision_id=decision_id,
        status=case.status,
        holds=case.holds,
        attribution=case.attribution,
        closed_at=case.closed_at,
        category=facts.category,
        actions=tuple(_action(row) for row in await outbox.of_decision(session, decision_id)),
        last=_action(last) if last else None,
        wakes_at=await mirrors.wakes_at(session, case_id),
    )


def _action(row: ActionRow) -> MirroredAction:
    amount_minor, currency = _money(row)
    denied = row.verdict.rules[0].rule if row.state is ActionState.DENIED and row.verdict.rules else None
    return MirroredAction(
        name=row.name,
        risk=row.risk,
        state=row.state,
        amount_minor=amount_minor,
        currency=currency,
        not_before=row.hold_until,
        rule=denied,
        ended_at=row.finished_at or row.started_at,
    )


def _money(row: ActionRow) -> tuple[int | None, str | None]:
    """Only amounts that are typed as such: no other argument leaves."""
    if row.name in MOVES_MONEY:
        charge = typed_args(row.action, ChargeArgs)
        return charge.amount_minor, charge.currency
    if row.name is ActionName.WRITE_OFF:
        given_up = typed_args(row.action, WriteOffArgs)
        return given_up.amount_minor, given_up.currency
    if row.name is ActionName.REFUND_DUPLICATE:
        given_back = typed_args(row.action, RefundArgs)
        return given_back.amount_minor, given_back.currency
    return None, None


async def _fail(services: Services, held: Mirror, error: Exception) -> None:
    """What was not answered is tried again; what was refused is dead, and the next thing there is to tell is tried anew."""
    why, now, wall = describe(error), await services.clock.now(), wall_now()
    passes = isinstance(error, Retryable | OutcomeUnknown | TimeoutError) or not isinstance(error, RecoupError)
    log.warning("the note of case %s was not written: %s", held.id, why)
    async with services.db.write() as tx:
        if passes and held.attempts + 1 < mirrors.MAX_TRIES:
            await mirrors.try_later(tx, held, why, wall)
        else:
            await mirrors.give_up(tx, held, why, now)
