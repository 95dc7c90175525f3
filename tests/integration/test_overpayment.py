"""Paid twice: seen in what the platform tells, said, asked of a person, and given back exactly once, whatever becomes of the answer."""

from datetime import timedelta
from typing import Any

import pytest

from memory.database import Database
from recoup.actions import ActionName
from recoup.case import CaseStatus
from recoup.facts import CaseFacts
from recoup.policy import Mode
from tests.factories import on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.merchants.shop import Kind
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_state import Customer, Refund, Version

HOUR = timedelta(hours=1)
BOTH = pytest.mark.parametrize("kind", ["stripe", "recurly"])
AUTO = on_ladder(mode=Mode.AUTO)


def owed(made: Merchant, kind: Kind, *answers: str) -> Any:
    """An invoice whose first attempt failed; nobody but us tries it again for a while."""
    if kind == "stripe":
        made.double.world.retry_gaps = ()
        return made.double.owed_invoice("insufficient_funds", *answers)[0]
    campaign = made.double.campaign("patient", retry_days=(25,))
    account = made.double.account(made.double.card("insufficient_funds", *answers), dunning_campaign_id=campaign.id)
    return made.double.invoice(account, subscription=made.double.subscription(account))


def pays_by_a_second_way(made: Merchant, kind: Kind, invoice: Any) -> None:
    """On a page that was open since before: with the same card, which has money by now."""
    if kind == "recurly":
        made.double.customer_pays(invoice)
        return
    owner = made.double.world.get(Customer, invoice.customer)
    made.double.customer_pays(invoice, made.double.world.get(Card, owner.default_payment_method), separately=True)


async def is_charged(made: Merchant) -> None:
    """The plan's first slot comes."""
    await made.settle()
    await made.advance(25 * HOUR)
    await made.tick()
    await made.work()


async def facts_of(made: Merchant) -> CaseFacts:
    async with made.services.db.read() as session:
        [row] = await session.dicts("SELECT id FROM cases")
    return await made.services.facts.load(row["id"], made.double.clock.now())


def given_back(made: Merchant, kind: Kind) -> list[tuple[str, int]]:
    """Which payment was refunded, and how much of it, by the platform's own books."""
    if kind == "stripe":
        return [(one.charge, one.amount) for one in made.double.world.all(Refund)]
    refunds = [one for one in made.double.store.transactions.values() if one.type == "refund"]
    return [(one.original_id, one.amount) for one in refunds]


def paid(made: Merchant, invoice: Any) -> list[Any]:
    """The payments that brought money, oldest first."""
    return [one for one in made.double.ledger() if one.invoice == invoice.id and one.outcome == "succeeded"]


@BOTH
@pytest.mark.parametrize("trouble", [None, Trouble.RESET_AFTER, Trouble.RESET_BEFORE, Trouble.STORED_SERVER_ERROR])
async def test_the_payment_that_came_last_is_given_back_once_and_only_when_a_person_agrees(
    db: Database, kind: Kind, trouble: Trouble | None
) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        invoice = owed(made, kind, "ok", "ok")
        await is_charged(made)
        [ours] = paid(made, invoice)
        pays_by_a_second_way(made, kind, invoice)
        [_, second] = paid(made, invoice)
        await made.settle()
        facts = await facts_of(made)
        assert (facts.case.status, facts.case.overpaid_minor) == (CaseStatus.RECOVERED, second.amount)
        [approval] = await made.pending()
        [asked] = approval.request.action_requests
        assert asked.name == ActionName.REFUND_DUPLICATE
        named = next(a for a in facts.attempts if a.id == asked.args["attempt_id"])
        assert named.occurred_at == second.at
        assert given_back(made, kind) == []
        if trouble is not None:
            path = "/v1/refunds" if kind == "stripe" else f"/invoices/{invoice.id}/refund"
            made.double.misbehaviours.add(trouble, "POST", path)
        assert await made.answer_approvals() == 1
        for _ in range(8):
            await made.settle()
            await made.advance(timedelta(minutes=5))
        assert given_back(made, kind) == [(second.id, second.amount)]
        assert (await facts_of(made)).case.overpaid_minor == 0
        assert await made.pending() == []
        assert ours.id != second.id
        await made.judge()


