"""Brings real rows to where a test begins: an open case, a decision on it, an action committed and ready to be executed."""

from typing import LiteralString

from api.jobs.absorb import absorb
from graph.bootstrap import Services
from memory import decisions, ledger, messages, outbox
from memory.database import Database, Write
from memory.decisions import Stamp
from memory.ledger import AttemptReservation, ContactReservation
from memory.outbox import ActionRow, ActionState, NewAction
from recoup.actions import MOVES_MONEY, Action, ChargeArgs, RiskClass, typed_args
from recoup.events import Reading
from recoup.facts import CaseFacts
from recoup.ids import new_id
from recoup.proposal import Answer, Verdict
from tests.factories import make_message, make_reading, make_retry, proposed


async def absorb_reading(services: Services, reading: Reading | None = None) -> str | None:
    """Absorbs a reading, the default failure if none is given, and gives the id of its case."""
    now = await services.clock.now()
    _, policy = await services.policies.current()
    async with services.db.write() as tx:
        absorbed = await absorb(tx, services.connections["sandbox"], policy, reading or make_reading(), now)
    return absorbed.case_ids[0] if absorbed.case_ids else None


async def open_case(services: Services) -> CaseFacts:
    """The default world's case, with its facts."""
    case_id = await absorb_reading(services)
    assert case_id is not None
    return await services.facts.load(case_id, await services.clock.now())


def a_retry(facts: CaseFacts) -> Action:
    """A retry of all that remains on the case's credential."""
    assert facts.credential is not None
    return make_retry(credential_id=facts.credential.id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency)


def a_message(facts: CaseFacts) -> Action:
    """The first message of a soft decline."""
    return make_message(template="payment_failed_soft_first", step=1, invoice_ids=(facts.invoice.id,))


async def commit(services: Services, facts: CaseFacts, action: Action, state: ActionState = ActionState.READY) -> str:
    """Commits one action of a new decision as the deciding job does, with reservation and planned message; gives its id."""
    proposal, now = proposed(action), await services.clock.now()
    verdict = Verdict(action_id=proposal.id, answer=Answer.RUN, reason="for the test")
    decision_id = new_id("decision")
    async with services.db.write() as tx:
        await decisions.supersede_live(tx, facts.case.id, now)
        stamp = Stamp(policy_version=1, flow_version="test", prompts_digest="test")
        await decisions.start(tx, decision_id, facts=facts, stamp=stamp, trigger="test")
        new = NewAction(proposed=proposal, verdict=verdict, state=state, position=0)
        await outbox.insert(tx, [new], decision_id=decision_id, case_id=facts.case.id, account_id=facts.account.id, at=now)
        await _reserve(tx, facts, proposal.id, action)
    return proposal.id


async def committed(services: Services, action: Action | None = None) -> str:
    """An open case with one ready action, a retry if none is given; gives the action's id."""
    facts = await open_case(services)
    return await commit(services, facts, action or a_retry(facts))


async def action_of(db: Database, action_id: str) -> ActionRow:
    """The action as it stands."""
    async with db.read() as session:
        return await outbox.get(session, action_id)


async def change(db: Database, sql: LiteralString, *parameters: object) -> None:
    """Lets wall time pass, or somebody else write: one plain statement."""
    async with db.write() as tx:
        await tx.run(sql, parameters)


async def _reserve(tx: Write, facts: CaseFacts, action_id: str, action: Action) -> None:
    now = facts.now
    if action.name in MOVES_MONEY:
        args = typed_args(action, ChargeArgs)
        [key] = (await ledger.lock_credentials(tx, [args.credential_id])).values()
        wanted = AttemptReservation(action_id=action_id, ledger_key=key, amount_minor=args.amount_minor, currency=args.currency)
        await ledger.reserve(tx, [wanted], case_id=facts.case.id, at=now)
    if action.risk is RiskClass.CONTACT:
        reservation = ContactReservation(action_id=action_id, account_id=facts.account.id, channel="email")
        await ledger.reserve(tx, [reservation], case_id=facts.case.id, at=now)
        assert await messages.plan(tx, [(action_id, action)], case_id=facts.case.id, account_id=facts.account.id, at=now) == []
