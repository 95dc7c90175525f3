"""Writes what came back from the other side: one transaction, which also settles what the action had reserved."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from api.jobs.absorb import absorb_fact
from graph.bootstrap import Services
from memory import cases, inbox, invoices, ledger, messages, outbox, postponing, queue, sending, standing, tasks, timers
from memory.cases import CaseRow
from memory.database import Write
from memory.outbox import ActionRow, ActionState
from recoup.actions import ActionName, ExtendGraceArgs, Queue, RiskClass, typed_args
from recoup.case import CaseStatus, Fact, FactKind
from recoup.clock import wall_now
from recoup.digest import canonical_json
from recoup.events import EventIdentity
from recoup.people import Person
from recoup.ports import EffectResult


class Settlement(NamedTuple):
    """What an action's end makes of its reservation and of its message."""

    reservation: Literal["confirmed", "released", "unknown"]
    message: Literal["sent", "void", "unknown"]


HAPPENED = Settlement("confirmed", "sent")
DID_NOT_HAPPEN = Settlement("released", "void")
NOBODY_KNOWS = Settlement("unknown", "unknown")

ACTION_RESULT = "recoup.action_result"
CHANGES_THE_INVOICE = frozenset({RiskClass.CHARGE, RiskClass.ACCOUNT})


async def lock(tx: Write, action: ActionRow) -> CaseRow:
    """Account, then case: the order in which everybody locks."""
    await invoices.lock_account(tx, action.account_id)
    return await cases.lock(tx, action.case_id)


async def record_result(services: Services, action: ActionRow, result: EffectResult) -> None:
    """The other side answered: it did it, or it refused to. Raises Busy where the action was taken over meanwhile."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        await lock(tx, action)
        if result.state == "done":
            await sending.finish(tx, action, ActionState.DONE, at=now, result=result)
            await _happened(tx, action, now=now, actor="worker")
        else:
            await sending.finish(tx, action, ActionState.FAILED, at=now, result=result, why=result.detail)
            await _settle(tx, action, DID_NOT_HAPPEN, now)
            named = f" (its request {result.request_id})" if result.request_id else ""
            await _ask_people(tx, action, f"{action.name} was refused", f"The other side answered: {result.detail}{named}.", now)


async def record_not_done(services: Services, action: ActionRow, why: str, *, is_first: bool = False) -> None:
    """It surely did not happen: tried again after a pause, ``dead`` after the last try. ``is_first``: nor had it ever been on the wire
    before, so that it is as if it had never been sent."""
    now, wall = await services.clock.now(), wall_now()
    async with services.db.write() as tx:
        if is_first:
            await sending.take_back(tx, action)
        if action.attempts < sending.MAX_TRIES:
            next_try_at = wall + timedelta(seconds=sending.pause_seconds(action.attempts))
            await sending.try_later(tx, action, ActionState.READY, why=why, at=now, next_try_at=next_try_at)
            return
        await lock(tx, action)
        await bury(tx, action, why, now)


async def record_failed_try(services: Services, action: ActionRow, why: str) -> None:
    """It failed before it could start: a try like any other."""
    async with services.db.write() as tx:
        counted = await sending.count_try(tx, action)
    await record_not_done(services, counted, why)


async def wait(tx: Write, action: ActionRow, why: str, now: datetime, *, pause_seconds: float) -> None:
    """It may not start right now, through no fault of its own. What was sent before is looked up again first."""
    state = ActionState.READY if action.state is ActionState.READY else ActionState.UNKNOWN
    await sending.try_later(tx, action, state, why=why, at=now, next_try_at=wall_now() + timedelta(seconds=pause_seconds))


async def postpone(tx: Write, action: ActionRow, why: str, until: datetime, now: datetime) -> None:
    """It missed the hours in which the customer may be written to; it waits until they come again. The caller holds the locks."""
    await wait(tx, action, why, now, pause_seconds=0)
    await postponing.postpone(tx, action.id, action.case_id, until=until, why=why, at=now)


async def record_lost(services: Services, action: ActionRow, why: str) -> None:
    """It may have happened. It will be looked up, first soon, then ever more seldom."""
    now, wall = await services.clock.now(), wall_now()
    since_first_send = wall - (action.first_sent_at or wall)
    pause = min(max(since_first_send, timedelta(seconds=sending.FIRST_PAUSE_SECONDS)), timedelta(seconds=sending.LONGEST_PAUSE_SECONDS))
    async with services.db.write() as tx:
        await sending.try_later(tx, action, ActionState.UNKNOWN, why=why, at=now, next_try_at=wall + pause)


async def record_ambiguous(services: Services, action: ActionRow, why: str) -> None:
    """Nobody can tell by reading: it counts as used, is never sent again, and a person is asked, once."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        await lock(tx, action)
        await sending.leave_to_a_person(tx, action, why=why, at=now)
        await _settle(tx, action, NOBODY_KNOWS, now)
        body = f"{why}. Look whether it happened, then settle action {action.id} as happened or not. It is not sent again by itself."
        await _ask_people(tx, action, f"Did {action.name} happen?", body, now)


