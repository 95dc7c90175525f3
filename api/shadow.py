"""What Recoup noted down in shadow mode, beside what the platform did and what followed.

What would have come of an action that was never done, nobody knows. The report says so, and claims nothing.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from memory import shadow
from memory.database import Read
from memory.shadow import CommittedAction, DecidedCase, FinishedDecision, Page, SeenAttempt
from recoup.actions import ActionName
from recoup.case import Attribution, CaseStatus
from recoup.gate import mode_for
from recoup.invoice import AttemptStatus, Initiator
from recoup.meaning import treatment_of
from recoup.policy import Mode, Policy
from recoup.record import Record

CASES_A_PAGE = 50
# Nothing of these was ever done by Recoup.
UNDONE = frozenset({"denied", "shadowed", "waiting", "rejected", "void"})
ItemT = TypeVar("ItemT")


class Policies(Protocol):
    """Old versions of the policy."""

    async def version(self, number: int) -> Policy:
        """One version; raises NotFound."""
        ...


class Noted(Record):
    """An action that was decided on and not done. ``rule``: what it followed from, or what denied it; ``amount_minor`` of a charge."""

    name: ActionName
    at: datetime
    why: str
    rule: str | None
    channel: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Attempted(Record):
    """A try to collect that somebody else made, and what came of it. ``reason``: of a decline, in our words."""

    at: datetime
    by: Initiator
    status: AttemptStatus
    amount_minor: int | None
    currency: str | None
    reason: str | None


class PlatformDid(Record):
    """What others than Recoup did. No platform tells which messages it sent."""

    attempts: tuple[Attempted, ...]
    messages: Literal["unknown"] = "unknown"


class Followed(Record):
    """How the case stands. ``collected_minor``: what others collected after the first decision in shadow."""

    status: CaseStatus
    attribution: Attribution | None
    closed_at: datetime | None
    remaining_minor: int
    collected_minor: int


class ShadowCase(Record):
    """One case that was decided on in shadow. ``owed_minor`` when that began. ``had_effects``: Recoup acted on the case itself as well,
    in another mode, so that what followed is not the platform's alone."""

    case_id: str
    invoice_id: str
    connection: str
    simulated: bool
    held_out: bool
    currency: str
    owed_minor: int
    first_failed_at: datetime
    decided_at: datetime
    decisions: int
    noted: tuple[Noted, ...]
    denied: tuple[Noted, ...]
    platform: PlatformDid
    followed: Followed
    had_effects: bool
    outcome_of_noted: Literal["unknown"] = "unknown"


class Total(Record):
    """All cases of one currency; sums are never made over currencies, nor of real and simulated money."""

    currency: str
    simulated: bool
    cases: int = 0
    owed_minor: int = 0
    collected_minor: int = 0
    remaining_minor: int = 0
    by_status: dict[CaseStatus, int] = {}
    noted: dict[ActionName, int] = {}
    attempts: dict[Initiator, int] = {}
    outcome_of_noted: Literal["unknown"] = "unknown"


async def shadow_cases(session: Read, policies: Policies, since: datetime | None) -> AsyncIterator[ShadowCase]:
    """Every case with a decision made in shadow mode since then (None: ever), oldest first, a page in memory at a time."""
    after: str | None = None
    while True:
        page = await shadow.page(session, since=since, after=after, limit=CASES_A_PAGE)
        if not page.cases:
            return
        for case in await _reported(page, policies):
            yield case
        after = page.cases[-1].id


def plus(total: Total, case: ShadowCase) -> Total:
    """The total with one more case of its currency."""
    return total.model_copy(
        update={
            "cases": total.cases + 1,
            "owed_minor": total.owed_minor + case.owed_minor,
            "collected_minor": total.collected_minor + case.followed.collected_minor,
            "remaining_minor": total.remaining_minor + case.followed.remaining_minor,
            "by_status": dict(Counter(total.by_status) + Counter([case.followed.status])),
            "noted": dict(Counter(total.noted) + Counter(noted.name for noted in case.noted)),
            "attempts": dict(Counter(total.attempts) + Counter(attempt.by for attempt in case.platform.attempts)),
        }
    )


