"""The execute job: one committed action, sent at most once, and only if the world still is as its decision saw it.

claim (lease) ─► taken over? look it up ─► read the invoice ─► one transaction: lock, absorb, judge, ``started`` ─► send ─► outcome

The lease is short, so that a dead worker's action is soon taken over, and kept alive while the other side is waited for.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from api.jobs import effects, outcome
from api.jobs.absorb import absorb
from api.jobs.heartbeat import Hold, LeaseLost
from graph.bootstrap import Services
from memory import cases, messages, sending
from memory.cases import CaseRow
from memory.database import Write
from memory.messages import MessageRow, MessageState
from memory.outbox import ActionRow, ActionState
from recoup.absolute_rules import hard_rules, tried_meanwhile
from recoup.actions import RiskClass
from recoup.clock import wall_now
from recoup.errors import Busy, DatabaseUnavailable, Malformed, Misconfigured, NotFound, OutcomeUnknown, Refused, Retryable
from recoup.events import Reading
from recoup.facts import CaseFacts
from recoup.gate import mode_for
from recoup.house_rules import postponement
from recoup.policy import Mode
from recoup.ports import (
    LONGEST_EFFECT_SECONDS,
    LONGEST_READING_SECONDS,
    Absent,
    BillingPlatform,
    Effect,
    EffectLookup,
    EffectResult,
    Found,
    Indeterminate,
    OutgoingMessage,
)
from recoup.proposal import RuleHit
from recoup.rule_book import speaks
from recoup.settings import Connection
from tools.starting import started_only_while

log = logging.getLogger(__name__)

# A message that could not be sent for a day is not sent later: a person decides.
MESSAGE_KEY_SECONDS = 86_400.0
KILL_SWITCH_PAUSE_SECONDS = 15.0
# So long after it was sent a platform may still be working on what it has not answered.
SETTLED_AFTER = timedelta(seconds=2 * LONGEST_EFFECT_SECONDS)

KILL_SWITCH = "kill-switch"
UNSENT = frozenset({MessageState.PLANNED, MessageState.UNKNOWN})


class Errand(NamedTuple):
    """A claimed action with what is needed to look it up and to send it."""

    action: ActionRow
    hold: Hold
    connection: Connection
    platform: BillingPlatform
    effect: Effect


class Outgoing(NamedTuple):
    """An action that has just started. ``message`` is set where it is a letter; ``is_first``: it was never on the wire before."""

    errand: Errand
    message: OutgoingMessage | None
    is_first: bool


async def run(services: Services, action_id: str) -> None:
    """Moves the action on, if it is due and nobody else holds it. What raises has been put off on the row already."""
    now, since = await services.clock.now(), services.time.now()
    async with services.db.write() as tx:
        action = await sending.claim(tx, action_id, wall=wall_now(), now=now)
    if action is None:
        return
    try:
        await _advance(services, action, since)
    except Busy as exc:
        # Voided by news, or taken over because we were slow: whoever did it has written what holds.
        log.info("%s", exc)
    except DatabaseUnavailable:
        raise
    except Exception as exc:
        # Where it has started meanwhile this is Busy: its lease runs out, and then it is looked up.
        with suppress(Busy):
            await _put_off(services, action, f"unexpected {type(exc).__name__}")
        raise


async def _advance(services: Services, action: ActionRow, since: float) -> None:
    if action.risk is RiskClass.INTERNAL:
        await _perform_internal(services, action)
        return
    errand = await _prepare(services, action, since)
    was_sent = action.state is not ActionState.READY or action.first_sent_at is not None
    if was_sent and not await _surely_did_not_happen(services, errand):
        return
    read_at = await services.clock.now()
    try:
        reading = await _read(errand)
    except (Retryable, OutcomeUnknown, TimeoutError) as exc:
        await _put_off(services, action, f"the invoice could not be read: {exc or 'no answer in time'}")
        return
    outgoing = await _start(services, errand, reading, read_at)
    if outgoing is not None:
        await _send(services, outgoing)


async def _perform_internal(services: Services, action: ActionRow) -> None:
    """Rows of ours and the word that they are written, in one transaction: there is nothing to lose on a wire."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        await outcome.lock(tx, action)
        await effects.perform_internal(tx, action, now)
        await sending.finish(tx, action, ActionState.DONE, at=now)