async def bury(tx: Write, action: ActionRow, why: str, now: datetime) -> None:
    """``dead``: not done, not tried again by itself, and a person knows. The caller holds the locks."""
    await sending.finish(tx, action, ActionState.DEAD, at=now, why=why)
    await _settle(tx, action, DID_NOT_HAPPEN, now)
    await _ask_people(tx, action, f"{action.name} could not be done", f"Given up after {action.attempts} tries: {why}.", now)


async def void(tx: Write, action: ActionRow, case: CaseRow, why: str, now: datetime) -> None:
    """It must not start any more, since what it rested on has changed: an open case wants a new decision. The caller holds the locks."""
    await sending.finish(tx, action, ActionState.VOID, at=now, why=why)
    await timers.cancel_for_case(tx, case.id, now, kinds=["execute"], action_id=action.id)
    await _settle(tx, action, DID_NOT_HAPPEN, now)
    if case.status is CaseStatus.OPEN:
        await cases.want_decision(tx, case.id, "facts_changed")


async def resolve_unknown(services: Services, person: Person, action_id: str, *, happened: bool) -> None:
    """A person has looked. Raises NotFound, or Conflict where the action does not wait for a person."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        action = await outbox.get(tx, action_id)
        case = await lock(tx, action)
        # Void, not failed: what surely never happened may be decided on again.
        state = ActionState.DONE if happened else ActionState.VOID
        await sending.settle_by_person(tx, action, state, person=person.name, at=now)
        if happened:
            await _happened(tx, action, now=now, actor=person.name)
        else:
            await _settle(tx, action, DID_NOT_HAPPEN, now)
            if case.status is CaseStatus.OPEN:
                await cases.want_decision(tx, case.id, "action_did_not_happen")
        await tasks.done_for_action(tx, action_id, person=person.name, at=now)


async def _happened(tx: Write, action: ActionRow, *, now: datetime, actor: str) -> None:
    await _settle(tx, action, HAPPENED, now)
    await _change_standing(tx, action, now=now, actor=actor)
    if action.risk in CHANGES_THE_INVOICE:
        await _let_result_enter(tx, action)


async def _settle(tx: Write, action: ActionRow, end: Settlement, now: datetime) -> None:
    await ledger.settle(tx, action.id, end.reservation, now)
    await messages.settle(tx, action.id, end.message, now)


async def _change_standing(tx: Write, action: ActionRow, *, now: datetime, actor: str) -> None:
    """What the platform has done for us is also true of our own rows."""
    match action.name:
        case ActionName.EXTEND_GRACE:
            await _extend_grace(tx, action.case_id, typed_args(action.action, ExtendGraceArgs).until, now=now, actor=actor)
        case ActionName.SUSPEND_SERVICE | ActionName.REINSTATE_SERVICE:
            suspended = action.name is ActionName.SUSPEND_SERVICE
            await standing.set_suspended(tx, action.case_id, suspended, at=now, actor=actor)
        case ActionName.WRITE_OFF:
            await absorb_fact(tx, action.case_id, Fact(kind=FactKind.WRITTEN_OFF), now, actor=actor)
        case ActionName.REFER_TO_AGENCY:
            await absorb_fact(tx, action.case_id, Fact(kind=FactKind.HANDED_OFF), now, actor=actor)
        case _:
            pass


async def _extend_grace(tx: Write, case_id: str, until: datetime, *, now: datetime, actor: str) -> None:
    """When the grace is over the case is looked at again; an older end no longer counts."""
    await standing.set_grace(tx, case_id, until, at=now, actor=actor)
    await timers.cancel_for_case(tx, case_id, now, kinds=["end_grace"], actor=actor)
    await timers.set_timer(tx, case_id=case_id, kind="end_grace", due_at=until, reason="the grace is over", at=now, actor=actor)


async def _let_result_enter(tx: Write, action: ActionRow) -> None:
    """Results enter through the inbox like everything else: intake reads the invoice and draws the consequences."""
    case, effect = await cases.get(tx, action.case_id), await sending.effect_of(tx, action)
    # Each try that has a result is an event of its own.
    identity = EventIdentity(vendor_event_id=f"{action.id}:{action.attempts}", event_type=ACTION_RESULT, livemode=None)
    payload = canonical_json({"action_id": action.id, "invoice_vendor_id": effect.invoice_vendor_id})
    accepted = await inbox.accept(tx, case.connection, identity, "application/json", payload, wall_now())
    await queue.wake(tx, "intake", accepted.event_id)


async def _ask_people(tx: Write, action: ActionRow, title: str, body: str, now: datetime) -> None:
    await tasks.add(tx, kind="task", queue=Queue.BILLING_OPS, title=title, body=body, at=now, case_id=action.case_id, action_id=action.id)