@BOTH
async def test_nothing_is_given_back_that_a_person_said_no_to(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        invoice = owed(made, kind, "ok", "ok")
        await is_charged(made)
        pays_by_a_second_way(made, kind, invoice)
        await made.settle()
        assert await made.answer_approvals("reject") == 1
        await made.advance(24 * HOUR)
        await made.settle()
        assert (given_back(made, kind), await made.pending()) == ([], [])
        await made.judge()


@BOTH
async def test_both_payments_may_be_heard_of_at_once(db: Database, kind: Kind) -> None:
    """Our answer and the customer's payment come in one reading: the later one is still the one too many."""
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        invoice = owed(made, kind, "ok", "ok")
        await made.settle()
        await made.advance(25 * HOUR)
        path = f"/v1/invoices/{invoice.id}/pay" if kind == "stripe" else f"/invoices/{invoice.id}/collect"
        made.double.misbehaviours.add(Trouble.RESET_AFTER, "POST" if kind == "stripe" else "PUT", path)
        await made.tick()
        await made.work()
        await made.advance(timedelta(seconds=1))
        pays_by_a_second_way(made, kind, invoice)
        for _ in range(8):
            await made.settle()
            await made.advance(timedelta(minutes=5))
        [_, second] = paid(made, invoice)
        assert await made.answer_approvals() == 1
        await made.settle()
        assert given_back(made, kind) == [(second.id, second.amount)]
        await made.judge()


async def test_a_version_of_stripe_that_does_not_add_up_what_came_later_tells_it_by_its_charges(db: Database) -> None:
    """Before InvoicePayments an invoice knows of one payment intent only; the second charge says itself which invoice it paid."""
    async with merchant(db, "stripe", seed=1, policy=AUTO, version=Version.OLD) as made:
        invoice = owed(made, "stripe", "ok", "ok")
        await is_charged(made)
        pays_by_a_second_way(made, "stripe", invoice)
        await made.settle()
        [_, second] = paid(made, invoice)
        assert (await facts_of(made)).case.overpaid_minor == second.amount
        assert await made.answer_approvals() == 1
        await made.settle()
        assert given_back(made, "stripe") == [(second.id, second.amount)]


async def test_a_debit_of_ours_that_arrives_after_the_invoice_was_paid_elsewhere_is_the_one_too_many(db: Database) -> None:
    """What the merchant books as paid by other means is no transaction at Recurly."""
    async with merchant(db, "recurly", seed=1, policy=AUTO) as made:
        invoice = owed(made, "recurly", "processing", "ok")
        await is_charged(made)
        with made.double.lock:
            made.double.collection.pay_elsewhere(invoice)
        for _ in range(4):
            await made.settle()
            await made.advance(24 * HOUR)
        await made.settle()
        [debit] = paid(made, invoice)
        assert (await facts_of(made)).case.overpaid_minor == debit.amount
        assert await made.answer_approvals() == 1
        await made.settle()
        assert given_back(made, "recurly") == [(debit.id, debit.amount)]
        await made.judge()


async def test_where_recurly_would_choose_another_payment_the_refund_is_left_to_a_person(db: Database) -> None:
    """It gives back by amount, from payments of its own choice: with two cards that could be the wrong one."""
    async with merchant(db, "recurly", seed=1, policy=AUTO) as made:
        invoice = owed(made, "recurly", "ok")
        await is_charged(made)
        made.double.customer_pays(invoice, made.double.card("ok", last_four="4444"))
        await made.settle()
        assert await made.answer_approvals() == 1
        await made.settle()
        assert given_back(made, "recurly") == []
        async with made.services.db.read() as session:
            told = await session.value("SELECT body FROM tasks WHERE title = 'refund_duplicate was refused'")
        assert "Recurly chooses itself which payment it gives back" in told
        await made.judge()
