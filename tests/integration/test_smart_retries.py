"""Stripe's Smart Retries and the plan: never side by side, and together as many attempts as the plan has slots, whenever one hands over."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.jobs import execute
from memory import outbox
from memory.database import Database
from memory.outbox import ActionState
from recoup.actions import Action, ActionName
from recoup.facts import CaseFacts
from recoup.invoice import Collector
from recoup.policy import Mode, Steps
from tests.factories import on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.scenes import a_retry, commit
from tests.vendors.stripe_state import Customer, Endpoint, Subscription

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SLOTS = (1, 3, 7, 12)
# What the plan does besides would only take time.
STEPS = Steps(retry_days=SLOTS, message_days=(), suspend_day=None)
AUTO = on_ladder(mode=Mode.AUTO, steps=STEPS)
TAKES_OVER = on_ladder(mode=Mode.AUTO, steps=STEPS.model_copy(update={"take_over": True}))
# Of the several events that each attempt sets off one is enough to see who makes the next.
TOLD = ["invoice.updated"]
# Nobody ever pays: whoever tries is refused, for want of money, which may be tried again the next day.
REFUSED = ["insufficient_funds"] * 40


def owed(made: Merchant, *gaps: timedelta) -> Any:
    """An invoice that Stripe tries again after each of the gaps."""
    made.double.world.retry_gaps = gaps
    for endpoint in made.double.world.all(Endpoint):
        endpoint.enabled_events = TOLD
    return made.double.owed_invoice(*REFUSED)[0]


async def live(made: Merchant, until: datetime) -> None:
    """Both sides do what they do, until then: from one moment at which either has something due to the next, and no oftener."""
    await made.settle()
    while (now := made.double.clock.now()) < until:
        due = [at for at in (made.double.next_due(), await next_timer(made)) if at is not None]
        await made.advance(max(min([*due, until]) - now, timedelta(seconds=1)))
        await made.settle()


async def next_timer(made: Merchant) -> datetime | None:
    """When our side looks at something again by itself."""
    async with made.services.db.read() as session:
        return await session.value("SELECT min(due_at) FROM timers WHERE state = 'pending'")


def retries(made: Merchant, invoice: Any) -> list[tuple[str, float]]:
    """Who tried again, and on which day of the invoice."""
    made_on = [one for one in made.double.ledger() if one.invoice == invoice.id]
    return [(one.initiator, round((one.at - invoice.created) / DAY, 1)) for one in made_on[1:]]


async def facts_of(made: Merchant) -> CaseFacts:
    async with made.services.db.read() as session:
        [row] = await session.dicts("SELECT id FROM cases")
    return await made.services.facts.load(row["id"], made.double.clock.now())


HAND_OVERS: list[tuple[str, tuple[timedelta, ...], dict[str, int]]] = [
    ("before anything", (), {"merchant": 4}),
    ("before the first slot", (20 * HOUR,), {"platform": 1, "merchant": 3}),
    ("at the first slot", (DAY,), {"platform": 1, "merchant": 3}),
    ("after the first slot", (30 * HOUR,), {"platform": 1, "merchant": 3}),
    ("just before the second slot", (DAY, 2 * DAY - HOUR), {"platform": 2, "merchant": 2}),
    ("at the second slot", (DAY, 2 * DAY), {"platform": 2, "merchant": 2}),
    ("just after the second slot", (DAY, 2 * DAY + HOUR), {"platform": 2, "merchant": 2}),
    ("when two slots have passed and one attempt was made", (4 * DAY,), {"platform": 1, "merchant": 3}),
    ("when three slots have passed and one attempt was made", (8 * DAY,), {"platform": 1, "merchant": 3}),
    ("with as many attempts as there are slots", (DAY, DAY, DAY, DAY), {"platform": 4}),
    ("with more attempts than slots", (DAY, DAY, DAY, DAY, DAY), {"platform": 5}),
]


@pytest.mark.parametrize(("when", "gaps", "expected"), HAND_OVERS, ids=[row[0].replace(" ", "-") for row in HAND_OVERS])
async def test_stripe_hands_over(db: Database, when: str, gaps: tuple[timedelta, ...], expected: dict[str, int]) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        invoice = owed(made, *gaps)
        await live(made, made.double.clock.now() + 15 * DAY)
        tried = retries(made, invoice)
        assert Counter(by for by, _ in tried) == expected, tried
        ended = sum(gaps, timedelta()) / DAY
        assert all(at > ended for by, at in tried if by == "merchant"), "nothing of ours beside what Stripe has planned"
        await made.judge()


async def test_the_customers_own_tries_use_up_nothing(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        invoice = owed(made, DAY)
        begin = made.double.clock.now()
        for hours in (2, 40):
            await live(made, begin + hours * HOUR)
            card = made.double.add_card(made.double.world.get(Customer, invoice.customer), answers=["insufficient_funds"], default=False)
            assert made.double.customer_pays(invoice, card) is not None
        await live(made, begin + 15 * DAY)
        assert Counter(by for by, _ in retries(made, invoice)) == {"customer": 2, "platform": 1, "merchant": 3}


# Stripe would try on days 2 and 5 and then cancel the subscription.
TAKEN_OVER: list[tuple[str, timedelta, int]] = [
    ("before the first slot", 12 * HOUR, 0),
    ("at the first slot", DAY, 0),
    ("after the first slot, before Stripe's attempt", 30 * HOUR, 0),
    ("at the very moment of Stripe's attempt", 2 * DAY, 1),
    ("after Stripe's attempt, before the second slot", 60 * HOUR, 1),
    ("when two slots have passed and one attempt was made", 4 * DAY, 1),
    ("after Stripe's last attempt but one", 5 * DAY + HOUR, 2),
]


@pytest.mark.parametrize(("when", "after", "theirs"), TAKEN_OVER, ids=[row[0].replace(" ", "-") for row in TAKEN_OVER])
async def test_a_person_takes_an_invoice_over(db: Database, when: str, after: timedelta, theirs: int) -> None:
    async with merchant(db, "stripe", seed=1, policy=TAKES_OVER) as made:
        invoice = owed(made, 2 * DAY, 3 * DAY, 3 * DAY)
        begin = made.double.clock.now()
        # Whatever falls due at Stripe at that very moment has happened, and nobody has told us yet.
        await live(made, begin + after - timedelta(seconds=1))
        await made.advance(begin + after - made.double.clock.now())
        assert await made.answer_approvals() == 1
        await live(made, begin + 20 * DAY)
        tried = retries(made, invoice)
        by_whom = Counter(by for by, _ in tried)
        assert (by_whom["platform"], by_whom["merchant"], len(tried)) == (theirs, len(SLOTS) - theirs, len(SLOTS)), tried
        assert all(at <= after / DAY for by, at in tried if by == "platform")
        facts = await facts_of(made)
        assert (facts.invoice.collector, facts.invoice.next_platform_attempt_at) == (Collector.RECOUP, None)
        await made.judge()


async def test_whoever_takes_over_is_told_that_the_final_action_becomes_ours_and_so_it_does(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=TAKES_OVER) as made:
        invoice = owed(made, 2 * DAY, 3 * DAY)
        subscription = made.double.world.get(Subscription, invoice.subscription)
        subscription.final_action = "cancel"
        await made.settle()
        [approval] = await made.pending()
        [asked] = approval.request.action_requests
        assert asked.name == ActionName.TAKE_OVER_COLLECTION
        assert "Stripe's final action becomes ours as well" in asked.description
        assert "neither cancels the subscription nor marks it unpaid by itself" in asked.description
        assert "4 of the plan's 4 attempts are ours to make" in asked.description
        await made.answer_approvals()
        await live(made, made.double.clock.now() + 27.5 * DAY)
        assert subscription.status == "past_due"
        async with made.services.db.read() as session:
            told = await session.value("SELECT body FROM tasks WHERE title LIKE 'The plan ends%%'")
        assert "The invoice was taken over, so the platform does not end the subscription by itself any more." in told


async def test_an_invoice_that_is_not_taken_over_is_left_to_stripe(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=TAKES_OVER) as made:
        invoice = owed(made, 2 * DAY, 3 * DAY)
        await made.settle()
        assert await made.answer_approvals("reject") == 1
        await live(made, made.double.clock.now() + 15 * DAY)
        assert await made.pending() == [], "a person has said no"
        assert Counter(by for by, _ in retries(made, invoice)) == {"platform": 2, "merchant": 2}


async def test_what_is_handed_back_stripe_plans_anew_and_we_leave_to_it(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=TAKES_OVER) as made:
        invoice = owed(made, 2 * DAY, 3 * DAY)
        await made.settle()
        await made.answer_approvals()
        await live(made, made.double.clock.now() + 36 * HOUR)
        facts = await facts_of(made)
        assert facts.invoice.collector is Collector.RECOUP
        back = await commit(made.services, facts, Action(name=ActionName.HAND_BACK_COLLECTION, args={}))
        await execute.run(made.services, back)
        await live(made, made.double.clock.now() + 12 * HOUR)
        assert (await facts_of(made)).invoice.collector is Collector.PLATFORM
        handed_back = (made.double.clock.now() - invoice.created) / DAY
        await live(made, made.double.clock.now() + 15 * DAY)
        tried = retries(made, invoice)
        ends = max(at for by, at in tried if by == "platform")
        assert not [at for by, at in tried if by == "merchant" and handed_back < at <= ends], tried
        assert len(tried) == len(SLOTS)


async def test_a_charge_that_was_decided_on_before_stripes_last_attempt_is_decided_anew(db: Database) -> None:
    """Nobody has told us of the attempt: the last reading before sending does."""
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        invoice = owed(made, DAY)
        await made.settle()
        facts = await facts_of(made)
        action_id = await commit(made.services, facts, a_retry(facts))
        await made.advance(DAY)
        assert retries(made, invoice) == [("platform", 1.0)]
        await execute.run(made.services, action_id)
        async with made.services.db.read() as session:
            action = await outbox.get(session, action_id)
        assert action.state is ActionState.VOID
        assert "an attempt by the platform" in (action.state_reason or "")
        assert "rule tried-meanwhile" in (action.state_reason or "")
        assert retries(made, invoice) == [("platform", 1.0)]


async def test_while_stripe_plans_an_attempt_no_charge_leaves_whoever_wants_it(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        invoice = owed(made, 3 * DAY)
        await made.settle()
        facts = await facts_of(made)
        assert facts.invoice.collector is Collector.PLATFORM
        action_id = await commit(made.services, facts, a_retry(facts))
        await execute.run(made.services, action_id)
        async with made.services.db.read() as session:
            action = await outbox.get(session, action_id)
        assert action.state is ActionState.VOID
        assert "rule platform-retry-planned" in (action.state_reason or "")
        assert retries(made, invoice) == []
