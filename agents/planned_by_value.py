"""The charge and the message of a case by what they are worth: one plan for both, what is due of it now, and when the next step is."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agents import planned_charges, planned_messages
from agents.history import spoken_for
from agents.method import Standing
from agents.planner.from_facts import situation_from, terms_from
from agents.planner.model import Model
from agents.planner.plan import make_plan
from agents.planner.terms import Option, Plan
from agents.planning import Part, Planner
from agents.what_follows import what_follows
from recoup.actions import ActionName, Channel, ChargeArgs
from recoup.facts import CaseFacts
from recoup.gate import share_of
from recoup.money import format_money
from recoup.network import Allowed, permission
from recoup.policy import Policy
from recoup.proposal import Alternative

DUE_WITHIN = timedelta(minutes=1)
# A time that was chosen and passed unused, for a hold or a slow answer, is made up for within so long; after that it is chosen anew.
MADE_UP_WITHIN = timedelta(hours=12)
MOST_CHOICES = 4


def is_by_value(facts: CaseFacts, policy: Policy) -> bool:
    """Whether the case is planned by value; a share of the accounts stays on the ladder for good."""
    return policy.plan.by == "value" and share_of(f"ladder {facts.account.id}") >= policy.plan.ladder_share


def charge_and_message(planner: Planner, method: Standing, model: Model) -> tuple[Part, Part]:
    """What of the plan is due, and when it goes on."""
    facts, policy = planner.facts, planner.policy
    barred = planned_charges.hindrance(planner, method)
    terms = terms_from(facts, policy, method)
    situation = situation_from(facts, method, tuple(channel.value for channel in planned_messages.CHANNELS))
    plan = make_plan(situation, model, replace(terms, attempts_left=0) if barred else terms)
    charge = barred or _charge(planner, method, model, plan)
    return charge, _message(planner, method, plan, charged_now=bool(charge.actions))


def _charge(planner: Planner, method: Standing, model: Model, plan: Plan) -> Part:
    facts, credential = planner.facts, planner.facts.credential
    chosen, choices = _chosen(planner, method, model, plan)
    if chosen is None or credential is None:
        return what_follows(planner, plan)
    at = datetime.fromtimestamp(chosen.at, UTC)
    others = _others(planner, chosen, choices)
    if at > facts.now + DUE_WITHIN:
        says = f"The next retry is worth most on {at:%Y-%m-%d %H:%M} UTC ({chosen.chance:.0%} likely to go through)."
        return Part(says=says, wakes=(at,), weighed=others)
    answer = permission(credential, facts, facts.now)
    if not isinstance(answer, Allowed):
        return planned_charges.forbidden(answer, None)
    action = planner.act(
        ActionName.RETRY_PAYMENT,
        ChargeArgs(credential_id=credential.id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency),
        f"{planned_charges.why(method)} Now is the time that is worth most: {_worth(chosen, facts)}.",
        confidence=planned_charges.confidence(method),
        evidence=(credential.id,),
    )
    propensity = _propensity(chosen, choices, planner.policy)
    reckoned = {"value_minor": chosen.value_minor, "chance": chosen.chance, "propensity": propensity, "alternatives": others}
    return Part(says="A retry is due.", actions=(action.model_copy(update=reckoned),))


def _chosen(planner: Planner, method: Standing, model: Model, plan: Plan) -> tuple[Option | None, tuple[Option, ...]]:
    """The time of the first charge, drawn when the last news came, and what it was drawn among. It is kept to until it has come: who woke
    up in between would otherwise draw again and again, and always find something better a little later."""
    facts, policy = planner.facts, planner.policy
    now = plan.first("retry")
    news = _last_news(facts, method)
    then = facts.model_copy(update={"now": news})
    channels = tuple(channel.value for channel in planned_messages.CHANNELS)
    drawn_among = make_plan(situation_from(then, method, channels), model, terms_from(then, policy, method)).choices
    choices = _nearly_as_good(drawn_among, facts, policy)
    if not choices:
        return now, (now,) if now else ()
    drawn = choices[_drawn(facts, policy, len(choices))]
    missed = facts.now - datetime.fromtimestamp(drawn.at, UTC) > MADE_UP_WITHIN
    return (now, (now,) if now else ()) if missed else (drawn, choices)


def _last_news(facts: CaseFacts, method: Standing) -> datetime:
    told = [facts.case.opened_at, *(a.occurred_at for a in facts.attempts), *(a.at for a in spoken_for(facts, ActionName.RETRY_PAYMENT))]
    return min(max([*told, *((method.fresh_since,) if method.fresh_since else ())]), facts.now)


def _nearly_as_good(choices: tuple[Option, ...], facts: CaseFacts, policy: Policy) -> tuple[Option, ...]:
    """The best time, and those that give up no more than policy lets us for learning."""
    if not choices:
        return ()
    least = choices[0].value_minor - policy.plan.explore_loses_at_most * facts.invoice.remaining_minor
    return tuple(option for option in choices[:MOST_CHOICES] if option.value_minor >= least)


def _drawn(facts: CaseFacts, policy: Policy, choices: int) -> int:
    """Which of them: nearly always the best. A pure function of the case and of how often it was tried."""
    words = f"{facts.connection.name} {facts.invoice.vendor_id} {facts.case.episode} {len(facts.attempts)}"
    if share_of(f"explore {words}") >= policy.plan.explore_share:
        return 0
    return int.from_bytes(hashlib.sha256(f"which {words}".encode()).digest()[:4]) % choices


def _propensity(chosen: Option, choices: tuple[Option, ...], policy: Policy) -> float:
    share = policy.plan.explore_share / len(choices)
    return 1 - policy.plan.explore_share + share if chosen == choices[0] else share


def _others(planner: Planner, chosen: Option, choices: tuple[Option, ...]) -> tuple[Alternative, ...]:
    """The other times that were weighed, each with its value."""
    return tuple(
        Alternative(
            what=f"retry on {datetime.fromtimestamp(option.at, UTC):%Y-%m-%d %H:%M} UTC",
            why_not="it is worth less" if option.value_minor < chosen.value_minor else "another time was drawn, to learn from",
            value_minor=round(option.value_minor, 2),
            chance=round(option.chance, 4),
            at=datetime.fromtimestamp(option.at, UTC),
            propensity=_propensity(option, choices, planner.policy),
        )
        for option in choices
        if option != chosen
    )


def _message(planner: Planner, method: Standing, plan: Plan, *, charged_now: bool) -> Part:
    facts, step = planner.facts, plan.first("write")
    ordinal = len([a for a in spoken_for(facts, *planned_messages.NAMES) if planned_messages.is_of_the_plan(a)])
    if not any(channel in facts.account.reachable for channel in planned_messages.CHANNELS):
        return planned_messages.nobody_to_write_to()
    if step is None:
        left = next((option for option in plan.left_out if option.kind == "write"), None)
        return Part(weighed=(_left_out(left, "it would annoy more than it brings"),)) if left else Part()
    at = datetime.fromtimestamp(step.at, UTC)
    if at > facts.now + DUE_WITHIN:
        held = plan.first("retry")
        is_held = held is not None and held.at < step.at and held.chance > step.chance
        why = "a retry is likely to succeed first" if is_held else "it is worth more then"
        return Part(wakes=(at,), weighed=(_left_out(step, why),))
    why_not = planned_messages.why_not(planner, method, ordinal, facts.case.opened_at, charged_now=charged_now)
    if why_not is not None:
        return Part(wakes=(facts.now + timedelta(days=1),), refused={"write to the customer now": why_not})
    action = planned_messages.write(planner, method, ordinal, Channel(step.channel or Channel.EMAIL))
    reckoned = {"value_minor": step.value_minor, "chance": step.chance}
    return Part(says=f"Message {ordinal + 1} is due: {_worth(step, facts)}.", actions=(action.model_copy(update=reckoned),))


def _left_out(option: Option, why_not: str) -> Alternative:
    at = datetime.fromtimestamp(option.at, UTC)
    return Alternative(
        what=f"write to the customer on {at:%Y-%m-%d %H:%M} UTC",
        why_not=why_not,
        value_minor=round(option.value_minor, 2),
        chance=round(option.chance, 4),
        at=at,
    )


def _worth(option: Option, facts: CaseFacts) -> str:
    value = format_money(round(option.value_minor), facts.invoice.currency)
    return f"{option.chance:.0%} likely to bring the money, and it adds {value} to what the plan is worth"
