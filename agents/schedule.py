"""When the plan's messages and retries fall due: policy's days applied to one case's dates. Arithmetic only."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from agents.history import spoken_for
from agents.method import Standing, technical_failures_in_a_row
from recoup.actions import ActionName
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.invoice import Initiator
from recoup.policy import Policy

# A platform's own attempt needs time to be made and reported; nothing of ours is charged beside it.
PLATFORM_ATTEMPT_MARGIN = timedelta(hours=2)
A_MOMENT = timedelta(microseconds=1)


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


class Slots(NamedTuple):
    """The times at which a charge of one method is planned, and those of them that nothing has used.

    ``watched_until``: until then the platform collected by itself. ``since``: what was tried before used up none of them.
    """

    planned: tuple[datetime, ...]
    since: datetime
    left: tuple[datetime, ...]
    watched_until: datetime | None = None

    def due(self, now: datetime) -> datetime | None:
        """The slot to use now. Those that passed while the platform collected are made up for, one by one; of those that passed unused
        under our own eyes only the newest is: nobody is charged several times for what we missed."""
        come = [slot for slot in self.left if slot <= now]
        return next(iter(self._waiting(come)), come[-1] if come else None)

    def after(self, now: datetime) -> datetime | None:
        """The next slot that has not come yet."""
        return next((slot for slot in self.left if slot > now), None)

    def used_by_platform(self, at: datetime) -> "Slots":
        """The platform's attempt uses the first slot that is left, whether a moment too early or days late."""
        return self._replace(left=self.left[1:], watched_until=at)

    def used_by_us(self, at: datetime) -> "Slots":
        """Ours uses the slot that it was made for, and with it those that had passed before."""
        come = [slot for slot in self.left if slot <= at]
        used = self._waiting(come)[:1] or come
        return self._replace(left=tuple(slot for slot in self.left if slot not in used))

    def handed_over(self, at: datetime) -> "Slots":
        """From now on the plan is ours."""
        return self._replace(watched_until=at)

    def _waiting(self, come: list[datetime]) -> list[datetime]:
        return [slot for slot in come if self.watched_until is not None and slot <= self.watched_until]


def retry_slots(method: Standing, facts: CaseFacts, policy: Policy) -> Slots:
    """The plan's slots for this method, none where a retry makes no sense. Each is used once, by a retry of ours that was made or that a
    person refused, or by an attempt of the platform's: together they are as many as the plan has, whenever the platform hands over. The
    customer's own attempts use up nothing."""
    opened_at = facts.case.opened_at
    if not method.may_retry:
        return Slots((), opened_at, ())
    # The failure that opened the case may have happened in that very instant, and used up nothing.
    planned, since = tuple(day(facts, days) for days in policy.steps.retry_days), opened_at + A_MOMENT
    soon = method.fresh_since or _technical_slot(method, facts, policy)
    if soon is not None:
        planned, since = (soon, *(slot for slot in planned if slot > soon)), soon
    slots = Slots(planned, since, planned)
    for _, use in sorted(_uses(slots, facts), key=lambda event: event[0]):
        slots = use(slots)
    return slots


def _uses(slots: Slots, facts: CaseFacts) -> Iterator[tuple[datetime, Callable[[Slots], Slots]]]:
    """Who used a slot or took the plan over, and when."""
    for at in _platform_attempts(facts, slots.since):
        yield at, lambda left, at=at: left.used_by_platform(at)
    for at in _own_attempts(facts):
        yield at, lambda left, at=at: left.used_by_us(at)
    for action in facts.actions:
        if action.name is ActionName.TAKE_OVER_COLLECTION and action.state == "done":
            at = action.finished_at or action.at
            yield at, lambda left, at=at: left.handed_over(at)


def _platform_attempts(facts: CaseFacts, since: datetime) -> list[datetime]:
    """A platform that counts its own retries may not tell which of the attempts without a key of ours they were: the rest is customers'."""
    made = [a.occurred_at for a in facts.attempts if a.initiator is Initiator.PLATFORM and a.occurred_at >= since]
    counted = facts.invoice.platform_retries
    return made if counted is None else made[:counted]


def _own_attempts(facts: CaseFacts) -> list[datetime]:
    """When each retry of ours was made, else when it was decided on."""
    made = [a for a in facts.attempts if a.initiator is Initiator.RECOUP]
    shown = {a.action_id for a in made}
    decided = [action.at for action in spoken_for(facts, ActionName.RETRY_PAYMENT) if action.id not in shown]
    return [*(a.occurred_at for a in made), *decided]


def _technical_slot(method: Standing, facts: CaseFacts, policy: Policy) -> datetime | None:
    """A bank or processor that was away is asked again within hours, less often each time."""
    in_a_row = technical_failures_in_a_row(facts)
    hours = policy.steps.technical_retry_hours
    if method.treatment.category is not Category.TECHNICAL or method.failure is None or not 1 <= in_a_row <= len(hours):
        return None
    return method.failure.occurred_at + timedelta(hours=hours[in_a_row - 1])


def platform_busy_until(facts: CaseFacts) -> datetime | None:
    """Until when the platform's own next attempt keeps us from charging; None where it has planned none."""
    planned = facts.invoice.next_platform_attempt_at
    if planned is None or planned + PLATFORM_ATTEMPT_MARGIN <= facts.now:
        return None
    return planned + PLATFORM_ATTEMPT_MARGIN
