"""Whoever is faster: people, workers, payments and other cases meet in our rows, where exactly one of them wins."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from api.jobs import decide, resume
from graph.bootstrap import Services
from memory.approvals import ApprovalRow
from memory.database import Database
from memory.decisions import DecisionState
from memory.outbox import ActionState
from recoup.actions import ActionName
from recoup.approval import Approve, Edit, HumanDecision, Reject
from recoup.clock import FixedClock
from recoup.errors import Busy, Conflict
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptStatus, InvoiceStatus
from recoup.people import Person
from tests.deciding import (
    ADA,
    BO,
    CY,
    NO,
    YES,
    actions_of,
    asked,
    audit_agrees,
    decisions_of,
    edit,
    failure_of,
    give,
    holder_died,
    question,
    rows,
    set_policy,
    with_faults,
)
from tests.factories import NOW, account_snapshot, attempt_snapshot, invoice_snapshot
from tests.fakes import make_services
from tests.scenes import absorb_reading, change

CASES = 12
SEED = 20261120
NEXT_DAY = NOW + timedelta(days=1)
BECOMES = {Approve: ActionState.READY, Edit: ActionState.READY, Reject: ActionState.REJECTED}


async def work_until(job: Callable[[], Awaitable[None]], is_over: Callable[[], Awaitable[bool]]) -> None:
    """A worker that is woken again and again, whatever goes wrong, as the sweep does."""
    for _ in range(200):
        if await is_over():
            return
        try:
            await job()
        except (Busy, ConnectionError):
            await asyncio.sleep(0)
    pytest.fail("it does not come to an end")


async def answer(services: Services, approval: ApprovalRow, person: Person, given: HumanDecision) -> HumanDecision | None:
    """One of several people who answer at once; None for who was too late."""
    try:
        await give(services, approval, given, by=person)
    except Conflict:
        return None
    return given


async def settle(services: Services, decision_id: str) -> None:
    """One of several workers that carry the answer."""

    async def is_over() -> bool:
        return (await rows(services.db, "SELECT state FROM decisions WHERE id = %s", decision_id)) == [("done",)]

    await work_until(lambda: resume.run(services, decision_id), is_over)


async def one_case(services: Services, faulty: Services, number: int) -> None:
    """Asked, answered by three people at once, carried by three workers at once."""
    case_id = await absorb_reading(services, failure_of(number))
    assert case_id is not None

    async def is_asked() -> bool:
        return (await rows(services.db, "SELECT state FROM decisions WHERE case_id = %s AND state = 'waiting'", case_id)) != []

    async def decide_again() -> None:
        # However many faults in a row: this is not about giving up.
        await change(services.db, "UPDATE cases SET decide_attempts = 0 WHERE id = %s", case_id)
        await decide.run(faulty, case_id)

    await work_until(decide_again, is_asked)
    approval = await question(services.db, case_id)
    given = (YES, NO, edit(approval, template="payment_failed_neutral_first"))
    told = await asyncio.gather(*(answer(services, approval, p, g) for p, g in zip((ADA, BO, CY), given, strict=True)))
    await asyncio.gather(*(settle(worker, approval.decision_id) for worker in (services, faulty, faulty)))

    [won] = [one for one in told if one is not None]
    [action] = [action for action in await actions_of(services.db, case_id) if action.id in approval.action_ids]
    assert action.state is BECOMES[type(won)]
    template = "payment_failed_neutral_first" if isinstance(won, Edit) else approval.request.action_requests[0].args["template"]
    assert action.args["template"] == template
    moves = await rows(services.db, "SELECT state FROM audit_log WHERE subject = %s ORDER BY n", action.id)
    assert moves == [("waiting",), (str(action.state),)]


async def test_three_approvers_and_three_workers_make_one_answer(db: Database) -> None:
    services = make_services(db)
    dice = random.Random(SEED)
    faulty, saver = with_faults(services)
    saver.plan = lambda _: dice.choice([None, None, None, "before", "after"])

    await asyncio.gather(*(one_case(services, faulty, number) for number in range(CASES)))

    assert saver.faults > 0
    ready = await rows(db, "SELECT count(*) FROM actions WHERE state = 'ready'")
    assert ready == await rows(db, "SELECT count(*) FROM reservations WHERE state = 'reserved'")
    assert await rows(db, "SELECT status, count(*) FROM approvals WHERE used_at IS NOT NULL GROUP BY status") == [("decided", CASES)]
    assert await rows(db, "SELECT 1 FROM decisions WHERE state IN ('running', 'waiting')") == []
    await audit_agrees(db)


async def test_many_workers_on_one_case_make_one_decision(db: Database) -> None:
    services = make_services(db)
    case_id = await absorb_reading(services)
    assert case_id is not None
    await asyncio.gather(*(decide.run(services, case_id) for _ in range(6)))
    assert [decision.state for decision in await decisions_of(db, case_id)] == [DecisionState.WAITING]


def paid(number: int) -> Reading:
    """The customer has paid."""
    name, later = f"{number:03}", NOW + timedelta(minutes=5)
    won = attempt_snapshot(
        vendor_key=f"ch_{name}_2",
        charge_vendor_id=f"ch_{name}_2",
        credential_vendor_id=f"pm_{name}",
        occurred_at=later,
        observed_at=later,
        status=AttemptStatus.SUCCEEDED,
        codes=None,
    )
    settled = {"observed_at": later, "status": InvoiceStatus.PAID, "paid_minor": 4900, "remaining_minor": 0}
    before = failure_of(number)
    assert before.invoice is not None
    return before.model_copy(
        update={
            "kind": EventKind.PAYMENT_SUCCEEDED,
            "event_type": "invoice.paid",
            "occurred_at": later,
            "invoice": before.invoice.model_copy(update=settled),
            "attempts": (*before.attempts, won),
        }
    )


async def test_a_payment_that_meets_the_answer_leaves_nothing_to_run(db: Database) -> None:
    services = make_services(db)

    async def one(number: int) -> None:
        approval = await asked(services, failure_of(number))
        await asyncio.gather(
            answer(services, approval, ADA, YES), absorb_reading(services, paid(number)), resume.run(services, approval.decision_id)
        )
        await resume.run(services, approval.decision_id)
        [action] = [action for action in await actions_of(db, approval.case_id) if action.id in approval.action_ids]
        assert action.state is ActionState.VOID

    await asyncio.gather(*(one(number) for number in range(CASES)))
    assert await rows(db, "SELECT 1 FROM reservations WHERE state = 'reserved'") == []
    assert await rows(db, "SELECT 1 FROM messages WHERE state = 'planned'") == []
    await audit_agrees(db)


ROOM_FOR_ONE_RETRY = """
mode = "auto"
[house]
hours_between_attempts = 0
attempts_per_credential_30_days = 3
"""


async def retries(db: Database) -> int:
    """How many attempts hold room."""
    [(count,)] = await rows(db, "SELECT count(*) FROM reservations WHERE kind = 'attempt' AND state = 'reserved'")
    return int(count)


async def retry_states(db: Database, case_id: str) -> list[ActionState]:
    """What became of the case's retries."""
    return [action.state for action in await actions_of(db, case_id) if action.name is ActionName.RETRY_PAYMENT]


