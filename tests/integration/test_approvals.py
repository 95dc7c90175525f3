"""A person's answer: taken once, bound to what was shown, from somebody who may give it."""

from dataclasses import replace

import pytest

from api.jobs import decide, resume, tick
from memory import cases
from memory.approvals import ApprovalStatus
from memory.database import Database
from memory.decisions import DecisionState
from memory.outbox import ActionState
from recoup.approval import Edit, EditedAction, HumanDecision
from recoup.clock import FixedClock
from recoup.digest import digest
from recoup.errors import Conflict, Expired, Forbidden, Malformed, NotFound
from recoup.people import Person, Role
from tests.deciding import (
    ADA,
    BO,
    NO,
    YES,
    actions_of,
    asked,
    audit_agrees,
    decisions_of,
    edit,
    give,
    nothing_runs,
    now_stands,
    question,
    rows,
    set_policy,
    the_action,
)
from tests.factories import NOW
from tests.fakes import make_services


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
    assert await rows(db, "SELECT args_digest FROM actions WHERE state = 'ready'") == [(digest(args),)]


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