async def _reported(page: Page, policies: Policies) -> list[ShadowCase]:
    decisions = _by(page.decisions, lambda one: one.case_id)
    actions, attempts = _by(page.actions, lambda one: one.case_id), _by(page.attempts, lambda one: one.invoice_id)
    reported: list[ShadowCase] = []
    for case in page.cases:
        watched = [one for one in decisions[case.id] if mode_for(one.facts, await policies.version(one.policy_version)) is Mode.SHADOW]
        if watched:
            reported.append(_report(case, watched, actions[case.id], attempts[case.invoice_id]))
    return reported


def _report(
    case: DecidedCase, watched: Sequence[FinishedDecision], actions: Sequence[CommittedAction], attempts: Sequence[SeenAttempt]
) -> ShadowCase:
    first, by_id = watched[0], {decision.id: decision for decision in watched}
    noted = [action for action in actions if action.decision_id in by_id and action.state == "shadowed"]
    denied = [action for action in actions if action.decision_id in by_id and action.state == "denied"]
    others = [attempt for attempt in attempts if attempt.initiator is not Initiator.RECOUP and _is_within(case, attempt)]
    won = [a for a in others if a.status is AttemptStatus.SUCCEEDED and a.at >= first.created_at and a.currency == case.currency]
    return ShadowCase(
        case_id=case.id,
        invoice_id=case.invoice_id,
        connection=case.connection,
        simulated=case.simulated,
        held_out=first.facts.account.holdout,
        currency=case.currency,
        owed_minor=first.facts.invoice.remaining_minor,
        first_failed_at=case.first_failed_at,
        decided_at=first.created_at,
        decisions=len(watched),
        noted=tuple(_noted(action, by_id[action.decision_id]) for action in noted),
        denied=tuple(_noted(action, by_id[action.decision_id]) for action in denied),
        platform=PlatformDid(attempts=tuple(map(_attempted, others))),
        followed=Followed(
            status=case.status,
            attribution=case.attribution,
            closed_at=case.closed_at,
            remaining_minor=case.remaining_minor,
            collected_minor=sum(attempt.amount_minor or 0 for attempt in won),
        ),
        had_effects=any(action.state not in UNDONE for action in actions),
    )


def _is_within(case: DecidedCase, attempt: SeenAttempt) -> bool:
    """Each attempt on an invoice belongs to one of its episodes."""
    return case.first_failed_at <= attempt.at and (case.next_opened_at is None or attempt.at < case.next_opened_at)


def _noted(action: CommittedAction, decision: FinishedDecision) -> Noted:
    is_denied, args = action.state == "denied", action.args
    amount, currency, channel = args.get("amount_minor"), args.get("currency"), args.get("channel")
    return Noted(
        name=action.name,
        at=action.at,
        why=action.verdict.reason if is_denied else action.reason,
        rule=action.verdict.rules[0].rule if action.verdict.rules else _rule_of_decline(decision),
        channel=channel if isinstance(channel, str) else None,
        amount_minor=amount if isinstance(amount, int) else None,
        currency=currency if isinstance(currency, str) else None,
    )


def _rule_of_decline(decision: FinishedDecision) -> str | None:
    """What the newest failure means, by the first rule that says so: the agents plan by it."""
    failure = decision.facts.last_failure
    treatment = treatment_of(failure, decision.facts) if failure else None
    return treatment.rules[0].id if treatment and treatment.rules else None


def _attempted(attempt: SeenAttempt) -> Attempted:
    return Attempted(
        at=attempt.at,
        by=attempt.initiator,
        status=attempt.status,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        reason=attempt.reason,
    )


def _by(items: Iterable[ItemT], key: Callable[[ItemT], str]) -> defaultdict[str, list[ItemT]]:
    found: defaultdict[str, list[ItemT]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found
