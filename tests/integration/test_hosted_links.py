"""The customer's own way to pay, open while we charge: whatever crosses, nobody pays twice, and what is under way is waited for."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from api.jobs import execute
from graph.logging import QUIET
from memory import outbox
from memory.database import Database
from memory.outbox import ActionRow, ActionState
from recoup.actions import Action
from recoup.case import Attribution, CaseStatus
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus
from recoup.policy import Mode
from tests.factories import make_retry, on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.merchants.shop import Kind
from tests.scenes import a_retry, commit
from tests.vendors.stripe_collecting import Order, attempt
from tests.vendors.stripe_state import Customer

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BOTH = pytest.mark.parametrize("kind", ["stripe", "recurly"])
AUTO = on_ladder(mode=Mode.AUTO)


def owed(made: Merchant, kind: Kind, *answers: str) -> Any:
    """An invoice whose first attempt failed; nobody but us and the customer tries it again for a while."""
    if kind == "stripe":
        made.double.world.retry_gaps = ()
        return made.double.owed_invoice("insufficient_funds", *answers)[0]
    campaign = made.double.campaign("patient", retry_days=(25,))
    account = made.double.account(made.double.card("insufficient_funds", *answers), dunning_campaign_id=campaign.id)
    return made.double.invoice(account, subscription=made.double.subscription(account))


def pays_by_link(made: Merchant, kind: Kind, invoice: Any, *, by_debit: str | None = None) -> None:
    """The customer pays on the hosted page: with a card that works, or by a debit whose bank says so days later."""
    if kind == "recurly":
        made.double.customer_pays(invoice, made.double.card("processing", by_debit) if by_debit else made.double.card("ok"))
        return
    owner = made.double.world.get(Customer, invoice.customer)
    token = "pm_sepa_debit" if by_debit else "pm_card_mastercard"
    card = made.double.add_card(owner, token, answers=[by_debit] if by_debit else ["ok"], default=False)
    made.double.customer_pays(invoice, card)


def path_of_charge(kind: Kind, invoice: Any) -> tuple[str, str]:
    return ("POST", f"/v1/invoices/{invoice.id}/pay") if kind == "stripe" else ("PUT", f"/invoices/{invoice.id}/collect")


def made_on(made: Merchant, invoice: Any) -> list[tuple[str, str]]:
    """Who tried and what came of it, after the first failure."""
    return [(one.initiator, one.outcome) for one in made.double.ledger() if one.invoice == invoice.id][1:]


async def facts_of(made: Merchant) -> CaseFacts:
    async with made.services.db.read() as session:
        [row] = await session.dicts("SELECT id FROM cases")
    return await made.services.facts.load(row["id"], made.double.clock.now())


async def attribution(made: Merchant) -> Attribution | None:
    async with made.services.db.read() as session:
        return await session.value("SELECT attribution FROM cases")


async def charge(made: Merchant, facts: CaseFacts, action: Action | None = None) -> ActionRow:
    """One charge that was decided on, executed; what became of it."""
    action_id = await commit(made.services, facts, action or a_retry(facts))
    await execute.run(made.services, action_id)
    async with made.services.db.read() as session:
        return await outbox.get(session, action_id)


async def charges_of_the_plan(made: Merchant) -> list[str]:
    """Until the first slot of the plan is over; what became of its charges."""
    await made.advance(25 * HOUR)
    await made.settle()
    async with made.services.db.read() as session:
        return [row["state"] for row in await session.dicts("SELECT state FROM actions WHERE name = 'retry_payment' ORDER BY id")]


@BOTH
async def test_a_payment_by_link_before_the_last_reading_voids_the_charge(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        invoice = owed(made, kind, "ok")
        await made.settle()
        facts = await facts_of(made)
        pays_by_link(made, kind, invoice)
        action = await charge(made, facts)
        assert action.state is ActionState.VOID
        await made.settle()
        assert made_on(made, invoice) == [("customer", "succeeded")]
        assert (await facts_of(made)).case.status is CaseStatus.RECOVERED
        await made.judge()


@BOTH
async def test_a_payment_by_link_between_the_last_reading_and_the_charge_is_not_collected_twice(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        invoice = owed(made, kind, "ok")
        await made.settle()
        made.double.before_next(*path_of_charge(kind, invoice), lambda: pays_by_link(made, kind, invoice))
        assert await charges_of_the_plan(made) == ["failed"]
        assert made_on(made, invoice) == [("customer", "succeeded")]
        assert (await facts_of(made)).case.status is CaseStatus.RECOVERED
        await made.judge()


@BOTH
@pytest.mark.parametrize(("ends", "expected"), [("ok", "succeeded"), ("insufficient_funds", "failed")])
async def test_a_debit_by_link_is_waited_for_and_then_decides(db: Database, kind: Kind, ends: str, expected: str) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        invoice = owed(made, kind, "ok")
        await made.settle()
        pays_by_link(made, kind, invoice, by_debit=ends)
        await made.settle()
        facts = await facts_of(made)
        assert facts.has_open_attempt
        action = await charge(made, facts)
        assert action.state is ActionState.VOID
        assert "an attempt on this invoice is pending, processing, reserved or unknown" in (action.state_reason or "")
        for _ in range(10):
            await made.advance(12 * HOUR)
            await made.settle()
            if made_on(made, invoice) == [("customer", "pending")]:
                assert (await facts_of(made)).has_open_attempt
        for _ in range(20):
            await made.advance(12 * HOUR)
            await made.settle()
        tried = made_on(made, invoice)
        assert tried[0] == ("customer", expected)
        assert [outcome for _, outcome in tried].count("succeeded") == 1, "the plan goes on only where the debit came back"
        await made.judge()


@BOTH
async def test_a_debit_that_begins_between_the_last_reading_and_the_charge_is_not_joined_by_it(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        invoice = owed(made, kind, "ok")
        await made.settle()
        made.double.before_next(*path_of_charge(kind, invoice), lambda: pays_by_link(made, kind, invoice, by_debit="ok"))
        assert await charges_of_the_plan(made) == ["failed"]
        for _ in range(12):
            await made.settle()
            await made.advance(12 * HOUR)
        await made.settle()
        assert made_on(made, invoice) == [("customer", "succeeded")]
        assert await attribution(made) is not Attribution.RECOUP
        await made.judge()


async def test_while_a_payment_waits_for_the_customers_confirmation_no_card_is_charged(db: Database) -> None:
    async with merchant(db, "stripe", seed=1, policy=AUTO) as made:
        invoice = owed(made, "stripe", "ok")
        owner = made.double.world.get(Customer, invoice.customer)
        with made.double.lock:
            confirmed = made.double.add_card(owner, answers=["authentication_required"], default=False)
            attempt(made.double.world, invoice, confirmed, Order("merchant", on_session=True))
        await made.settle()
        facts = await facts_of(made)
        assert [a.status for a in facts.attempts] == [AttemptStatus.FAILED, AttemptStatus.REQUIRES_ACTION]
        same = next(c for c in (facts.credential, *facts.backups) if c and c.vendor_id == confirmed.id)
        waiting = make_retry(credential_id=same.id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency)
        for wanted, rule in ((a_retry(facts), "confirmation-open"), (waiting, "customer-must-act")):
            action = await charge(made, facts, wanted)
            assert action.state is ActionState.VOID
            assert f"(rule {rule};" in (action.state_reason or ""), action.state_reason
        await made.advance(HOUR)
        later = await facts_of(made)
        still = await charge(made, later, waiting)
        assert "(rule customer-must-act;" in (still.state_reason or ""), "the method itself waits for the customer for good"
        assert made_on(made, invoice) == [("merchant", "requires_action")]


@BOTH
async def test_the_link_in_a_message_is_read_when_it_is_sent_and_stands_in_no_log(
    db: Database, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.APPROVE)) as made:
        invoice = owed(made, kind, "ok")
        await made.settle()
        link = f"https://invoice.stripe.com/i/acct_1Double000000/test_{invoice.id}"
        secrets = [link]
        if kind == "recurly":
            # While the message waits for a person Recurly gives the page another address.
            with made.double.lock:
                account = made.double.store.accounts[invoice.account_id]
                secrets = [account.hosted_login_token, "another-token"]
                link = "/account/billing_info/edit?ht=another-token"
                account.hosted_login_token = "another-token"
        readings = len(made.double.exchanges("GET", f"{'/v1' if kind == 'stripe' else ''}/invoices/{invoice.id}"))
        await made.answer_approvals()
        await made.work()
        [letter] = made.messenger.accepted
        assert link in letter.body
        assert len(made.double.exchanges("GET", f"{'/v1' if kind == 'stripe' else ''}/invoices/{invoice.id}")) > readings
        async with made.services.db.read() as session:
            audited = await session.dicts("SELECT body AS data FROM audit_log")
        assert audited
        shown = [record for record in caplog.records if record.name.partition(".")[0] not in QUIET]
        assert shown
        for secret in secrets:
            assert all(secret not in row["data"] for row in audited)
            assert all(secret not in record.getMessage() for record in shown)
