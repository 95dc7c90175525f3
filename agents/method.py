"""What the attempts so far say of the payment method that would be charged next: may it be tried again, and on which ground."""

from datetime import datetime
from functools import lru_cache

from recoup.category import STRICTNESS, Category, Retry
from recoup.decline import Treatment, treat_category
from recoup.facts import AttemptFacts, CaseFacts, CredentialFacts
from recoup.meaning import UNSUCCESSFUL, treatment_of, unsaid
from recoup.network import ATTEMPTS_KEPT, Denied, permission
from recoup.proposal import RuleHit
from recoup.record import Record
from recoup.rule_data import load_rules

# No confirmation by the customer would make such a method work as it stands: another one is needed, or other data.
DEAD = frozenset({Retry.NEVER, Retry.AFTER_UPDATE})
WHY_NOT = {
    Retry.NEVER: "this payment method must not be charged again",
    Retry.RECONCILE: "nobody knows yet whether an earlier attempt moved the money",
    Retry.CUSTOMER_ACTION: "only the customer can pay with this method, by confirming the payment themselves",
    Retry.AFTER_UPDATE: "the details on file must be corrected first",
    Retry.ALLOWED: "",
}


class Standing(Record):
    """``treatment``: of the newest unsuccessful attempt on this method, which is ``failure``; of the case's newest where it has none.

    ``bars``: what forbids to charge it and time alone does not cure, strictest first. ``fresh_since``: its data, or it itself, is newer
    than what failed.
    """

    treatment: Treatment
    is_chargeable: bool
    bars: tuple[RuleHit, ...] = ()
    failure: AttemptFacts | None = None
    fresh_since: datetime | None = None

    @property
    def retry(self) -> Retry:
        """What is permitted now: the strictest of all that was said of it."""
        return retry_by(self.bars[0]) if self.bars else Retry.ALLOWED

    @property
    def may_retry(self) -> bool:
        """Whether a charge of this method is sensible at all; when, is for ``permit`` to say."""
        return self.is_chargeable and self.retry is Retry.ALLOWED

    @property
    def needs_customer(self) -> bool:
        """Whether only the customer can mend it."""
        return not self.is_chargeable or self.retry is Retry.CUSTOMER_ACTION or self.retry in DEAD

    @property
    def is_dead(self) -> bool:
        """Whether this method can never work as it stands."""
        return not self.is_chargeable or self.retry in DEAD

    @property
    def why_not(self) -> str | None:
        """Why it is not charged, in words and with the rule that says so; None where it may be."""
        if not self.is_chargeable:
            return "no usable payment method is on file"
        return f"{WHY_NOT[self.retry]}: {self.bars[0].says}" if self.bars else None


def standing(facts: CaseFacts) -> Standing:
    """The method that the platform would charge, judged by its own newest failure and by all that was said of it elsewhere.

    An attempt that does not tell its method counts as one on this method: the careful reading. A method without a failure of its own
    came first after another one had failed, so it is fresh.
    """
    failed = unsuccessful(facts)
    newest, method = failed[-1] if failed else None, facts.credential
    if method is None:
        return Standing(treatment=_treatment(newest, facts), is_chargeable=False, failure=newest)
    own = next((a for a in reversed(failed) if a.credential_id in {method.id, None}), None)
    told = _told(method, facts)
    if own is None:
        since = max(method.changed_at, newest.occurred_at) if newest else None
        return Standing(treatment=_treatment(newest, facts), is_chargeable=method.is_usable, bars=_ranked(told), fresh_since=since)
    treatment = _treatment(own, facts)
    fresh_since = method.changed_at if method.changed_at > own.occurred_at else None
    said = treatment.statement
    if fresh_since is None and said.retry is not Retry.ALLOWED and said.rule not in {hit.rule for hit in told}:
        told.append(RuleHit(rule=said.rule, detail=said.meaning, source=said.source))
    return Standing(treatment=treatment, is_chargeable=method.is_usable, bars=_ranked(told), failure=own, fresh_since=fresh_since)


def unsuccessful(facts: CaseFacts) -> list[AttemptFacts]:
    """Attempts that did not bring the money and are over, oldest first."""
    return [a for a in facts.attempts if a.status in UNSUCCESSFUL]


def technical_failures_in_a_row(facts: CaseFacts) -> int:
    """How many of the newest failures were technical ones."""
    count = 0
    for attempt in reversed(unsuccessful(facts)):
        if _treatment(attempt, facts).category is not Category.TECHNICAL:
            break
        count += 1
    return count


def retry_by(hit: RuleHit) -> Retry:
    """What the rule that spoke permits; one that is no answer to a decline leaves the payment to the customer."""
    return _permissions().get(hit.rule, Retry.CUSTOMER_ACTION)


def _treatment(attempt: AttemptFacts | None, facts: CaseFacts) -> Treatment:
    told = treatment_of(attempt, facts) if attempt else None
    return told or treat_category(Category.GENERIC, unsaid(facts.credential), facts.now)


def _told(method: CredentialFacts, facts: CaseFacts) -> list[RuleHit]:
    """What was said of it for good. Room that is kept for the platform says nothing of the method."""
    answer = permission(method, facts, facts.now)
    if not isinstance(answer, Denied):
        return []
    return [hit for hit in answer.rules if hit.not_before is None and hit.rule != ATTEMPTS_KEPT]


def _ranked(bars: list[RuleHit]) -> tuple[RuleHit, ...]:
    return tuple(sorted(bars, key=lambda hit: STRICTNESS[retry_by(hit)]))


@lru_cache(maxsize=1)
def _permissions() -> dict[str, Retry]:
    rules = load_rules()
    return {rule.id: rule.retry for rule in (*rules.treatment, *rules.permission)}
