"""The plan's messages: which step is due, on which channel, and whether it is news or a request; never the words."""

from datetime import datetime

from agents.history import has_receipt, step_is_taken, was_written_to
from agents.method import Standing, unsuccessful
from agents.planning import Part, Planner
from agents.schedule import day, due_step, next_message_at
from recoup.actions import RECEIPT_TEMPLATE, ActionName, Channel, MessageArgs
from recoup.case import SETTLED
from recoup.category import Category, Retry
from recoup.facts import ActionFacts
from recoup.proposal import Proposed

# Communication chooses the words; until then a message has none.
TO_BE_WRITTEN = "to_be_written"

# An SMS may not name a debt, so it waits for words of its own.
CHANNELS = (Channel.EMAIL,)
CONFIDENCE = 0.9
NAMES = (ActionName.SEND_MESSAGE, ActionName.REQUEST_METHOD_UPDATE)


def message(planner: Planner, method: Standing, *, charged_now: bool) -> Part:
    """The message step that is due and not written yet, at most one."""
    facts, policy = planner.facts, planner.policy
    coming = next_message_at(facts, policy)
    wakes = (coming,) if coming else ()
    step = due_step(facts, policy)
    channel = next((c for c in CHANNELS if c in facts.account.reachable), None)
    if step is None:
        return Part(wakes=wakes)
    if channel is None:
        return nobody_to_write_to()
    if step_is_taken(facts, step, channel):
        return Part(wakes=wakes)
    since = max(day(facts, policy.steps.message_days[step]), facts.case.opened_at)
    because = why_not(planner, method, step, since, charged_now=charged_now)
    if because is not None:
        return Part(wakes=wakes, refused={"write to the customer now": because})
    return Part(says=f"Message step {step} is due.", actions=(write(planner, method, step, channel),), wakes=wakes)


def nobody_to_write_to() -> Part:
    """The customer cannot be reached."""
    return Part(says="Nobody can be written to.", refused={"write to the customer": "there is no e-mail address, or it is suppressed"})


def is_of_the_plan(action: ActionFacts) -> bool:
    """Whether a message was a step of the plan, not the receipt."""
    return action.template != RECEIPT_TEMPLATE


def write(planner: Planner, method: Standing, step: int, channel: Channel) -> Proposed:
    """The message of a step, without its words."""
    facts = planner.facts
    return planner.act(
        ActionName.REQUEST_METHOD_UPDATE if method.is_dead else ActionName.SEND_MESSAGE,
        MessageArgs(channel=channel, template=TO_BE_WRITTEN, step=step, invoice_ids=(facts.invoice.id,)),
        _why(method, step),
        confidence=CONFIDENCE,
        evidence=(facts.account.id,),
        say_nothing_yet="customers are told at the first failure, not at the last",
    )


def receipt(planner: Planner) -> Part:
    """One word of thanks after a recovery, to a customer who had been written to."""
    facts = planner.facts
    channel = next((c for c in CHANNELS if c in facts.account.reachable), None)
    if facts.case.status not in SETTLED or not was_written_to(facts) or has_receipt(facts) or channel is None:
        return Part()
    action = planner.act(
        ActionName.SEND_MESSAGE,
        MessageArgs(channel=channel, template=RECEIPT_TEMPLATE, step=0, invoice_ids=(facts.invoice.id,)),
        "The customer was written to about this payment, and it has arrived: they are told once that all is settled.",
        confidence=CONFIDENCE,
        evidence=(facts.case.id,),
        say_nothing="a customer who was asked to pay should not have to wonder whether it worked",
    )
    return Part(says="The receipt is due.", actions=(action,))


def why_not(planner: Planner, method: Standing, step: int, since: datetime, *, charged_now: bool) -> str | None:
    """Why the customer is not written to now; ``since``: a message about another invoice after it has told of this one too."""
    facts = planner.facts
    if method.treatment.wording is None:
        return "of what the bank told us, nothing may be said to anybody"
    if method.is_chargeable and method.retry is Retry.RECONCILE:
        return "nobody knows yet whether the money moved, and the customer could pay twice"
    if step == 0 and method.treatment.category is Category.TECHNICAL and method.may_retry and len(unsuccessful(facts)) < 2:
        return "a technical failure is not the customer's; they are told only if it happens again"
    if charged_now and method.fresh_since is not None:
        return "the customer has just changed their payment method, and it is being charged"
    # A message lists all open invoices of the account, so one of a sibling case has told this one too.
    if any(contact.case_id != facts.case.id and contact.at >= since for contact in facts.contacts):
        return "a message about another invoice of this account has listed this one as well"
    return None


def _why(method: Standing, step: int) -> str:
    if method.needs_customer:
        return (
            "Only the customer can mend this: they are asked to." if step == 0 else "Only the customer can mend this, and it is still open."
        )
    if step == 0:
        return "The customer is told at the first failure, while we try again ourselves."
    return "The invoice is still open; the customer is reminded and shown how to pay."
