"""A case's facts as the planner takes them: the situation in plain numbers, and the limits that rules and policy set to a plan."""

from datetime import UTC, datetime, time, timedelta

from agents.history import spoken_for
from agents.method import Standing
from agents.planner.public_holidays import EPOCH, public_holidays
from agents.planner.situation import HOUR, Past, Situation, Tried, Written
from agents.planner.terms import Terms
from agents.schedule import last_moment
from recoup.actions import RECEIPT_TEMPLATE, ActionName
from recoup.category import Category
from recoup.contact_hours import customers_zone
from recoup.facts import ActionFacts, AttemptFacts, CaseFacts, LedgerEntry
from recoup.house_rules import own_attempts
from recoup.invoice import AttemptStatus, Initiator, Rail
from recoup.ledger import RELEASED, SUCCEEDED
from recoup.meaning import treatment_of
from recoup.money import exponent
from recoup.network import Denied, NotBefore, permission
from recoup.policy import Policy

WINDOW = timedelta(days=28)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTH_DAYS = 30.4
JUST_AFTER = timedelta(microseconds=1)
# What one message costs is next to nothing; what it may cost is in ``customer_worth_invoices``.
MESSAGE_MAJOR = {"email": 0.001, "sms": 0.05}
ALL_DAY = (0.0, 24.0)


def situation_from(facts: CaseFacts, method: Standing, channels: tuple[str, ...]) -> Situation:
    """What is known at ``facts.now``; ``channels``: those by which we can write."""
    tries = tuple(Tried(a.occurred_at.timestamp(), _meant(a, facts)) for a in facts.attempts)
    credential = facts.credential
    return Situation(
        now=facts.now.timestamp(),
        failed_at=facts.case.opened_at.timestamp(),
        amount_minor=float(facts.invoice.remaining_minor),
        category=method.treatment.category,
        tries=tries,
        past=_past(facts),
        written=tuple(Written(at.timestamp(), channel) for at, channel in written(facts)),
        channels=tuple(channel for channel in channels if channel in facts.account.reachable),
        offset_hours=offset_hours(facts),
        updated_at=_updated_at(facts, method),
        may_retry=method.may_retry,
        needs_customer=method.needs_customer,
        usual_amount_minor=_usual_amount(facts),
        valid_months=_valid_months(credential.expires, facts.now) if credential else None,
        funding=credential.funding if credential else None,
        brand=credential.brand if credential else None,
    )


def terms_from(facts: CaseFacts, policy: Policy, method: Standing) -> Terms:
    """Within what the case may be planned at ``facts.now``."""
    plan, house, minor = policy.plan, policy.house, 10.0 ** exponent(facts.invoice.currency)
    hours = house.contact_hours_by_country.get(facts.account.country or "", house.contact_hours)
    is_any_hour = facts.account.timezone_source == "default" and house.email_when_zone_unknown
    opens, closes = ALL_DAY if is_any_hour else (_hour(hours.start), _hour(hours.end))
    weekdays = plan.no_retry_weekdays.get(facts.account.country or "", ())
    end = last_moment(facts, policy)
    return Terms(
        end=end.timestamp(),
        window_end=(facts.case.opened_at + WINDOW).timestamp(),
        charge_from=_charge_from(facts, policy, method),
        write_from=_write_from(facts, policy),
        attempts_left=_attempts_left(facts, policy, method),
        messages_most=len(policy.steps.message_days),
        contact_from_hour=opens,
        contact_until_hour=closes,
        closed_weekdays=frozenset(WEEKDAYS.index(day) for day in weekdays),
        silent_days=_holidays(facts, end) if plan.avoid_holidays else frozenset(),
        bank_days_only=facts.credential is not None and facts.credential.rail in {Rail.ACH, Rail.SEPA},
        attempt_minor=float(plan.attempt_cost_major) * minor,
        attempt_share=plan.attempt_share,
        message_minor={channel: cost * minor for channel, cost in MESSAGE_MAJOR.items()},
        customer_worth_invoices=plan.customer_worth_invoices,
        lost_per_day=plan.lost_per_day,
    )


def written(facts: CaseFacts) -> list[tuple[datetime, str]]:
    """Messages that the customer had, will have, or a person refused: when, and by which channel. One message lists all open invoices."""
    own = [
        (action.at, action.channel or "email")
        for action in spoken_for(facts, ActionName.SEND_MESSAGE, ActionName.REQUEST_METHOD_UPDATE)
        if action.template != RECEIPT_TEMPLATE
    ]
    others = [
        (c.at, c.channel) for c in facts.contacts if c.case_id != facts.case.id and c.state != RELEASED and c.at >= facts.case.opened_at
    ]
    return sorted([*own, *others])


def offset_hours(facts: CaseFacts) -> float:
    """The customer's local time, from UTC."""
    return (facts.now.astimezone(customers_zone(facts.account.timezone)).utcoffset() or timedelta()).total_seconds() / HOUR


