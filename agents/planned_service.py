"""The plan's end: more time for some plan tiers, the suspension, the hand-over to people; and reinstatement after payment."""

from datetime import datetime, timedelta

from agents.case_file import case_file
from agents.history import spoken_for
from agents.planned_collection import was_taken_over
from agents.planned_messages import receipt
from agents.planning import Part, Planner
from agents.schedule import day, last_moment
from agents.trouble import HAND_OFFS, Trouble, is_known
from recoup.actions import ActionName, ExtendGraceArgs, NoArgs, TaskArgs
from recoup.case import SETTLED

# Account actions wait for a person: asking this much before the suspension leaves time for the answer.
GRACE_LEAD = timedelta(days=2)
# People get the case while it is still open, so that they can act on it.
HAND_OVER_LEAD = timedelta(days=1)
CONFIDENCE = 0.8
NO_LONGER_ENDED = "The invoice was taken over, so the platform does not end the subscription by itself any more."


def of_open_case(planner: Planner) -> tuple[Part, ...]:
    """Grace before the suspension, then the suspension, then people."""
    suspend_day = planner.policy.steps.suspend_day
    if suspend_day is None or planner.facts.case.suspended:
        return (_hand_over(planner),)
    due = day(planner.facts, suspend_day)
    return (_grace(planner, due) or _suspension(planner, due), _hand_over(planner))


def after_the_end(planner: Planner) -> tuple[Part, ...]:
    """What a closed case still owes the customer: the receipt, and the service they have paid for."""
    return receipt(planner), _reinstatement(planner)


def _grace(planner: Planner, due: datetime) -> Part | None:
    """More time before the suspension, where the plan tier has it and nobody has spoken on it yet."""
    facts, steps = planner.facts, planner.policy.steps
    until = due + timedelta(days=steps.grace_days)
    had = facts.case.grace_until is not None or spoken_for(facts, ActionName.EXTEND_GRACE)
    entitled = facts.account.plan_tier in steps.grace_tiers and planner.can(ActionName.EXTEND_GRACE)
    if had or not entitled or facts.now >= until:
        return None
    if facts.now < due - GRACE_LEAD:
        return Part(wakes=(due - GRACE_LEAD,))
    action = planner.act(
        ActionName.EXTEND_GRACE,
        ExtendGraceArgs(until=until),
        f"A customer of the {facts.account.plan_tier} plan gets more time before the service is suspended.",
        confidence=CONFIDENCE,
        evidence=(facts.account.id,),
        suspend_the_service="policy gives this plan tier more time first",
    )
    return Part(says="A grace extension is due.", actions=(action,), wakes=(until,))


def _suspension(planner: Planner, due: datetime) -> Part:
    facts = planner.facts
    due = max(due, facts.case.grace_until or due)
    if not planner.can(ActionName.SUSPEND_SERVICE) or spoken_for(facts, ActionName.SUSPEND_SERVICE):
        return Part()
    if facts.now < due:
        return Part(wakes=(due,))
    action = planner.act(
        ActionName.SUSPEND_SERVICE,
        NoArgs(),
        "All reminders and retries of the plan have passed without a payment.",
        confidence=CONFIDENCE,
        evidence=(facts.case.id,),
        go_on_without_payment="policy ends the service at this day of the plan",
        cancel_the_subscription="a suspension can be taken back the moment the customer pays",
    )
    return Part(says="The suspension is due.", actions=(action,))


def _hand_over(planner: Planner) -> Part:
    """The case file for people, on the last day but one."""
    facts, hand_off = planner.facts, HAND_OFFS[Trouble.PLAN_OVER]
    due = last_moment(facts, planner.policy) - HAND_OVER_LEAD
    if planner.policy.steps.after_last != "hand_off" or is_known(facts, Trouble.PLAN_OVER):
        return Part()
    if facts.now < due:
        return Part(wakes=(due,))
    if was_taken_over(planner):
        hand_off = hand_off.model_copy(update={"next_step": f"{hand_off.next_step} {NO_LONGER_ENDED}"})
    action = planner.act(
        hand_off.action,
        TaskArgs(queue=hand_off.queue, title=hand_off.title, body=case_file(facts, hand_off)),
        hand_off.why,
        confidence=CONFIDENCE,
        evidence=(facts.case.id,),
        let_it_expire="policy wants people to decide what becomes of the debt",
    )
    return Part(says="The plan is nearly over; people get the case.", actions=(action,))


def _reinstatement(planner: Planner) -> Part:
    facts = planner.facts
    wanted = facts.case.suspended and facts.case.status in SETTLED
    if not wanted or not planner.can(ActionName.REINSTATE_SERVICE) or spoken_for(facts, ActionName.REINSTATE_SERVICE):
        return Part()
    action = planner.act(
        ActionName.REINSTATE_SERVICE,
        NoArgs(),
        "The invoice is paid, so the service that was suspended for it goes on.",
        confidence=0.95,
        evidence=(facts.case.id,),
        leave_it_suspended="the customer has paid for it",
    )
    return Part(says="The service is to be reinstated.", actions=(action,))
