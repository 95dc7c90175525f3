"""The one transaction that turns what a decision came to into rows: actions, reservations, timers, the approval, and the audit of all.

Until it commits nothing has happened; after it everything has. A crash in between costs a run of the graph.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from api.jobs import mirror
from api.jobs.advance import Ended, Paused
from api.jobs.room import LedgerKeys, lock_ledgers, needs_room, reserve
from graph.bootstrap import Services
from graph.recheck import recheck
from graph.state import (
    RecoveryState,
    Settled,
    actions_of,
    facts_of,
    policy_of,
    proposals_of,
    route_of,
    settled_of,
    signals_of,
    verdicts_of,
    wake_of,
)
from memory import approvals, cases, deciding, decisions, outbox, postponing, queue, texts, timers
from memory.approvals import ApprovalRow
from memory.cases import Lease
from memory.database import Write
from memory.decisions import Conclusion, DecisionState
from memory.outbox import ActionState, Change, NewAction
from recoup.case import CaseStatus
from recoup.errors import Busy
from recoup.facts import CaseFacts
from recoup.gate import judge
from recoup.proposal import Answer, Proposed, Verdict, Wait

LOOK_AGAIN_AFTER = timedelta(days=1)

STATE_OF: dict[Answer, ActionState] = {
    Answer.DENY: ActionState.DENIED,
    Answer.SHADOW: ActionState.SHADOWED,
    Answer.ASK: ActionState.WAITING,
    Answer.RUN: ActionState.READY,
}

Judged = Sequence[tuple[Proposed, Verdict]]


async def commit_decision(services: Services, lease: Lease, decision_id: str, run: Paused | Ended, now: datetime) -> None:
    """Commits a run that has ended, or that waits for a person.

    Raises Busy where the case moved on meanwhile, or the room that the gate saw is taken: the decision is then made again.
    """
    state, facts = run.state, facts_of(run.state)
    judged = tuple(zip(actions_of(state), verdicts_of(state), strict=True))
    ready = [proposed for proposed, verdict in judged if verdict.answer is Answer.RUN]
    async with services.db.write() as tx:
        if not await deciding.finish(tx, lease, facts.case.version):
            raise Busy(f"case {facts.case.id} moved on while it was decided")
        if state.get("fresh"):
            await texts.keep_readings(tx, facts.texts)
            await decisions.facts_as_read(tx, decision_id, facts)
        keys = await _look_again(tx, services, state, ready)
        approval_id = await _ask(tx, decision_id, run, now) if isinstance(run, Paused) else None
        rows = _rows(judged, approval_id)
        await outbox.insert(tx, rows, decision_id=decision_id, case_id=facts.case.id, account_id=facts.account.id, at=now)
        await reserve(tx, ready, keys, facts, now)
        await _wake_later(tx, facts, wake_of(state) or (None if approval_id else _fallback(now)), now)
        reached = DecisionState.WAITING if approval_id else DecisionState.DONE
        conclusion = _conclusion(state, "asks a person", services.tracer.run_id(decision_id))
        await decisions.conclude(tx, decision_id, facts.case.id, reached, conclusion, at=now)
        await mirror.tell(tx, services, facts, policy_of(state))
        await _let_go(tx, facts, [verdict for _, verdict in judged if verdict.answer is Answer.RUN], now)


async def commit_answer(services: Services, lease: Lease, approval: ApprovalRow, run: Ended, now: datetime) -> None:
    """Commits what a person's answer came to, and uses the approval up. Where the world is no longer what was shown, nothing of the
    answer stands and a new decision is wanted.

    Raises Busy where another worker took the case, Conflict where the approval was voided meanwhile.
    """
    state, facts = run.state, facts_of(run.state)
    _, policy = await services.policies.current()
    async with services.db.write() as tx:
        if not await deciding.hold(tx, lease):
            raise Busy(f"another worker took case {facts.case.id}")
        keys = await lock_ledgers(tx, _approved(state, settled_of(state)))
        fresh = await services.facts.load_in(tx, facts.case.id, now)
        if state.get("superseded_because") is None:
            # The graph looked without locks: what came since then counts too, and so does room that others took.
            state = state | recheck(state, fresh, policy) | RecoveryState(trace=state.get("trace", []))
        stale = state.get("superseded_because")
        if stale is not None:
            await start_over(tx, facts.case.id, f"superseded: {stale}", now)
            return
        await approvals.use(tx, approval, now)
        await outbox.set_states(tx, facts.case.id, [_change(s) for s in settled_of(state)], at=now, actor=approval.decided_by or "worker")
        ready = _approved(state, settled_of(state))
        await reserve(tx, ready, keys, fresh, now)
        if wake_of(state) is None:
            await _wake_later(tx, fresh, _fallback(now), now)
        conclusion = _conclusion(state, "answered", services.tracer.run_id(approval.decision_id))
        await decisions.conclude(tx, approval.decision_id, facts.case.id, DecisionState.DONE, conclusion, at=now)
        await mirror.tell(tx, services, fresh, policy)
        await _let_go(tx, facts, [one.verdict for one in settled_of(state) if one.answer != "reject"], now)


async def start_over(tx: Write, case_id: str, why: str, now: datetime) -> None:
    """The live decision no longer stands, and a new one is wanted. The caller holds account and case."""
    await deciding.supersede(tx, case_id, why, now)
    await cases.want_decision(tx, case_id, "superseded")


async def _look_again(tx: Write, services: Services, state: RecoveryState, ready: Sequence[Proposed]) -> LedgerKeys:
    """Judges what would run once more under the locks: another case may have taken the room since the graph looked."""
    if not needs_room(ready):
        return {}
    keys = await lock_ledgers(tx, ready)
    before, policy = facts_of(state), policy_of(state)
    fresh = await services.facts.load_in(tx, before.case.id, before.now)
    if (fresh.ledger, fresh.contacts) == (before.ledger, before.contacts):
        return keys
    for proposed in ready:
        verdict = judge(proposed, signals_of(state), fresh, policy)
        if verdict.answer is not Answer.RUN:
            raise Busy(f"{proposed.action.name} may not run any more: {verdict.reason}")
    return keys


async def _ask(tx: Write, decision_id: str, run: Paused, now: datetime) -> str:
    """Puts the question before people; a timer ends it."""
    case_id, policy = facts_of(run.state).case.id, policy_of(run.state)
    expires_at = now + timedelta(hours=policy.approvals.expire_after_hours)
    approval_id = await approvals.ask(tx, decision_id=decision_id, case_id=case_id, interrupt=run.interrupt, expires_at=expires_at, at=now)
    await timers.set_timer(
        tx,
        case_id=case_id,
        kind="expire_approval",
        due_at=expires_at,
        reason="nobody has answered",
        at=now,
        approval_id=approval_id,
    )
    return approval_id


async def _let_go(tx: Write, facts: CaseFacts, verdicts: Sequence[Verdict], now: datetime) -> None:
    """What is ready is executed: at once, or when the customer may be written to."""
    for verdict in verdicts:
        if verdict.postponed_until is None:
            await queue.wake(tx, "execute", verdict.action_id)
        else:
            why = verdict.rules[-1].detail
            await postponing.postpone(tx, verdict.action_id, facts.case.id, until=verdict.postponed_until, why=why, at=now)


async def _wake_later(tx: Write, facts: CaseFacts, wake: Wait | None, now: datetime) -> None:
    """An open case that nobody holds is never left without a wake-up; what an older decision had planned is forgotten."""
    if wake is None or facts.case.status is not CaseStatus.OPEN or facts.case.holds:
        await timers.cancel_for_case(tx, facts.case.id, now, kinds=["decide"])
    else:
        await timers.replace_timer(tx, case_id=facts.case.id, kind="decide", due_at=wake.until, reason=wake.reason, at=now)


def _fallback(now: datetime) -> Wait:
    return Wait(until=now + LOOK_AGAIN_AFTER, reason="nothing else would wake the case")


def _rows(judged: Judged, approval_id: str | None) -> list[NewAction]:
    return [
        NewAction(
            proposed=proposed,
            verdict=verdict,
            state=STATE_OF[verdict.answer],
            position=position,
            state_reason=_state_reason(verdict),
            approval_id=approval_id if verdict.answer is Answer.ASK else None,
        )
        for position, (proposed, verdict) in enumerate(judged)
    ]


def _state_reason(verdict: Verdict) -> str | None:
    if verdict.answer is Answer.RUN:
        return None
    return "; ".join(hit.says for hit in verdict.rules) if verdict.answer is Answer.DENY else verdict.reason


def _approved(state: RecoveryState, settled: Sequence[Settled]) -> list[Proposed]:
    """What a person said yes to, as it is to be done."""
    by_id = {proposed.id: proposed for proposed in actions_of(state)}
    return [by_id[one.action_id].model_copy(update={"action": one.action}) for one in settled if one.answer != "reject"]


def _change(settled: Settled) -> Change:
    if settled.answer == "reject":
        return Change(id=settled.action_id, state=ActionState.REJECTED, reason=settled.message or "a person said no")
    edited = settled.action if settled.answer == "edit" else None
    return Change(id=settled.action_id, state=ActionState.READY, action=edited, verdict=settled.verdict)


def _conclusion(state: RecoveryState, unfinished: str, trace_run_id: str | None) -> Conclusion:
    answered = {one.action_id: one.verdict for one in settled_of(state)}
    return Conclusion(
        route=route_of(state).to,
        proposals=proposals_of(state),
        verdicts=tuple(answered.get(verdict.action_id, verdict) for verdict in verdicts_of(state)),
        trace=tuple(dict(said) for said in state.get("trace", [])),
        outcome=state.get("outcome", unfinished),
        trace_run_id=trace_run_id,
    )
