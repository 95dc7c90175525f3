"""Carrying an answer into its decision: once, whatever crashes, and not at all where the world has changed."""

import contextlib
from datetime import timedelta

import pytest

from api.jobs import decide, resume
from memory import approvals
from memory.approvals import ApprovalRow, ApprovalStatus
from memory.checkpoints import PooledSaver
from memory.database import Database
from memory.decisions import DecisionState
from memory.outbox import ActionState
from recoup.errors import Conflict
from recoup.events import EventKind
from recoup.invoice import AttemptStatus, InvoiceStatus
from tests.deciding import (
    Killed,
    MortalDatabase,
    actions_of,
    asked,
    audit_agrees,
    decisions_of,
    give,
    holder_died,
    nothing_runs,
    now_stands,
    question,
    rows,
    the_action,
    with_faults,
)
from tests.factories import NOW, attempt_snapshot, invoice_snapshot, make_reading
from tests.fakes import make_services
from tests.scenes import absorb_reading, change

# How often resuming a thread writes to the checkpointer.
WRITES_OF_AN_ANSWER = 1
LATER = NOW + timedelta(minutes=5)
PAID = make_reading(
    kind=EventKind.PAYMENT_SUCCEEDED,
    event_type="invoice.paid",
    occurred_at=LATER,
    invoice=invoice_snapshot(observed_at=LATER, status=InvoiceStatus.PAID, paid_minor=4900, remaining_minor=0),
    attempts=(
        attempt_snapshot(),
        attempt_snapshot(
            vendor_key="ch_2", charge_vendor_id="ch_2", occurred_at=LATER, observed_at=LATER, status=AttemptStatus.SUCCEEDED, codes=None
        ),
    ),
)
PARTLY_PAID = make_reading(
    kind=EventKind.INVOICE_CHANGED, occurred_at=LATER, invoice=invoice_snapshot(observed_at=LATER, paid_minor=900, remaining_minor=4000)
)


async def test_payment_during_pending_approval_voids_it(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await absorb_reading(services, PAID)

    assert (await now_stands(services, approval)).status is ApprovalStatus.VOID
    with pytest.raises(Conflict, match="void"):
        await give(services, approval)
    assert (await the_action(db, approval))[0] is ActionState.VOID
    await nothing_runs(db, approval)


async def test_payment_after_the_answer_and_before_its_effect_wins(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval)
    await absorb_reading(services, PAID)

    await resume.run(services, approval.decision_id)

    assert (await the_action(db, approval))[0] is ActionState.VOID
    await nothing_runs(db, approval)


async def test_payment_while_the_answer_takes_effect_wins(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval)
    slow, saver = with_faults(services)

    async def the_customer_pays() -> None:
        await absorb_reading(services, PAID)

    saver.meanwhile = the_customer_pays
    await resume.run(slow, approval.decision_id)

    assert (await the_action(db, approval))[0] is ActionState.VOID
    await nothing_runs(db, approval)


async def test_an_answer_on_facts_that_changed_is_void_and_asked_again(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval)
    slow, saver = with_faults(services)

    async def part_of_it_is_paid() -> None:
        await absorb_reading(services, PARTLY_PAID)

    saver.meanwhile = part_of_it_is_paid
    await resume.run(slow, approval.decision_id)
    await nothing_runs(db, approval)

    await decide.run(services, approval.case_id)
    again = await question(db, approval.case_id)
    assert (again.id != approval.id, again.status) == (True, ApprovalStatus.PENDING)
    assert (await decisions_of(db, approval.case_id))[0].state is DecisionState.SUPERSEDED


async def test_an_answer_is_used_once(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval)
    for _ in range(3):
        await resume.run(services, approval.decision_id)
    assert await rows(db, "SELECT count(*) FROM reservations") == [(1,)]
    assert await rows(db, "SELECT count(*) FROM audit_log WHERE subject = %s AND body LIKE '%%\"used\":true%%'", approval.id) == [(1,)]
    async with db.write() as tx:
        with pytest.raises(Conflict):
            await approvals.use(tx, await now_stands(services, approval), NOW)


async def test_an_answer_whose_thread_is_lost_is_asked_again(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval)
    await PooledSaver.over(db.pool).adelete_thread(approval.decision_id)

    await resume.run(services, approval.decision_id)

    assert (await now_stands(services, approval)).void_reason == "superseded: the question it answers is gone"
    await nothing_runs(db, approval)
    await decide.run(services, approval.case_id)
    assert (await question(db, approval.case_id)).status is ApprovalStatus.PENDING


async def test_an_answer_is_given_to_no_other_question(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval)
    await change(db, "UPDATE approvals SET interrupt_digest = 'of something else'")

    await resume.run(services, approval.decision_id)

    assert (await now_stands(services, approval)).void_reason == "superseded: the question it answers is gone"
    await nothing_runs(db, approval)


async def took_effect_once(db: Database, approval: ApprovalRow) -> None:
    """The approved action is ready, once, and nothing else is."""
    assert [(a.id, a.state) for a in await actions_of(db, approval.case_id)] == [(approval.action_ids[0], ActionState.READY)]
    assert await rows(db, "SELECT count(*) FROM reservations") == [(1,)]
    assert [d.state for d in await decisions_of(db, approval.case_id)] == [DecisionState.DONE]
    await audit_agrees(db)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("transaction", [1, 2])
async def test_a_worker_may_die_while_an_answer_takes_effect(db: Database, database_url: str, transaction: int, moment: str) -> None:
    mortal = MortalDatabase(database_url)
    await mortal.open()
    try:
        services = make_services(db)
        approval = await asked(services)
        await give(services, approval)
        mortal.dies_at = (transaction, moment)
        with pytest.raises(Killed):
            await resume.run(make_services(mortal), approval.decision_id)
        await holder_died(db, approval.case_id)
        await resume.run(services, approval.decision_id)
    finally:
        await mortal.close()
    await took_effect_once(db, approval)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", range(WRITES_OF_AN_ANSWER + 1))
async def test_a_checkpoint_that_fails_while_an_answer_takes_effect(db: Database, place: int, moment: str) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval)
    faulty, saver = with_faults(services)
    saver.plan = lambda write: moment if write == place else None

    for _ in range(3):
        with contextlib.suppress(ConnectionError):
            await resume.run(faulty, approval.decision_id)

    assert saver.faults == (1 if place < WRITES_OF_AN_ANSWER else 0)
    await took_effect_once(db, approval)