async def _prepare(services: Services, action: ActionRow, since: float) -> Errand:
    async with services.db.read() as session:
        case = await cases.get(session, action.case_id)
        effect = await sending.effect_of(session, action)
    connection = services.connections.get(case.connection)
    if connection is None:
        raise Misconfigured(f"connection {case.connection} has actions to send but is not in recoup.toml; add it again")
    return Errand(action, hold_of(services, action, since), connection, services.billing[case.connection], effect)


def hold_of(services: Services, action: ActionRow, since: float) -> Hold:
    """The lease that the action was claimed with; ``since`` is the monotonic instant before that."""

    async def renew() -> bool:
        async with services.db.write() as tx:
            return await sending.renew(tx, action, wall=wall_now())

    return Hold(f"the lease on action {action.id}", renew, seconds=sending.LEASE_SECONDS, time=services.time, since=since)


async def _surely_did_not_happen(services: Services, errand: Errand) -> bool:
    """Looks up what a dead worker began, or whose answer was ever lost. Only what surely did not happen, while its key still protects
    it from happening twice, may be sent again."""
    action = errand.action
    is_protected = action.key_valid_until is not None and wall_now() < action.key_valid_until
    lookup = await _look_up(services, errand)
    match lookup:
        case Found(result=result):
            await outcome.record_result(services, action, result)
        case Absent() if is_protected:
            return True
        case Absent():
            await outcome.record_ambiguous(services, action, "It was not found, but its idempotency key is too old to send it again")
        case Indeterminate(why=why):
            await outcome.record_ambiguous(services, action, why)
        case None if is_protected:
            await outcome.record_lost(services, action, "It could not be looked up yet")
        case None:
            await outcome.record_ambiguous(services, action, "It could not be looked up while its idempotency key was valid")
    return False


async def _look_up(services: Services, errand: Errand) -> EffectLookup | None:
    """What the other side says of it; None where it does not answer now."""
    try:
        async with errand.hold.kept(LONGEST_READING_SECONDS):
            if errand.action.risk is RiskClass.CONTACT:
                return await services.messenger.find(errand.action.id)
            return await errand.platform.find_effect(errand.effect)
    except (Retryable, OutcomeUnknown, Refused, TimeoutError) as exc:
        log.warning("action %s cannot be looked up: %s", errand.action.id, exc or "no answer in time")
        return None


async def _read(errand: Errand) -> Reading | None:
    """The invoice as it stands now; None where the platform cannot be read and the newest event is what there is."""
    if "read" not in errand.platform.capabilities:
        return None
    async with errand.hold.kept(LONGEST_READING_SECONDS):
        return await errand.platform.read_invoice(errand.effect.invoice_vendor_id)


async def _start(services: Services, errand: Errand, reading: Reading | None, read_at: datetime) -> Outgoing | None:
    """The last look at the world and the word ``started``, under the locks that every news takes: after a payment, a cancellation, an
    opt-out or a hold has committed nothing starts, and what starts first is seen by them."""
    now, action = await services.clock.now(), errand.action
    _, policy = await services.policies.current()
    async with services.db.write() as tx:
        if reading is not None:
            await absorb(tx, errand.connection, policy, reading, now)
        case = await outcome.lock(tx, action)
        if not await sending.still_held(tx, action):
            # Voided by the very news that was just absorbed, which is to be kept.
            return None
        facts = await services.facts.load_in(tx, action.case_id, now, excluding_action=action.id)
        if reading is None:
            read_at = facts.invoice.read_at
        elif now - read_at > timedelta(seconds=policy.freshness.reading_seconds):
            await outcome.wait(tx, action, "the reading is too old already", now, pause_seconds=0)
            return None
        message = await messages.of_action(tx, action.id)
        if mode_for(facts, policy) is Mode.SHADOW:
            await _give_up(tx, action, case, "shadow mode: nothing is executed", now)
            return None
        refusals = _refusals(action, facts, message)
        if any(hit.rule == KILL_SWITCH for hit in refusals):
            await outcome.wait(tx, action, "the kill switch is on", now, pause_seconds=KILL_SWITCH_PAUSE_SECONDS)
            return None
        if refusals:
            await _give_up(tx, action, case, "; ".join(hit.says for hit in refusals), now)
            return None
        late = postponement(action.action, facts, policy)
        if late is not None and late.not_before is not None:
            await outcome.postpone(tx, action, late.detail, late.not_before, now)
            return None
        return await _begin(tx, services, errand, message, now=now, read_at=read_at)