async def test_two_cases_on_one_card_do_not_both_take_its_last_room(db: Database) -> None:
    at_first, services = make_services(db), make_services(db, clock=FixedClock(NEXT_DAY))
    await set_policy(services, ROOM_FOR_ONE_RETRY)
    first, second = [await absorb_reading(at_first, failure_of(number, card="fp_shared")) for number in (1, 2)]
    assert first is not None
    assert second is not None
    slow, saver = with_faults(services)
    saver.meanwhile = lambda: decide.run(services, second)

    await decide.run(slow, first)

    assert await retries(db) == 1
    assert await retry_states(db, second) == [ActionState.READY]
    assert await retry_states(db, first) == [], "it looked again under the lock, and waits for the other's answer"
    assert [d.state for d in await decisions_of(db, first)] == [DecisionState.SUPERSEDED, DecisionState.DONE]
    await audit_agrees(db)


async def test_any_number_of_cases_on_one_card_keep_its_cap(db: Database) -> None:
    at_first, services = make_services(db), make_services(db, clock=FixedClock(NEXT_DAY))
    await set_policy(services, ROOM_FOR_ONE_RETRY.replace("= 3", "= 8"))
    opened = [await absorb_reading(at_first, failure_of(number, card="fp_shared")) for number in range(6)]
    await asyncio.gather(*(decide.run(services, case_id) for case_id in opened if case_id))
    for case_id in opened:
        assert case_id is not None
        await holder_died(db, case_id)
        await decide.run(services, case_id)
    assert await retries(db) == 1, "there is room for two, but the second waits for the answer of the first"


def second_invoice() -> Reading:
    """Another failed invoice of the first customer's, charged to the same card."""
    invoice = invoice_snapshot(vendor_id="in_002", account_vendor_id="cus_001", subscription_vendor_id="sub_002")
    first, second = failure_of(1), failure_of(2)
    attempts = tuple(one.model_copy(update={"credential_vendor_id": first.credentials[0].vendor_id}) for one in second.attempts)
    told = {"account": account_snapshot(vendor_id="cus_001"), "invoice": invoice, "credentials": first.credentials, "attempts": attempts}
    return second.model_copy(update=told)


async def test_two_invoices_of_one_customer_do_not_both_write_today(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"')
    first, second = [await absorb_reading(services, reading) for reading in (failure_of(1), second_invoice())]
    assert first is not None
    assert second is not None
    slow, saver = with_faults(services)
    saver.meanwhile = lambda: decide.run(services, second)

    await decide.run(slow, first)

    assert await rows(db, "SELECT case_id FROM reservations WHERE kind = 'contact' AND state = 'reserved'") == [(second,)]
    assert ActionState.READY not in [action.state for action in await actions_of(db, first)]


async def test_two_approved_messages_to_one_customer_do_not_both_go_today(db: Database) -> None:
    services = make_services(db)
    for reading in (failure_of(1), second_invoice()):
        await absorb_reading(services, reading)
    first, second = [await decided(services, case_id) for (case_id,) in await rows(db, "SELECT id FROM cases ORDER BY id")]
    for approval in (first, second):
        await give(services, approval)
    slow, saver = with_faults(services)
    saver.meanwhile = lambda: resume.run(services, second.decision_id)

    await resume.run(slow, first.decision_id)

    assert await rows(db, "SELECT case_id FROM reservations WHERE state = 'reserved'") == [(second.case_id,)]
    assert [action.state for action in await actions_of(db, first.case_id)] == [ActionState.VOID]
    await audit_agrees(db)


async def decided(services: Services, case_id: str) -> ApprovalRow:
    """The question that deciding the case comes to."""
    await decide.run(services, case_id)
    return await question(services.db, case_id)
