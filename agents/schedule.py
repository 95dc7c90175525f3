"""When the plan's messages and retries fall due: policy's days applied to one case's dates. Arithmetic only."""

from datetime import datetime, timedelta

from agents.history import spoken_for
from agents.method import Standing, technical_failures_in_a_row
from recoup.actions import ActionName
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.invoice import Initiator
from recoup.policy import Policy

# A platform's own attempt needs time to be made and reported; nothing of ours is charged beside it.
PLATFORM_ATTEMPT_MARGIN = timedelta(hours=2)


def day(facts: CaseFacts, days: float) -> datetime:
    """That many days after the case opened: a plan starts when we learn of the debt, also where the news comes late."""
    return facts.case.opened_at + timedelta(days=days)


def last_moment(facts: CaseFacts, policy: Policy) -> datetime:
    """When the case ends, whatever its state."""
    return day(facts, policy.steps.last_day)


def due_step(facts: CaseFacts, policy: Policy) -> int | None:
    """The newest message step whose day has come. Steps that were missed are left out: nobody gets two at once."""
    due = [step for step, days in enumerate(policy.steps.message_days) if day(facts, days) <= facts.now]
    return due[-1] if due else None


def next_message_at(facts: CaseFacts, policy: Policy) -> datetime | None:
    """The day of the next message step."""
    return min((at for days in policy.steps.message_days if (at := day(facts, days)) > facts.now), default=None)


def retry_slots(method: Standing, facts: CaseFacts, policy: Policy) -> tuple[datetime, ...]:
    """All times at which a charge of this method is planned, past ones included; none where a retry makes no sense."""
    if not method.may_retry:
        return ()
    regular = tuple(day(facts, days) for days in policy.steps.retry_days)
    soon = method.fresh_since or _technical_slot(method, facts, policy)
    return regular if soon is None else (soon, *(slot for slot in regular if slot > soon))


def _technical_slot(method: Standing, facts: CaseFacts, policy: Policy) -> datetime | None:
    """A bank or processor that was away is asked again within hours, less often each time."""
    in_a_row = technical_failures_in_a_row(facts)
    hours = policy.steps.technical_retry_hours
    if method.treatment.category is not Category.TECHNICAL or method.failure is None or not 1 <= in_a_row <= len(hours):
        return None
    return method.failure.occurred_at + timedelta(hours=hours[in_a_row - 1])


def due_slot(slots: tuple[datetime, ...], facts: CaseFacts) -> datetime | None:
    """The newest slot whose time has come, unless it was used: by a retry that was made or that a person refused, or by an attempt
    of the platform's. The customer's own attempts use up nothing."""
    slot = max((slot for slot in slots if slot <= facts.now), default=None)
    if slot is None or spoken_for(facts, ActionName.RETRY_PAYMENT, since=slot):
        return None
    taken = any(a.occurred_at >= slot and a.initiator in {Initiator.PLATFORM, Initiator.RECOUP} for a in facts.attempts)
    return None if taken else slot


def next_slot(slots: tuple[datetime, ...], facts: CaseFacts) -> datetime | None:
    """The next slot that has not come yet."""
    return min((slot for slot in slots if slot > facts.now), default=None)


def platform_busy_until(facts: CaseFacts) -> datetime | None:
    """Until when the platform's own next attempt keeps us from charging; None where it has planned none."""
    planned = facts.invoice.next_platform_attempt_at
    if planned is None or planned + PLATFORM_ATTEMPT_MARGIN <= facts.now:
        return None
    return planned + PLATFORM_ATTEMPT_MARGIN