async def _give_up(tx: Write, action: ActionRow, case: CaseRow, why: str, now: datetime) -> None:
    """It is not to happen any more. What was on the wire a moment ago may still be worked on there, whatever a look has just said: to send
    it again would be safe under its key, to call it void would not."""
    settled_at = action.started_at + SETTLED_AFTER if action.first_sent_at and action.started_at else now
    if now < settled_at:
        await outcome.wait(tx, action, f"it may still happen there: {why}", now, pause_seconds=(settled_at - now).total_seconds())
    else:
        await outcome.void(tx, action, case, why, now)


def _refusals(action: ActionRow, facts: CaseFacts, message: MessageRow | None) -> tuple[RuleHit, ...]:
    """Why it may not start. House rules were judged when it was committed and its room is reserved since."""
    hits = hard_rules(action.action, facts)
    meanwhile = tried_meanwhile(action.action, facts, action.created_at)
    if meanwhile is not None:
        return (*hits, meanwhile)
    if action.risk is RiskClass.CONTACT and (message is None or message.state not in UNSENT):
        return (*hits, speaks("message-already-sent", "its message is no longer planned"))
    return hits


async def _begin(
    tx: Write, services: Services, errand: Errand, message: MessageRow | None, *, now: datetime, read_at: datetime
) -> Outgoing | None:
    action, letter = errand.action, None
    if message is not None:
        try:
            letter = await effects.write_message(tx, action, services.settings.mail_from)
        except (Malformed, NotFound) as exc:
            await outcome.bury(tx, action, str(exc), now)
            return None
    since = services.time.now()
    key_valid_seconds = MESSAGE_KEY_SECONDS if letter else errand.platform.key_valid_seconds
    started = await sending.begin(tx, action, now=now, read_at=read_at, wall=wall_now(), key_valid_seconds=key_valid_seconds)
    errand.hold.was_renewed(since)
    # What the last reading told is known now, and cannot be the outcome.
    effect = await sending.effect_of(tx, started)
    return Outgoing(errand._replace(action=started, effect=effect), letter, is_first=action.first_sent_at is None)


async def _send(services: Services, outgoing: Outgoing) -> None:
    """Sends while the lease surely is ours, or not at all: when it is over somebody else looks it up and may send it."""
    action, hold, is_first = outgoing.errand.action, outgoing.errand.hold, outgoing.is_first
    if not hold.is_surely_ours():
        await outcome.record_not_done(services, action, "too little of the lease was left to send", is_first=is_first)
        return
    try:
        async with hold.kept(LONGEST_EFFECT_SECONDS):
            with started_only_while(hold.is_surely_ours):
                result = await _hand_over(services, outgoing)
    except (OutcomeUnknown, TimeoutError, LeaseLost) as exc:
        await outcome.record_lost(services, action, f"the answer was lost: {exc or 'no answer in time'}")
    except (Retryable, Misconfigured) as exc:
        await outcome.record_not_done(services, action, str(exc), is_first=is_first)
    else:
        await outcome.record_result(services, action, result)


async def _hand_over(services: Services, outgoing: Outgoing) -> EffectResult:
    if outgoing.message is not None:
        return await services.messenger.send(outgoing.message)
    return await outgoing.errand.platform.perform(outgoing.errand.effect)


async def _put_off(services: Services, action: ActionRow, why: str) -> None:
    """Nothing was sent now. What had never started is tried again a limited number of times; the rest must be looked up again first."""
    if action.state is ActionState.READY:
        await outcome.record_failed_try(services, action, why)
    else:
        await outcome.record_lost(services, action, why)
