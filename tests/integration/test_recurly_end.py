"""Recurly from end to end: its thin webhooks through the real door, fetched over real HTTP, and a charge whose answer is lost."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest

from api.app import create_app
from api.jobs import execute, intake
from graph.bootstrap import Services
from memory import attempts, cases, inbox, sending
from memory.database import Database
from memory.facts import DatabaseFacts
from memory.inbox import EventRow
from memory.outbox import ActionState
from recoup.case import Attribution, CaseStatus
from recoup.clock import FixedClock, wall_now
from recoup.facts import CaseFacts
from recoup.invoice import Initiator
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.fakes import make_services
from tests.scenes import a_retry, action_of, change, commit
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly_records import Invoice

SECRET = "rsec"
DOOR = "http://recoup.test"


@dataclass
class Stage:
    """Recoup and the double, connected both ways."""

    services: Services
    recurly: RecurlyBench
    client: httpx.AsyncClient

    async def hear(self) -> list[EventRow]:
        """Everything that Recurly has to tell by today, out of order, and what became of it."""
        self.recurly.double.advance(max(timedelta(), wall_now().replace(microsecond=0) - self.recurly.double.clock.now()))
        services = replace(self.services, clock=FixedClock(self.recurly.double.clock.now()))
        deliveries = await self.recurly.double.courier.deliver(self.client, twice=0.3, shuffled=True)
        assert all(delivery.accepted for delivery in deliveries)
        ended: list[EventRow] = []
        for _ in range(intake.MOST_TRIES):
            async with services.db.read() as session:
                waiting = await session.dicts("SELECT id FROM inbox WHERE status = 'accepted'")
            for row in waiting:
                await intake.run(services, row["id"])
                async with services.db.read() as session:
                    ended.append(await inbox.get(session, row["id"]))
            await change(services.db, "UPDATE inbox SET lease_until = NULL WHERE status = 'accepted'")
        return [event for event in ended if event.status != "accepted"]

    async def case_of(self, invoice: Invoice) -> CaseFacts:
        """The facts of the invoice's case."""
        async with self.services.db.read() as session:
            case_id = await session.value(
                "SELECT c.id FROM cases c JOIN invoices i ON i.id = c.invoice_id WHERE i.vendor_id = %s", (invoice.id,)
            )
        assert case_id is not None
        return await self.services.facts.load(case_id, self.recurly.double.clock.now())


@pytest.fixture
async def stage(db: Database) -> AsyncGenerator[Stage]:
    yesterday = wall_now().replace(microsecond=0) - timedelta(days=1)
    with recurly_bench(yesterday) as bench:
        connection, platform = bench.connection(webhook_secrets=(SECRET,)), bench.billing()
        made = make_services(db, billing=platform, clock=FixedClock(bench.double.clock.now()))
        connections, billing = {connection.name: connection}, {connection.name: platform}
        services = replace(made, connections=connections, billing=billing, facts=DatabaseFacts(db, connections, billing))
        bench.double.send_webhooks_to(f"{DOOR}/webhooks/{connection.name}", SECRET)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app(services)), base_url=DOOR) as client:
            yield Stage(services, bench, client)
        await platform.aclose()


async def test_thin_events_are_fetched_and_none_dies(stage: Stage) -> None:
    double = stage.recurly.double
    invoice = stage.recurly.owing("ok")
    heard = await stage.hear()
    assert {event.event_type for event in heard} >= {"account.created", "billing_info.created", "charge_invoice.past_due", "payment.failed"}
    assert {event.status for event in heard} <= {"processed", "ignored"}, [(e.event_type, e.reason) for e in heard]
    facts = await stage.case_of(invoice)
    assert (facts.case.status, facts.invoice.remaining_minor, len(facts.attempts)) == (CaseStatus.OPEN, 2_000, 1)
    assert facts.attempts[0].initiator is Initiator.PLATFORM
    double.customer_pays(invoice)
    with double.lock:
        double.collection.refund(invoice, 500, None)
        double.subscriptions.cancel(double.store.subscriptions[invoice.subscription_ids[0]])
    heard = await stage.hear()
    assert {event.event_type for event in heard} >= {
        "payment.succeeded",
        "payment.refunded",
        "credit_invoice.created",
        "subscription.canceled",
    }
    assert {event.status for event in heard} <= {"processed", "ignored"}, [(e.event_type, e.reason) for e in heard]
    assert (await stage.case_of(invoice)).case.status is not CaseStatus.OPEN


