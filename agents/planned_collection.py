"""Who retries the invoice: where the platform does so by itself and can be told to stop, policy may want the whole plan to be ours."""

from agents.history import spoken_for
from agents.method import Standing
from agents.planning import Part, Planner
from agents.schedule import retry_slots
from recoup.actions import ActionName, NoArgs
from recoup.invoice import Collector

CONFIDENCE = 0.8


def take_over(planner: Planner, method: Standing) -> Part:
    """The proposal to take the invoice out of the platform's own collection, once, while a retry of ours would have a chance."""
    facts, steps = planner.facts, planner.policy.steps
    slots = retry_slots(method, facts, planner.policy)
    is_wanted = steps.take_over and facts.invoice.collector is Collector.PLATFORM and bool(slots.left)
    if not is_wanted or not planner.can(ActionName.TAKE_OVER_COLLECTION) or spoken_for(facts, ActionName.TAKE_OVER_COLLECTION):
        return Part()
    platform = facts.connection.platform.title()
    action = planner.act(
        ActionName.TAKE_OVER_COLLECTION,
        NoArgs(),
        f"{platform} retries this invoice by itself. Once it is taken over it does so no more, and {len(slots.left)} of the plan's "
        f"{len(slots.planned)} attempts are ours to make. {platform}'s final action becomes ours as well: if all of them fail, it neither "
        "cancels the subscription nor marks it unpaid by itself, so that a person has to decide how it ends.",
        confidence=CONFIDENCE,
        evidence=(facts.case.id,),
        leave_it_to_the_platform="policy wants the attempts to be made on the plan's own days",
    )
    return Part(says=f"The invoice could be taken over from {platform}, if a person agrees.", actions=(action,))


def was_taken_over(planner: Planner) -> bool:
    """Whether the platform's final action is ours by now."""
    done = [action for action in spoken_for(planner.facts, ActionName.TAKE_OVER_COLLECTION) if action.state == "done"]
    return bool(done) and planner.facts.invoice.collector is Collector.RECOUP
