"""Decides what happens to a case and when: one joint plan of retries, messages, service changes and waits, by plain rules."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from agents import planned_charges, planned_collection, planned_messages, planned_service
from agents.bounds import Checked, first_problem
from agents.case_file import foreign_file
from agents.history import charge_awaiting_result, step_is_taken
from agents.method import Standing, standing
from agents.planned_by_value import charge_and_message, is_by_value
from agents.planner.model import Model, cold_model
from agents.planning import Part, Planner
from agents.schedule import last_moment, platform_busy_until
from recoup.absolute_rules import charged_credential
from recoup.actions import ActionName, MessageArgs, RiskClass
from recoup.case import CaseStatus
from recoup.facts import CaseFacts
from recoup.network import Allowed, permission
from recoup.policy import Policy
from recoup.proposal import Proposal, Wait

AGENT = "prioritization"
ALLOWED = frozenset(
    {
        ActionName.SEND_MESSAGE,
        ActionName.REQUEST_METHOD_UPDATE,
        ActionName.RETRY_PAYMENT,
        ActionName.USE_BACKUP_METHOD,
        ActionName.TAKE_OVER_COLLECTION,
        ActionName.EXTEND_GRACE,
        ActionName.SUSPEND_SERVICE,
        ActionName.REINSTATE_SERVICE,
        ActionName.CREATE_TASK,
    }
)
LOOK_AGAIN_AT_OPEN_ATTEMPT = timedelta(hours=6)


def propose(facts: CaseFacts, policy: Policy, new_action_id: Callable[[], str], model: Model | None = None) -> Proposal:
    """What to do now and when to look again. Complete and valid by itself; a contact's words are filled in by communication.

    ``model``: how likely charges are approved, where policy plans by value; None: by published figures alone."""
    planner = Planner(facts=facts, policy=policy, new_action_id=new_action_id)
    if facts.case.status is not CaseStatus.OPEN:
        return _join(planner, planned_service.after_the_end(planner))
    if facts.now >= last_moment(facts, policy):
        return _join(planner, [Part(says="The plan's last day has come; the case ends today.")])
    pause = _pause(facts)
    if pause is not None:
        return _join(planner, [pause])
    method = standing(facts)
    return _join(
        planner,
        [
            *_charge_and_message(planner, method, model),
            planned_charges.backup(planner, method),
            planned_collection.take_over(planner, method),
            *planned_service.of_open_case(planner),
        ],
    )


def _charge_and_message(planner: Planner, method: Standing, model: Model | None) -> tuple[Part, Part]:
    if is_by_value(planner.facts, planner.policy):
        return charge_and_message(planner, method, model or cold_model())
    charge = planned_charges.retry(planner, method)
    return charge, planned_messages.message(planner, method, charged_now=bool(charge.actions))


def check(draft: Proposal, revised: Proposal, facts: CaseFacts, policy: Policy) -> Checked:
    """A revision keeps the common bounds, repeats no message, and charges only where and while a charge is sensible."""
    problem = first_problem(revised, facts, policy, ALLOWED) or foreign_file(revised, facts)
    problem = problem or _repeats(revised, facts) or _charges_wrongly(revised, facts)
    if problem is None and facts.case.status is CaseStatus.OPEN and draft.wait is not None and revised.wait is None:
        problem = "an open case needs a time at which it is looked at again"
    return Checked(proposal=draft, refused=problem) if problem else Checked(proposal=revised)


def _pause(facts: CaseFacts) -> Part | None:
    """What keeps everything back for now."""
    if facts.case.holds:
        held = ", ".join(sorted(facts.case.holds))
        return Part(says=f"The case is held ({held}); nothing is done until a person releases it.")
    if facts.invoice.remaining_minor <= 0:
        return Part(says="Nothing remains to be collected; the case closes when the platform says so.")
    awaited = charge_awaiting_result(facts)
    if not facts.has_open_attempt and awaited is None:
        return None
    return Part(
        says="An attempt is under way; its outcome decides what comes next.",
        wakes=(facts.now + LOOK_AGAIN_AT_OPEN_ATTEMPT,),
        refused={"charge or write now": "the customer could pay twice, or be written to about a payment that is just arriving"},
    )


def _join(planner: Planner, parts: Iterable[Part]) -> Proposal:
    """One proposal of all parts; an open case is always looked at again, on its last day at the latest."""
    parts = [part for part in parts if part.says or part.actions or part.wakes]
    facts = planner.facts
    end = last_moment(facts, planner.policy)
    wait = None
    if facts.case.status is CaseStatus.OPEN and facts.now < end:
        until = min([wake for part in parts for wake in part.wakes if facts.now < wake < end], default=end)
        wait = Wait(until=until, reason="the last day of the plan" if until == end else "the next step of the plan is due")
    return Proposal(
        agent=AGENT,
        reason=" ".join(part.says for part in parts if part.says) or "Nothing is left to do.",
        actions=tuple(action for part in parts for action in part.actions),
        wait=wait,
        evidence=planner.evidence(),
        alternatives=tuple(alternative for part in parts for alternative in part.alternatives()),
    )


def _repeats(revised: Proposal, facts: CaseFacts) -> str | None:
    seen: set[tuple[int, str]] = set()
    for proposed in revised.actions:
        if proposed.action.risk is RiskClass.CONTACT and facts.case.status is CaseStatus.OPEN:
            args = MessageArgs.model_validate(proposed.action.args)
            key = (args.step, args.channel.value)
            if key in seen or step_is_taken(facts, *key):
                return f"step {args.step} has been written by {args.channel} before"
            seen.add(key)
    return None


def _charges_wrongly(revised: Proposal, facts: CaseFacts) -> str | None:
    charges = [p for p in revised.actions if p.action.name in {ActionName.RETRY_PAYMENT, ActionName.USE_BACKUP_METHOD}]
    if not charges:
        return None
    if len(charges) > 1:
        return "two charges at once"
    if facts.case.status is not CaseStatus.OPEN or _pause(facts) is not None:
        return "nothing may be charged while the case is closed or held, or an attempt is under way"
    if platform_busy_until(facts) is not None:
        return "the platform is about to charge by itself"
    why_not = standing(facts).why_not if charges[0].action.name is ActionName.RETRY_PAYMENT else None
    if why_not is not None:
        return f"a retry cannot succeed: {why_not}"
    credential = charged_credential(charges[0].action, facts)
    answer = permission(credential, facts, facts.now) if credential else Allowed()
    return None if isinstance(answer, Allowed) else f"the rule {answer.rules[0].rule} forbids the charge now: {answer.rules[0].detail}"
