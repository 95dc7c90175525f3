"""Thirty days at Stripe and at Recurly in shadow, approve and hybrid, by signed webhooks and the real adapters.

Each customer has a script (tests/merchants/month_stripe.py, month_recurly.py) that says how the case must end. The platform retries as
well, and its own books tell what really happened."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from api.cli.shadow import lines_of
from api.drift import drift_of
from api.shadow import ShadowCase, shadow_cases
from memory.database import Database
from recoup.actions import RECEIPT_TEMPLATE
from recoup.policy import Mode
from tests.deciding import rows
from tests.factories import on_ladder
from tests.merchants import month_recurly, month_stripe
from tests.merchants.merchant import APPROVER, Merchant, merchant
from tests.merchants.month import Month
from tests.merchants.month_books import Action, Story, stories, table
from tests.merchants.month_recurly import RecurlyTown
from tests.merchants.month_stripe import StripeTown
from tests.merchants.shop import Kind

OUTWARD = ("contact", "charge", "account")
TOOK_MONEY = frozenset({"succeeded", "reversed", "processing"})


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.APPROVE, Mode.HYBRID])
@pytest.mark.parametrize("kind", ["stripe", "recurly"])
async def test_a_month_goes_as_its_scripts_say(db: Database, kind: Kind, mode: Mode) -> None:
    async with merchant(db, kind, seed=7, policy=on_ladder(mode=mode)) as made:
        month = month_at(kind, made)
        await month.live()
        told = await stories(made, month.households)
        wrong = [
            *ends_as_scripted(told, mode),
            *nobody_is_charged_twice(told),
            *receipts_come_once(told),
            *MODES[mode](told),
            *await what_was_lost_is_named(month),
            *await books_agree(made),
        ]
        if mode is Mode.SHADOW:
            wrong += [*nothing_was_done(made), *await the_report_tells_both_sides(made, told)]
        listed = "\n".join(f"  {one}" for one in wrong)
        assert not wrong, f"{kind} in {mode} mode:\n{listed}\n\n{table(told, watching=mode is Mode.SHADOW)}"


def month_at(kind: Kind, made: Merchant) -> Month:
    if kind == "stripe":
        return Month(made, StripeTown(made.double), month_stripe.PEOPLE)
    return Month(made, RecurlyTown(made.double), month_recurly.PEOPLE)


# In every mode


def ends_as_scripted(told: Sequence[Story], mode: Mode) -> Iterator[str]:
    for one in told:
        wanted = one.wanted(watching=mode is Mode.SHADOW)
        if one.end != wanted:
            yield f"{one.customer.name}: stands at {one.end}, and the script says {wanted}"
        if one.end is not None and not one.decided:
            yield f"{one.customer.name}: nothing was ever decided"


def nobody_is_charged_twice(told: Sequence[Story]) -> Iterator[str]:
    """Only the customer's own hand pays a bill again."""
    for one in told:
        paid = [attempt for attempt in one.attempts if attempt.status in TOOK_MONEY]
        if any(attempt.initiator != "customer" for attempt in paid[1:]):
            yield f"{one.customer.name}: paid by {[attempt.initiator for attempt in paid]}"
        for key, times in Counter(attempt.key for attempt in one.attempts if attempt.initiator == "recoup").items():
            if times > 1:
                yield f"{one.customer.name}: {times} attempts under {key}"


def receipts_come_once(told: Sequence[Story]) -> Iterator[str]:
    for one in told:
        sent = [action for action in one.ran("contact") if action.template == RECEIPT_TEMPLATE]
        if len(sent) > 1:
            yield f"{one.customer.name}: {len(sent)} receipts"


async def what_was_lost_is_named(month: Month) -> Iterator[str]:
    """Only what the courier dropped was found by asking alone; what was late or came twice is no drift once it has arrived."""
    made = month.made
    drift = await drift_of(made.services.db, made.services.connections, made.connection_name)
    found = set(await rows(made.services.db, "SELECT kind, vendor_id FROM drift"))
    missed = Counter({line.kind: line.missed for line in drift.kinds if line.missed})
    lost = Counter(kind for kind, _ in month.lost)
    assert lost, "nothing was lost in this month"
    return iter(
        [
            *([f"the drift report counts {dict(missed)} as missed, and {dict(lost)} was lost"] if missed != lost else []),
            *(f"{kind} {name} was lost and never found" for kind, name in sorted(month.lost - found)),
        ]
    )


