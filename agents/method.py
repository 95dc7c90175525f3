"""What the attempts so far say of the payment method that would be charged next: may it be tried again, and on which ground."""

from datetime import datetime

from recoup.decline import Category
from recoup.facts import AttemptFacts, CaseFacts
from recoup.invoice import AttemptStatus
from recoup.record import Record

# A repetition on the same data cannot succeed, or is forbidden (DOMAIN 3.4); only a change of the method reopens it.
NO_RETRY = frozenset(
    {
        Category.NEVER,
        Category.MANDATE_STOPPED,
        Category.NEW_DATA,
        Category.CUSTOMER_ACTION,
        Category.POLICY,
        Category.UNKNOWN_OUTCOME,
    }
)
# No authentication by the customer would make this method work: another one is needed.
DEAD = frozenset({Category.NEVER, Category.NEW_DATA, Category.POLICY})
UNSUCCESSFUL = frozenset({AttemptStatus.FAILED, AttemptStatus.REQUIRES_ACTION})


class Standing(Record):
    """``failure``: the newest unsuccessful attempt on this method. ``fresh_since``: its data, or it itself, is newer than what failed."""

    category: Category
    is_chargeable: bool
    failure: AttemptFacts | None = None
    fresh_since: datetime | None = None

    @property
    def may_retry(self) -> bool:
        """Whether a charge of this method is sensible at all."""
        return self.is_chargeable and (self.fresh_since is not None or self.category not in NO_RETRY)

    @property
    def needs_customer(self) -> bool:
        """Whether only the customer can mend it."""
        return not self.may_retry

    @property
    def is_dead(self) -> bool:
        """Whether this method can never work as it stands."""
        return not self.is_chargeable or (self.fresh_since is None and self.category in DEAD)


def unsuccessful(facts: CaseFacts) -> list[AttemptFacts]:
    """Attempts that did not bring the money and are over, oldest first."""
    return [a for a in facts.attempts if a.status in UNSUCCESSFUL]


def category_of(attempt: AttemptFacts | None) -> Category:
    """What an unsuccessful attempt asks for; ``generic`` where nothing told."""
    if attempt is not None and attempt.status is AttemptStatus.REQUIRES_ACTION:
        return Category.CUSTOMER_ACTION
    return attempt.category if attempt and attempt.category else Category.GENERIC


def standing(facts: CaseFacts) -> Standing:
    """The method that the platform would charge, judged by its own newest failure.

    An attempt that does not tell its method counts as one on this method: the careful reading. A method without a failure of its own
    came first after another one had failed, so it is fresh.
    """
    newest = next(reversed(unsuccessful(facts)), None)
    method = facts.credential
    if method is None:
        return Standing(category=category_of(newest), is_chargeable=False, failure=newest)
    own = next((a for a in reversed(unsuccessful(facts)) if a.credential_id in {method.id, None}), None)
    if own is None:
        since = max(method.changed_at, newest.occurred_at) if newest else None
        return Standing(category=category_of(newest), is_chargeable=method.is_usable, fresh_since=since)
    fresh_since = method.changed_at if method.changed_at > own.occurred_at else None
    return Standing(category=category_of(own), is_chargeable=method.is_usable, failure=own, fresh_since=fresh_since)


def technical_failures_in_a_row(facts: CaseFacts) -> int:
    """How many of the newest failures were technical ones."""
    count = 0
    for attempt in reversed(unsuccessful(facts)):
        if category_of(attempt) is not Category.TECHNICAL:
            break
        count += 1
    return count
