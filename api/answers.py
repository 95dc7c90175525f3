"""What people say to Recoup's questions: the answer to an approval, and the lifting of a house rule."""

from collections.abc import Sequence
from datetime import datetime

from graph.bootstrap import Services
from memory import approvals, cases, deciding, decisions, invoices, postponing, queue, timers
from memory.approvals import ApprovalRow
from memory.database import Write
from recoup import approval as questions
from recoup.actions import check_action
from recoup.approval import ActionRequest, ApprovalRequest, Approve, Edit, EditedAction, HumanDecision, Reject, ReviewConfig
from recoup.errors import Forbidden, Malformed
from recoup.house_rules import CONTACT_HOURS
from recoup.masking import redact_text
from recoup.people import Permission, Person
from recoup.rule_book import Strength, rule_book


class ApprovalAnswer(questions.ApprovalAnswer):
    """One decision an action, in the order of the request. ``digest`` is of what was shown: an answer to anything else is refused."""

    digest: str
    note: str | None = None


async def answer_approval(
    services: Services, person: Person, approval_id: str, digest: str, given: Sequence[HumanDecision], note: str | None
) -> ApprovalRow:
    """Takes the one answer; a job carries it into the decision. With four eyes on, an edit is shown to somebody else first.

    Raises NotFound, Conflict (decided, void, or shown differently), Expired, Forbidden, or Malformed.
    """
    person.must_have(Permission.APPROVE)
    note = note and redact_text(note)
    now = await services.clock.now()
    _, policy = await services.policies.current()
    async with services.db.write() as tx:
        shown = await _locked(tx, approval_id)
        refused = approvals.refusal(shown, digest, now)
        if refused is not None:
            raise refused
        answer = _checked(shown.request, given)
        if policy.approvals.four_eyes:
            if any(isinstance(decision, Edit) for decision in answer):
                return await _show_edit(tx, shown, answer, person, now)
            _must_not_have_edited(shown, answer, person)
        row = await approvals.decide(tx, approval_id, digest=digest, answer=_with_edits(shown, answer), note=note, person=person, at=now)
        await timers.cancel_for_case(tx, row.case_id, now, kinds=["expire_approval"], actor=person.name)
        await queue.wake(tx, "resume", row.decision_id)
        return row


async def override_rule(services: Services, person: Person, case_id: str, rule: str, reason: str) -> None:
    """Lifts a house rule for one case, and wants a decision that may use it. Raises Forbidden where nobody may lift the rule, Malformed
    where there is no such rule or no reason, NotFound."""
    person.must_have(Permission.APPROVE)
    known = rule_book().get(rule)
    house = ", ".join(r.id for r in rule_book().values() if r.strength is Strength.HOUSE)
    if known is None:
        raise Malformed(f"there is no rule {rule!r}; a person can lift: {house}")
    if known.strength is not Strength.HOUSE:
        raise Forbidden(f"{rule} is an {known.strength} rule and cannot be lifted; a person can lift: {house}")
    if not reason.strip():
        raise Malformed("say why the rule is lifted: the reason is kept in the audit log")
    now = await services.clock.now()
    async with services.db.write() as tx:
        case = await cases.get(tx, case_id)
        await invoices.lock_account(tx, case.account_id)
        await cases.lock(tx, case_id)
        await deciding.override(tx, case_id, rule, reason=redact_text(reason.strip()), person=person.name, at=now)
        if rule == CONTACT_HOURS:
            await postponing.let_go(tx, case_id, now, actor=person.name)
        await cases.want_decision(tx, case_id, "rule_overridden")


async def _locked(tx: Write, approval_id: str) -> ApprovalRow:
    """The approval under its account's and case's locks, so that no payment and no timer comes in between."""
    case = await cases.get(tx, (await approvals.get(tx, approval_id)).case_id)
    await invoices.lock_account(tx, case.account_id)
    await cases.lock(tx, case.id)
    return await approvals.get(tx, approval_id)


def _checked(request: ApprovalRequest, given: Sequence[HumanDecision]) -> tuple[HumanDecision, ...]:
    """The decisions where they fit what was asked, edits with the arguments that will be used; raises Malformed."""
    decided = [decision.model_dump(mode="json") for decision in given]
    return tuple(_normal(decision) for decision in questions.check_answer(request, {"decisions": decided}).decisions)


def _normal(decision: HumanDecision) -> HumanDecision:
    if not isinstance(decision, Edit):
        return decision
    action = check_action(decision.edited_action.name, decision.edited_action.args)
    return Edit(edited_action=EditedAction(name=action.name, args=action.args))


def _must_not_have_edited(shown: ApprovalRow, answer: Sequence[HumanDecision], person: Person) -> None:
    """Who edited may still say no."""
    if person.name in shown.edited_by and not all(isinstance(decision, Reject) for decision in answer):
        raise Forbidden(f"{person.name} edited what is shown; with four eyes on, somebody else must approve it")


def _with_edits(shown: ApprovalRow, answer: Sequence[HumanDecision]) -> tuple[HumanDecision, ...]:
    """To the graph, approving what somebody edited is that edit."""
    edits = shown.answer or tuple(answer)
    return tuple(
        edit if isinstance(decision, Approve) and isinstance(edit, Edit) else decision for edit, decision in zip(edits, answer, strict=True)
    )


async def _show_edit(tx: Write, shown: ApprovalRow, answer: Sequence[HumanDecision], person: Person, now: datetime) -> ApprovalRow:
    """Shows the edited actions for somebody else to answer: under a new digest, so that nobody approves what they have not seen."""
    if any(isinstance(decision, Reject) for decision in answer):
        raise Malformed("with four eyes on, an edit goes to somebody else first: edit without rejecting, or reject without editing")
    edits = _with_edits(shown, answer)
    request = _edited_request(shown.request, edits, person, (await decisions.get(tx, shown.decision_id)).facts_digest)
    return await approvals.amend(tx, shown.id, digest=shown.digest, edits=edits, request=request, person=person, at=now)


def _edited_request(request: ApprovalRequest, edits: Sequence[HumanDecision], person: Person, facts_digest: str) -> ApprovalRequest:
    requests = tuple(
        ActionRequest(
            name=edit.edited_action.name, args=edit.edited_action.args, description=f"{shown.description} (edited by {person.name})"
        )
        if isinstance(edit, Edit)
        else shown
        for shown, edit in zip(request.action_requests, edits, strict=True)
    )
    edited = request.model_copy(
        update={
            "action_requests": requests,
            "review_configs": tuple(ReviewConfig(action_name=name) for name in dict.fromkeys(r.name for r in requests)),
        }
    )
    return edited.model_copy(update={"digest": questions.approval_digest(edited.actions(), facts_digest)})
