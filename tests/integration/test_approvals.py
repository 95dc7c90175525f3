"""A person's answer: taken once, bound to what was shown, carried into the decision once, and void where the world has changed."""

import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest

from api.answers import override_rule
from api.jobs import decide, resume, tick
from graph.bootstrap import Services
from memory import approvals, cases
from memory.approvals import ApprovalRow, ApprovalStatus
from memory.checkpoints import PooledSaver
from memory.database import Database
from memory.decisions import DecisionState
from memory.outbox import ActionState
from recoup.approval import Edit, EditedAction, HumanDecision
from recoup.clock import FixedClock
from recoup.errors import Conflict, Expired, Forbidden, Malformed, NotFound
from recoup.events import EventKind
from recoup.invoice import AttemptStatus, InvoiceStatus
from recoup.people import Person, Role
from tests.deciding import (
    ADA,
    BO,
    CY,
    NO,
    YES,
    Killed,
    MortalDatabase,
    actions_of,
    asked,
    audit_agrees,
    decisions_of,
    edit,
    give,
    holder_died,
    question,
    rows,
    set_policy,
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


async def now_stands(services: Services, approval: ApprovalRow) -> ApprovalRow:
    """The approval as it is now."""
    async with services.db.read() as session:
        return await approvals.get(session, approval.id)


async def the_action(db: Database, approval: ApprovalRow) -> tuple[ActionState, dict[str, object]]:
    """State and arguments of the action that was shown."""
    [action] = [action for action in await actions_of(db, approval.case_id) if action.id in approval.action_ids]
    return action.state, action.args


async def nothing_runs(db: Database, approval: ApprovalRow) -> None:
    """The answer had no effect, and has none any more."""
    assert [a.state for a in await actions_of(db, approval.case_id) if a.state is ActionState.READY] == []
    assert await rows(db, "SELECT 1 FROM reservations WHERE state <> 'released'") == []
    assert await rows(db, "SELECT 1 FROM approvals WHERE used_at IS NOT NULL") == []
    await audit_agrees(db)


async def test_an_approved_action_becomes_ready_with_its_room(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)

    answered = await give(services, approval, YES)
    assert (answered.status, answered.decided_by, answered.used_at) == (ApprovalStatus.DECIDED, "ada", None)
    await resume.run(services, approval.decision_id)

    [action] = await actions_of(db, approval.case_id)
    [decision] = await decisions_of(db, approval.case_id)
    assert (action.state, action.approval_id, decision.state) == (ActionState.READY, approval.id, DecisionState.DONE)
    assert decision.trace is not None
    assert [said["node"] for said in decision.trace][-2:] == ["recheck", "finish"]
    assert (await now_stands(services, approval)).used_at == NOW
    assert await rows(db, "SELECT action_id, kind, state FROM reservations") == [(action.id, "contact", "reserved")]
    assert await rows(db, "SELECT action_id, state FROM messages") == [(action.id, "planned")]
    assert await rows(db, "SELECT args ->> 'row_id' FROM procrastinate_jobs WHERE task_name = 'execute'") == [(action.id,)]
    assert await rows(db, "SELECT 1 FROM timers WHERE kind = 'expire_approval' AND state = 'pending'") == []
    assert await rows(db, "SELECT 1 FROM audit_log WHERE kind = 'action' AND state = 'ready' AND actor = 'ada'") == [(1,)]
    await audit_agrees(db)


async def test_a_rejected_action_never_runs_and_says_why(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval, NO)
    await resume.run(services, approval.decision_id)

    [action] = await actions_of(db, approval.case_id)
    assert (action.state, action.state_reason) == (ActionState.REJECTED, "not this one")
    assert await rows(db, "SELECT 1 FROM timers WHERE kind = 'decide' AND state = 'pending'") == [(1,)], "the case goes on"
    assert await rows(db, "SELECT 1 FROM reservations") == []
    await audit_agrees(db)


async def test_an_edit_is_what_runs(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval, edit(approval, template="payment_failed_neutral_first"))
    await resume.run(services, approval.decision_id)

    state, args = await the_action(db, approval)
    assert (state, args["template"]) == (ActionState.READY, "payment_failed_neutral_first")
    assert await rows(db, "SELECT template FROM messages") == [("payment_failed_neutral_first",)]


async def test_an_edited_action_goes_through_the_gate_again(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval, edit(approval, channel="sms"))  # there is no phone number

    await resume.run(services, approval.decision_id)

    state, _ = await the_action(db, approval)
    stands = await now_stands(services, approval)
    assert (state, stands.status) == (ActionState.VOID, ApprovalStatus.VOID)
    assert "send_message may not be done now" in (stands.void_reason or "")
    await nothing_runs(db, approval)
    await decide.run(services, approval.case_id)
    assert (await question(db, approval.case_id)).status is ApprovalStatus.PENDING, "a new decision asks again"


WRONG: list[tuple[str, tuple[HumanDecision, ...]]] = [
    ("one decision an action", (YES, YES)),
    ("no action 'send_everything'", (Edit(edited_action=EditedAction(name="send_everything", args={})),)),
    ("step: Input should be less than or equal to 50", (Edit(edited_action=EditedAction(name="send_message", args={"step": 99})),)),
    ("cannot be edited into", (Edit(edited_action=EditedAction(name="cancel_subscription", args={"at": "now"})),)),
]


@pytest.mark.parametrize(("told", "given"), WRONG, ids=[told for told, _ in WRONG])
async def test_an_answer_that_does_not_fit_is_refused_and_changes_nothing(
    db: Database, told: str, given: tuple[HumanDecision, ...]
) -> None:
    services = make_services(db)
    approval = await asked(services)
    with pytest.raises(Malformed, match=told):
        await give(services, approval, *given)
    assert await now_stands(services, approval) == approval


async def test_an_answer_counts_for_what_was_shown_and_nothing_else(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    with pytest.raises(Conflict, match="digest"):
        await give(services, approval.model_copy(update={"digest": "0" * 64}))
    with pytest.raises(NotFound):
        await give(services, approval.model_copy(update={"id": "apr_none"}))
    assert (await now_stands(services, approval)).status is ApprovalStatus.PENDING


async def test_the_second_answer_is_too_late(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    await give(services, approval, NO)
    with pytest.raises(Conflict, match="decided by ada"):
        await give(services, approval, YES, by=BO)


async def test_an_answer_to_a_superseded_question_is_a_conflict(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    async with db.write() as tx:
        await cases.want_decision(tx, approval.case_id, "news")
    await decide.run(services, approval.case_id)
    with pytest.raises(Conflict, match="void: superseded"):
        await give(services, approval)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_only_approvers_answer(db: Database, role: Role) -> None:
    services = make_services(db)
    approval = await asked(services)
    with pytest.raises(Forbidden):
        await give(services, approval, by=Person(name="eve", role=role))


async def test_time_is_over_even_before_the_timer_has_fired(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    late = replace(services, clock=FixedClock(approval.expires_at))
    with pytest.raises(Expired):
        await give(late, approval)

    await tick.fire_timers(late, approval.expires_at)
    assert (await now_stands(services, approval)).status is ApprovalStatus.EXPIRED
    with pytest.raises(Expired):
        await give(late, approval)
    await decide.run(late, approval.case_id)
    assert (await the_action(db, approval))[0] is ActionState.VOID
    await nothing_runs(db, approval)


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


async def took_effect_once(db: Database, approval: ApprovalRow) -> None:
    """The approved action is ready, once, and nothing else is."""
    assert [(a.id, a.state) for a in await actions_of(db, approval.case_id)] == [(approval.action_ids[0], ActionState.READY)]
    assert await rows(db, "SELECT count(*) FROM reservations") == [(1,)]
    assert [d.state for d in await decisions_of(db, approval.case_id)] == [DecisionState.DONE]
    await audit_agrees(db)


async def test_with_four_eyes_who_edited_does_not_approve(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, "[approvals]\nfour_eyes = true")
    approval = await asked(services)

    edited = await give(services, approval, edit(approval, template="payment_failed_neutral_first"), by=ADA)
    assert (edited.status, edited.edited_by, edited.digest != approval.digest) == (ApprovalStatus.PENDING, ("ada",), True)
    assert edited.request.action_requests[0].args["template"] == "payment_failed_neutral_first"
    with pytest.raises(Forbidden, match="ada edited"):
        await give(services, edited, by=ADA)
    with pytest.raises(Conflict, match="digest"):
        await give(services, approval, by=BO)

    await give(services, edited, by=BO)
    await resume.run(services, approval.decision_id)

    state, args = await the_action(db, approval)
    assert (state, args["template"]) == (ActionState.READY, "payment_failed_neutral_first")
    assert (await now_stands(services, approval)).decided_by == "bo"
    await audit_agrees(db)


async def test_with_four_eyes_who_edited_may_still_say_no(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, "[approvals]\nfour_eyes = true")
    approval = await asked(services)
    edited = await give(services, approval, edit(approval, template="payment_failed_neutral_first"), by=ADA)
    twice = await give(services, edited, edit(edited, template="payment_failed_soft_first"), by=BO)
    assert twice.edited_by == ("ada", "bo")
    for person in (ADA, BO):
        with pytest.raises(Forbidden):
            await give(services, twice, by=person)

    await give(services, twice, NO, by=ADA)
    await resume.run(services, approval.decision_id)
    assert (await the_action(db, approval))[0] is ActionState.REJECTED


async def test_a_house_rule_is_lifted_with_a_reason_and_decided_again(db: Database) -> None:
    services = make_services(db)
    await set_policy(services, 'mode = "auto"\n[house]\nmessages_per_week = 0')
    case_id = await absorb_reading(services)
    assert case_id is not None
    await decide.run(services, case_id)
    assert [a.state for a in await actions_of(db, case_id)] == [ActionState.DENIED]

    await override_rule(services, CY, case_id, "messages-per-week", "the customer asked for it")
    await decide.run(services, case_id)

    assert [a.state for a in await actions_of(db, case_id)] == [ActionState.DENIED, ActionState.READY]
    assert (await decisions_of(db, case_id))[-1].trigger == "rule_overridden"
    [(body,)] = await rows(db, "SELECT body FROM audit_log WHERE actor = 'cy'")
    assert "the customer asked for it" in body


async def test_only_house_rules_are_lifted_and_only_with_a_reason(db: Database) -> None:
    services = make_services(db)
    approval = await asked(services)
    with pytest.raises(Forbidden, match="absolute"):
        await override_rule(services, ADA, approval.case_id, "case-closed", "please")
    with pytest.raises(Malformed, match="no rule"):
        await override_rule(services, ADA, approval.case_id, "gravity", "please")
    with pytest.raises(Malformed, match="why"):
        await override_rule(services, ADA, approval.case_id, "messages-per-week", " ")
    with pytest.raises(NotFound):
        await override_rule(services, ADA, "case_none", "messages-per-week", "please")
    with pytest.raises(Forbidden):
        await override_rule(services, Person(name="eve", role=Role.VIEWER), approval.case_id, "messages-per-week", "please")
