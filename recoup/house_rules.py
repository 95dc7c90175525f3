"""Our own limits, from the policy: a person may lift one for a case, with a reason. Time cures most, and each says when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from recoup.absolute_rules import charged_credential, moves_money
from recoup.actions import Action, ActionName, AgencyArgs, Channel, MessageArgs, RiskClass, typed_args
from recoup.category import Category
from recoup.contact_hours import customers_zone, opens_at
from recoup.facts import CaseFacts, CredentialFacts, LedgerEntry
from recoup.invoice import Initiator
from recoup.ledger import RELEASED, SUCCEEDED, used_up
from recoup.network import kept_of
from recoup.policy import HouseRules, Policy
from recoup.proposal import RuleHit
from recoup.rule_book import speaks

CONTACT_HOURS = "contact-hours"


def house_rules(action: Action, facts: CaseFacts, policy: Policy) -> tuple[RuleHit, ...]:
    """Every house rule that denies the action and that nobody has lifted for this case."""
    hits: list[RuleHit | None] = []
    if action.risk is RiskClass.CONTACT and not action.is_receipt:
        hits += _frequency(facts, policy.house)
    credential = charged_credential(action, facts)
    if moves_money(action):
        hits.append(_case_budget(facts, policy.house))
    if credential is not None:
        ledger = facts.ledger_of(credential.id)
        hits += [_spacing(ledger, credential, facts.now, policy.house), _credential_budget(ledger, facts, policy.house)]
    if action.name is ActionName.REFER_TO_AGENCY:
        hits.append(_agency(action, policy))
    return tuple(hit for hit in hits if hit and hit.rule not in facts.overridden_rules)


def postponement(action: Action, facts: CaseFacts, policy: Policy) -> RuleHit | None:
    """The rule that postpones the action to ``not_before``; None where it may go out now. The hours of contact say when, not whether."""
    if action.risk is not RiskClass.CONTACT or action.is_receipt or CONTACT_HOURS in facts.overridden_rules:
        return None
    account, house = facts.account, policy.house
    is_known = account.timezone_source != "default"
    if not is_known and house.email_when_zone_unknown and typed_args(action, MessageArgs).channel is Channel.EMAIL:
        return None
    zone = customers_zone(account.timezone if is_known else "UTC")
    hours = house.contact_hours_by_country.get(account.country or "", house.contact_hours)
    opens = opens_at(facts.now, zone, hours)
    if opens is None:
        return None
    when = f"{opens.astimezone(zone):%H:%M} {'local time' if is_known else 'UTC'}"
    return speaks(CONTACT_HOURS, f"it goes out at {when} (allowed from {hours.start:%H:%M} to {hours.end:%H:%M} in {zone})", opens)


def _frequency(facts: CaseFacts, house: HouseRules) -> tuple[RuleHit | None, ...]:
    # What is reserved and late has yet to go out, so it counts from now, not from when it should have.
    times = sorted(max(c.at, facts.now) if c.state == "reserved" else c.at for c in facts.contacts if c.state != RELEASED)
    return (
        _window("messages-per-day", times, house.messages_per_day, timedelta(days=1), facts.now),
        _window("messages-per-week", times, house.messages_per_week, timedelta(days=7), facts.now),
    )


def _spacing(ledger: Sequence[LedgerEntry], credential: CredentialFacts, now: datetime, house: HouseRules) -> RuleHit | None:
    """What was tried before the credential's data changed says nothing of the new data, so nothing has to wait for it."""

    def rested_at(entry: LedgerEntry) -> datetime:
        technical = entry.category is Category.TECHNICAL
        return entry.at + timedelta(hours=house.technical_hours_between_attempts if technical else house.hours_between_attempts)

    ready = max((rested_at(entry) for entry in ledger if _used(entry) and entry.at >= credential.changed_at), default=now)
    if ready <= now:
        return None
    return speaks("hours-between-attempts", f"the payment method rests until {ready:%Y-%m-%d %H:%M} UTC", ready)


def _case_budget(facts: CaseFacts, house: HouseRules) -> RuleHit | None:
    made = own_attempts(facts)
    if made < house.attempts_per_case:
        return None
    return speaks("attempts-per-case", f"{made} attempts by Recoup in this case; {house.attempts_per_case} are allowed")


def own_attempts(facts: CaseFacts) -> int:
    """Attempts that Recoup made or has reserved in this case. Those of customers and platforms use up nothing of ours."""
    made = {attempt.id for attempt in facts.attempts if attempt.initiator is Initiator.RECOUP}
    reserved = {e.id for e in facts.ledger if e.own_case and e.initiator is Initiator.RECOUP and e.state != RELEASED}
    return len(made | reserved)


def _credential_budget(ledger: Sequence[LedgerEntry], facts: CaseFacts, house: HouseRules) -> RuleHit | None:
    """What is kept for a platform that retries by itself is as good as used."""
    times, kept, limit = sorted(entry.at for entry in ledger if _used(entry)), kept_of(facts), house.attempts_per_credential_30_days
    full = used_up(times, max(0, limit - kept.attempts), timedelta(days=30), facts.now)
    if full is None:
        return None
    besides = f", and {kept.says}" if kept.attempts else ""
    return speaks("attempts-per-credential", f"{full[0]} in 30 days{besides}; {limit} are allowed", full[1])


def _used(entry: LedgerEntry) -> bool:
    return entry.state not in {RELEASED, SUCCEEDED}


def _window(rule: str, times: Sequence[datetime], limit: int, window: timedelta, now: datetime) -> RuleHit | None:
    full = used_up(times, limit, window, now)
    return speaks(rule, f"{full[0]} in {window.days} days; {limit} are allowed", full[1]) if full else None


def _agency(action: Action, policy: Policy) -> RuleHit | None:
    agency = AgencyArgs.model_validate(action.args).agency
    return None if agency in policy.agencies else speaks("agency-unknown", f"{agency!r} is not among the policy's agencies")