def _updated_at(facts: CaseFacts, method: Standing) -> float | None:
    """Since when this method is on file, where it failed on another one or on other data before: what was tried before that says nothing
    of it, also once it has been tried itself."""
    if method.fresh_since is not None:
        return method.fresh_since.timestamp()
    method_id = facts.credential.id if facts.credential else None
    own = [a.occurred_at for a in facts.attempts if a.credential_id in {method_id, None}]
    if facts.credential is None or not own:
        return None
    others = [a.occurred_at + JUST_AFTER for a in facts.attempts if a.occurred_at < own[0]]
    changed = [at for at in (facts.credential.changed_at,) if facts.case.first_failed_at < at < own[-1]]
    return max((at.timestamp() for at in (*others, *changed)), default=None)


def _meant(attempt: AttemptFacts, facts: CaseFacts) -> Category | None:
    told = treatment_of(attempt, facts)
    return told.category if told else None


def _past(facts: CaseFacts) -> tuple[Past, ...]:
    """The account's other charges of this method before this invoice failed; of what nobody answered nothing is learned."""
    entries = [e for e in facts.ledger if _is_past(e, facts)]
    failed: set[str | None] = set()
    past: list[Past] = []
    for entry in sorted(entries, key=lambda e: e.at):
        approved = entry.state == SUCCEEDED
        past.append(Past(entry.at.timestamp(), approved, entry.invoice_id in failed, None if approved else entry.category))
        if not approved:
            failed.add(entry.invoice_id)
    return tuple(past)


def _is_past(entry: LedgerEntry, facts: CaseFacts) -> bool:
    is_other = not entry.own_case and entry.invoice_id != facts.invoice.id
    return is_other and entry.at < facts.case.first_failed_at and entry.state in {SUCCEEDED, AttemptStatus.FAILED}


def _usual_amount(facts: CaseFacts) -> float | None:
    amounts = sorted(e.amount_minor for e in facts.ledger if _is_past(e, facts) and e.currency == facts.invoice.currency)
    return float(amounts[len(amounts) // 2]) if amounts else None


def _valid_months(expires: str | None, now: datetime) -> float | None:
    if expires is None:
        return None
    year, month = (int(part) for part in expires.split("-"))
    return (year - now.year) * 12 + month - now.month + 1 - now.day / MONTH_DAYS


def _hour(at: time) -> float:
    return at.hour + at.minute / 60


def _charge_from(facts: CaseFacts, policy: Policy, method: Standing) -> float:
    """When every rule that time cures is silent, and the method has rested."""
    house, from_ = policy.house, facts.now
    answer = permission(facts.credential, facts, facts.now) if facts.credential else None
    if isinstance(answer, NotBefore):
        from_ = max(from_, answer.at)
    if method.fresh_since is None:
        is_technical = method.treatment.category is Category.TECHNICAL
        rest = timedelta(hours=house.technical_hours_between_attempts if is_technical else house.hours_between_attempts)
        from_ = max([from_, *(a.occurred_at + rest for a in facts.attempts[-1:]), *(a.at + rest for a in _refused(facts)[-1:])])
    return from_.timestamp()


def _refused(facts: CaseFacts) -> list[ActionFacts]:
    """Charges that were decided on and never became attempts: refused by a person, or only noted."""
    return [a for a in spoken_for(facts, ActionName.RETRY_PAYMENT) if a.state in {"rejected", "shadowed", "dead"}]


def _attempts_left(facts: CaseFacts, policy: Policy, method: Standing) -> int:
    """What the house rules and the strictest cap leave. A platform that retries by itself uses up the same budget."""
    answer = permission(facts.credential, facts, facts.now) if facts.credential else None
    if not method.may_retry or isinstance(answer, Denied):
        return 0
    by_platform = sum(a.initiator is Initiator.PLATFORM and a.occurred_at > facts.case.opened_at for a in facts.attempts)
    left = policy.house.attempts_per_case - own_attempts(facts) - len(_refused(facts)) - by_platform
    if method.treatment.most is not None and method.fresh_since is None:
        since = facts.now - timedelta(days=method.treatment.most.days)
        left = min(left, method.treatment.most.count - sum(a.occurred_at > since for a in facts.attempts[1:]))
    return max(0, left)


def _write_from(facts: CaseFacts, policy: Policy) -> float:
    """When the limits of a day and of a week have room again."""
    times = sorted(at for at, _ in written(facts))
    house, from_ = policy.house, facts.now
    for limit, window in ((house.messages_per_day, timedelta(days=1)), (house.messages_per_week, timedelta(days=7))):
        if len(times) >= limit > 0:
            from_ = max(from_, times[-limit] + window)
        elif limit == 0:
            from_ = datetime.max.replace(tzinfo=UTC)
    return from_.timestamp()


def _holidays(facts: CaseFacts, end: datetime) -> frozenset[int]:
    today = facts.now.date()
    years = {day.year for day in (today, end.date())}
    found = {day for year in years for day in public_holidays(facts.account.country, year)}
    return frozenset(day for day in found if (today - EPOCH).days - 1 <= day <= (end.date() - EPOCH).days + 1)
