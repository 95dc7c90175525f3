"""Applies a person's answer to the world as it is now; anything that no longer fits makes the whole answer void. Pure."""

from graph.state import RecoveryState, Said, Settled, actions_of, facts_of, request_of, signals_of
from prompts.render import template_of, templates
from prompts.slots import MESSAGE_SLOTS, is_for_customers
from recoup.actions import Action, MessageArgs, RiskClass, check_action, typed_args
from recoup.approval import Approve, Edit, HumanDecision, Reject, check_answer
from recoup.errors import Defect, Malformed
from recoup.facts import CaseFacts
from recoup.gate import judge
from recoup.policy import Policy
from recoup.proposal import Answer, Proposed, RuleHit, Verdict
from recoup.record import Record


class Stale(Record):
    """Why the answer is void."""

    why: str


def recheck(state: RecoveryState, fresh: CaseFacts, policy: Policy) -> RecoveryState:
    """Settles every asked action by its answer, or tells why nothing of it may stand."""
    settled = _settle(state, fresh, policy)
    if isinstance(settled, Stale):
        return {
            "settled": [],
            "superseded_because": settled.why,
            "trace": [Said(node="recheck", lines=[f"The answer is void: {settled.why}."])],
        }
    lines = [f"{s.action.name}: {s.answer}" + (f" ({s.message})" if s.message else "") + _when(s.verdict) for s in settled]
    return {
        "settled": [one.model_dump(mode="json") for one in settled],
        "superseded_because": None,
        "trace": [Said(node="recheck", lines=lines)],
    }


def _when(verdict: Verdict) -> str:
    return f", {verdict.rules[-1].detail}" if verdict.postponed_until else ""


def _settle(state: RecoveryState, fresh: CaseFacts, policy: Policy) -> list[Settled] | Stale:
    request = request_of(state)
    if request is None:
        raise Defect("an answer came to a decision that asked nothing")
    shown = facts_of(state)
    if fresh.digest() != shown.digest():
        return Stale(why=_what_changed(shown, fresh))
    try:
        answer = check_answer(request, state.get("answer"))
    except Malformed as problem:
        return Stale(why=str(problem))
    # The actions under judgement are not their own history.
    world = fresh.model_copy(update={"actions": tuple(a for a in fresh.actions if a.id not in request.action_ids)})
    by_id = {proposed.id: proposed for proposed in actions_of(state)}
    settled: list[Settled] = []
    for action_id, decision in zip(request.action_ids, answer.decisions, strict=True):
        one = _settle_one(by_id[action_id], decision, signals_of(state), world, policy)
        if isinstance(one, Stale):
            return one
        settled.append(one)
    return settled


def _settle_one(proposed: Proposed, decision: HumanDecision, signals: tuple[str, ...], world: CaseFacts, policy: Policy) -> Settled | Stale:
    action = proposed.action
    match decision:
        case Reject():
            verdict = Verdict(action_id=proposed.id, answer=Answer.DENY, reason="a person said no", rules=(REJECTED,))
            return Settled(action_id=proposed.id, answer="reject", action=action, verdict=verdict, message=decision.message)
        case Edit():
            action = check_action(decision.edited_action.name, decision.edited_action.args)
            unwritten = _unwritten(action)
            if unwritten is not None:
                return Stale(why=unwritten)
        case Approve():
            pass
    verdict = judge(proposed.model_copy(update={"action": action}), signals, world, policy)
    if verdict.answer in {Answer.DENY, Answer.SHADOW}:
        return Stale(why=f"{action.name} may not be done now: {verdict.reason}")
    return Settled(action_id=proposed.id, answer=decision.type, action=action, verdict=verdict)


REJECTED = RuleHit(rule="rejected", detail="a person said no", source="the approval")


def _unwritten(action: Action) -> str | None:
    """A message edited to a template that does not exist, or to slots that nobody fills, could never be sent."""
    if action.risk is not RiskClass.CONTACT:
        return None
    args = typed_args(action, MessageArgs)
    if args.template not in templates() or not is_for_customers(templates()[args.template]):
        return f"there is no template {args.template} of words to customers"
    unknown = template_of(args).slots - MESSAGE_SLOTS if args.words else frozenset[str]()
    return f"there is no slot {', '.join(sorted(unknown))}" if unknown else None


def _what_changed(shown: CaseFacts, fresh: CaseFacts) -> str:
    """The change that matters most, in words."""
    if fresh.case.status is not shown.case.status:
        return f"the case is {fresh.case.status} now"
    if set(fresh.case.holds) != set(shown.case.holds):
        return f"the holds on the case changed to {', '.join(sorted(fresh.case.holds)) or 'none'}"
    if fresh.invoice.remaining_minor != shown.invoice.remaining_minor:
        return "the amount that remains has changed"
    if len(fresh.attempts) != len(shown.attempts):
        return "another attempt was made"
    return "the facts that it rests on have changed"