async def test_a_payment_that_is_heard_of_before_its_lost_answer_is_looked_up_is_still_ours(stage: Stage) -> None:
    invoice = stage.recurly.owing("ok")
    await stage.hear()
    facts = await stage.case_of(invoice)
    services = replace(stage.services, clock=FixedClock(facts.now))
    action_id = await commit(services, facts, a_retry(facts))
    stage.recurly.double.misbehaviours.add(Trouble.RESET_AFTER, "PUT", "/invoices/")
    await execute.run(services, action_id)
    await stage.hear()
    async with stage.services.db.read() as session:
        case = await cases.get(session, facts.case.id)
        rows = await attempts.of_invoice(session, facts.invoice.id)
    assert (case.status, case.attribution) == (CaseStatus.RECOVERED, Attribution.RECOUP)
    assert [(row.snapshot.initiator, row.snapshot.action_id) for row in rows] == [(Initiator.PLATFORM, None), (Initiator.RECOUP, action_id)]


async def test_what_another_program_of_the_merchants_collects_is_not_ours(stage: Stage) -> None:
    invoice = stage.recurly.owing("try_again", "ok")
    await stage.hear()
    facts = await stage.case_of(invoice)
    theirs = stage.recurly.charge(invoice, "not_ours")
    await stage.services.billing["recurly"].perform(theirs)
    await commit(stage.services, facts, a_retry(facts))
    await stage.hear()
    async with stage.services.db.read() as session:
        rows = await attempts.of_invoice(session, facts.invoice.id)
    assert [(row.snapshot.initiator, row.snapshot.action_id) for row in rows] == [(Initiator.PLATFORM, None), (Initiator.MERCHANT, None)]


@pytest.mark.parametrize("trouble", [None, Trouble.RESET_AFTER, Trouble.STORED_SERVER_ERROR])
async def test_a_charge_is_one_attempt_of_ours_whatever_becomes_of_its_answer(stage: Stage, trouble: Trouble | None) -> None:
    invoice = stage.recurly.owing("try_again")
    await stage.hear()
    facts = await stage.case_of(invoice)
    services = replace(stage.services, clock=FixedClock(facts.now))
    action_id = await commit(services, facts, a_retry(facts))
    if trouble:
        stage.recurly.double.misbehaviours.add(trouble, "PUT", "/invoices/")
    await execute.run(services, action_id)
    if trouble:
        assert (await action_of(services.db, action_id)).state is ActionState.UNKNOWN
        await change(services.db, "UPDATE actions SET next_try_at = now() - interval '1 second' WHERE id = %s", action_id)
        await execute.run(services, action_id)
    action = await action_of(services.db, action_id)
    assert action.state is ActionState.DONE, action.state_reason
    assert stage.recurly.made(invoice) == [("platform", "failed"), ("merchant", "failed")]
    await stage.hear()
    ours = stage.recurly.double.ledger()[-1]
    async with services.db.read() as session:
        rows = await attempts.of_invoice(session, facts.invoice.id)
        effect = await sending.effect_of(session, action)
    told = {row.snapshot.vendor_key: (row.snapshot.initiator, row.snapshot.action_id) for row in rows}
    assert told[ours.id] == (Initiator.RECOUP, action_id)
    assert effect.known_transactions == tuple(key for key in told if key != ours.id)
    again = await stage.case_of(invoice)
    assert len([entry for entry in again.ledger if entry.own_case]) == 2, "it is not counted as a reservation besides"