async def books_agree(made: Merchant) -> Iterator[str]:
    findings = (await made.report()).findings
    undone = await rows(made.services.db, "SELECT status, reason FROM inbox WHERE status IN ('accepted', 'dead')")
    return iter(
        [
            *(f"{name}: {finding}" for name, found in findings.items() for finding in found),
            *(f"an event is {status}: {why}" for status, why in undone),
            *(f"a job failed: {error}" for error in made.errors),
        ]
    )


# Shadow


def only_noted(told: Sequence[Story]) -> Iterator[str]:
    for one in told:
        for action in one.actions:
            if action.state not in {"shadowed", "denied"}:
                yield f"{one.customer.name}: {action.name} is {action.state}"


def nothing_was_done(made: Merchant) -> Iterator[str]:
    for exchange in made.double.log:
        if exchange.request.method != "GET":
            yield f"the platform was asked to {exchange.request.method} {exchange.request.path}"
    for message in made.messenger.accepted:
        yield f"somebody was written to: {message.subject}"


async def the_report_tells_both_sides(made: Merchant, told: Sequence[Story]) -> Iterator[str]:
    """Each case stands in ``recoup shadow report`` with what Recoup noted, and with what the platform's own books say was tried."""
    async with made.services.db.read() as session:
        reported = [case async for case in shadow_cases(session, made.services.policies, None)]
    names = dict(await rows(made.services.db, "SELECT id, vendor_id FROM invoices"))
    wrong: list[str] = []
    for one in told:
        episodes = [case for case in reported if names[case.invoice_id] == one.invoice]
        wrong += [f"{one.customer.name}: {problem}" for problem in _told_otherwise(one, episodes)]
    return iter(wrong)


def _told_otherwise(one: Story, episodes: Sequence[ShadowCase]) -> Iterator[str]:
    if len(episodes) != (one.end.episode if one.end else 0):
        yield f"stands {len(episodes)} times in the report"
        return
    if not episodes:
        return
    noted = [(action.name, action.state) for action in one.actions]
    said = [(item.name, "shadowed") for case in episodes for item in case.noted] + [
        (item.name, "denied") for case in episodes for item in case.denied
    ]
    if Counter(said) != Counter(noted):
        yield f"the report notes {said}, and what was decided is {noted}"
    tried = [(attempt.at, attempt.initiator, attempt.status, attempt.amount_minor) for attempt in one.attempts]
    seen = [(item.at, item.by, item.status, item.amount_minor) for case in episodes for item in case.platform.attempts]
    if sorted(seen) != sorted(tried):
        yield f"the report says that others tried {seen}, and the platform's books say {tried}"
    last = episodes[-1]
    if (last.followed.status, last.followed.attribution) != (one.end.status, one.end.by) if one.end else True:
        yield f"the report says that {last.followed} followed"
    if any(case.had_effects or case.outcome_of_noted != "unknown" for case in episodes):
        yield "the report claims to know what was not tried"
    if not all("With Recoup    unknown" in "\n".join(lines_of(case)) for case in episodes):
        yield "people are told more than anybody knows"


# Approve and hybrid


def all_outward_was_approved(told: Sequence[Story]) -> Iterator[str]:
    """But for the receipt, which only says thanks."""
    for one, action in _ran(told):
        if not action.was_allowed or action.decided_by != APPROVER.name:
            yield f"{one.customer.name}: {action.name} went out, and {action.decided_by} had said yes ({action.asked})"


def low_risk_ran_by_itself(told: Sequence[Story]) -> Iterator[str]:
    """Templated messages, and small charges after declines that are known; all else was asked."""
    alone: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for one, action in _ran(told):
        is_low = action.risk == "contact" or (action.risk == "charge" and one.customer.amount < 10_000)
        (asked if action.was_allowed else alone)[action.risk] += 1
        if is_low and action.asked:
            yield f"{one.customer.name}: {action.name} is low risk, and {action.decided_by} was asked"
        if not is_low and not action.was_allowed:
            yield f"{one.customer.name}: {action.name} is no low risk, and nobody was asked"
    if not (alone["contact"] and alone["charge"] and asked["charge"] and asked["account"]):
        yield f"the month shows too little: {dict(alone)} ran alone, {dict(asked)} were asked"


def _ran(told: Sequence[Story]) -> Iterator[tuple[Story, Action]]:
    for one in told:
        for action in one.ran(*OUTWARD):
            if action.template != RECEIPT_TEMPLATE:
                yield one, action


MODES = {Mode.SHADOW: only_noted, Mode.APPROVE: all_outward_was_approved, Mode.HYBRID: low_risk_ran_by_itself}
