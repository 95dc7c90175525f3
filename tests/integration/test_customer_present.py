"""What only the customer can do at Stripe: pay again with a card issued in India, or confirm a payment. We never try for them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from api.jobs import execute
from memory import outbox
from memory.database import Database
from memory.outbox import ActionState
from recoup.case import Attribution, CaseStatus
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.policy import Escalations, Mode
from tests.factories import on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.scenes import a_retry, commit
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_state import Customer

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# However much is owed, nobody need be asked: what keeps us from charging is the rule alone.
AUTO = on_ladder(mode=Mode.AUTO, escalations=Escalations(amount_over_major_by_currency={"INR": Decimal(100_000)}))


def owed(made: Merchant, token: str, *answers: str, amount: int = 4_900, currency: str = "eur") -> tuple[Any, Card]:
    """An invoice whose first attempt failed, on a card of that kind; Stripe has planned to try it again."""
    double = made.double
    with double.lock:
        customer = double.add_customer()
        card = double.add_card(customer, token, answers=answers)
        return double.bill(double.add_subscription(customer, amount=amount, currency=currency, renews=False)), card


async def facts_of(made: Merchant) -> CaseFacts:
    async with made.services.db.read() as session:
        [row] = await session.dicts("SELECT id FROM cases")
    return await made.services.facts.load(row["id"], made.double.clock.now())


async def live(made: Merchant, days: int) -> None:
    for _ in range(2 * days):
        await made.settle()
        await made.advance(DAY / 2)
    await made.settle()


async def refusal_of_a_charge(made: Merchant, facts: CaseFacts) -> str:
    """Why a charge that somebody decided on all the same does not start."""
    action_id = await commit(made.services, facts, a_retry(facts))
    await execute.run(made.services, action_id)
    async with made.services.db.read() as session:
        action = await outbox.get(session, action_id)
    assert action.state is ActionState.VOID
    return action.state_reason or ""


def made_on(made: Merchant, invoice: Any) -> list[tuple[str, str]]:
    return [(one.initiator, one.outcome) for one in made.double.ledger() if one.invoice == invoice.id]


# The Reserve Bank's limit of 15,000 INR for charges without the cardholder makes no difference: below it there is no retry either.
@pytest.mark.parametrize("amount", [1_000_000, 2_000_000])
async def test_a_card_issued_in_india_is_never_tried_again_without_its_holder(db: Database, amount: int) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        made.double.world.retry_gaps = ()
        invoice, card = owed(made, "pm_card_in", "insufficient_funds", amount=amount, currency="inr")
        await live(made, 9)
        assert made_on(made, invoice) == [("platform", "failed")]
        facts = await facts_of(made)
        assert facts.category is Category.FUNDS, "what would be tried again on any other card"
        assert "(rule india-issued; " in await refusal_of_a_charge(made, facts)
        assert [invoice.id in letter.body for letter in made.messenger.accepted] == [True] * 3, "each letter has the link to pay by"
        made.double.customer_pays(invoice, card)
        await made.settle()
        assert (await facts_of(made)).case.status is CaseStatus.RECOVERED
        await made.judge()


async def test_what_the_bank_wants_confirmed_is_never_tried_without_the_customer(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        made.double.world.retry_gaps = ()
        invoice, card = owed(made, "pm_card_authenticationRequired")
        await live(made, 13)
        assert made_on(made, invoice) == [("platform", "failed")]
        facts = await facts_of(made)
        assert facts.category is Category.CUSTOMER_ACTION
        assert "(rule customer-must-act; " in await refusal_of_a_charge(made, facts)
        assert all(invoice.id in letter.body for letter in made.messenger.accepted)
        assert made.messenger.accepted
        made.double.customer_pays(invoice, card)
        await made.settle()
        assert made_on(made, invoice)[1:] == [("customer", "succeeded")]
        assert (await facts_of(made)).case.status is CaseStatus.RECOVERED
        async with made.services.db.read() as session:
            assert await session.value("SELECT attribution FROM cases") == Attribution.CUSTOMER_LINK
        await made.judge()


async def test_another_card_that_needs_no_confirmation_is_charged(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        made.double.world.retry_gaps = ()
        invoice, _ = owed(made, "pm_card_authenticationRequired")
        await live(made, 2)
        made.double.add_card(made.double.world.get(Customer, invoice.customer), "pm_card_mastercard")
        await live(made, 1)
        assert made_on(made, invoice) == [("platform", "failed"), ("merchant", "succeeded")]
        await made.judge()


async def test_a_confirmation_that_our_own_charge_is_answered_with_ends_our_tries(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        made.double.world.retry_gaps = ()
        invoice, card = owed(made, "pm_card_visa", "insufficient_funds", "authentication_required")
        card.always = "authentication_required"
        await live(made, 13)
        assert made_on(made, invoice) == [("platform", "failed"), ("merchant", "failed")]
        assert (await facts_of(made)).category is Category.CUSTOMER_ACTION
        await made.judge()
