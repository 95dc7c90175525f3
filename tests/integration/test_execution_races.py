"""Payments, opt-outs and workers at the same moment: whoever commits first wins, and the audit log shows who it was."""

import asyncio
import random
from datetime import timedelta

import pytest

from api.jobs import execute
from graph.bootstrap import Services
from memory.database import Database
from recoup.events import EventKind, Reading
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus, InvoiceStatus
from tests.factories import NOW, account_snapshot, attempt_snapshot, credential_snapshot, invoice_snapshot, make_reading
from tests.fakes import FakeBilling, make_services
from tests.scenes import a_message, a_retry, absorb_reading, commit

CASES = 12
WORKERS = 3

STARTED_AFTER_THE_END = """
SELECT count(*) FROM audit_log s JOIN audit_log e ON e.chain = s.chain AND e.n < s.n
 WHERE s.kind = 'action' AND s.state = 'started' AND e.kind = 'case' AND e.state = 'recovered'"""
STARTED_TWICE = "SELECT count(*) FROM (SELECT subject FROM audit_log WHERE state = 'started' GROUP BY subject HAVING count(*) > 1) AS twice"


def failed(number: int) -> Reading:
    """The default failure, for the customer of that number."""
    return make_reading(
        account=account_snapshot(vendor_id=f"cus_{number}"),
        invoice=invoice_snapshot(vendor_id=f"in_{number}", account_vendor_id=f"cus_{number}", number=f"A-{number}"),
        attempts=(attempt_snapshot(vendor_key=f"ch_{number}", charge_vendor_id=f"ch_{number}", credential_vendor_id=f"pm_{number}"),),
        credentials=(credential_snapshot(vendor_id=f"pm_{number}", fingerprint=f"fp_{number}"),),
        subscription_vendor_id=f"sub_{number}",
    )


def paid(number: int) -> Reading:
    """The same invoice, paid by the customer a minute ago."""
    at, before = NOW - timedelta(minutes=1), failed(number)
    success = attempt_snapshot(
        vendor_key=f"pay_{number}",
        charge_vendor_id=f"pay_{number}",
        occurred_at=at,
        observed_at=at,
        status=AttemptStatus.SUCCEEDED,
        codes=None,
    )
    assert before.invoice is not None
    invoice = before.invoice.model_copy(update={"observed_at": at, "status": InvoiceStatus.PAID, "paid_minor": 4900, "remaining_minor": 0})
    return before.model_copy(update={"kind": EventKind.PAYMENT_SUCCEEDED, "invoice": invoice, "attempts": (*before.attempts, success)})


class ManyInvoices(FakeBilling):
    """Reads every invoice as it failed: only the events know that some were paid."""

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        self.reads += 1
        return failed(int(invoice_vendor_id.removeprefix("in_")))


async def a_case(services: Services, number: int) -> CaseFacts:
    case_id = await absorb_reading(services, failed(number))
    assert case_id is not None
    return await services.facts.load(case_id, NOW)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_starts_after_a_payment_whoever_is_faster(db: Database, seed: int) -> None:
    order, billing = random.Random(seed), ManyInvoices()
    services = make_services(db, billing=billing)
    facts = [await a_case(services, number) for number in range(CASES)]
    actions = [await commit(services, fact, a_retry(fact) if number % 2 else a_message(fact)) for number, fact in enumerate(facts)]
    racers = [execute.run(services, action_id) for action_id in actions for _ in range(WORKERS)]
    racers += [absorb_as_event(services, number, order.random() / 10) for number in range(CASES)]
    order.shuffle(racers)
    await asyncio.gather(*racers)
    async with db.read() as session:
        assert await session.value(STARTED_AFTER_THE_END) == 0
        assert await session.value(STARTED_TWICE) == 0
        assert await session.value("SELECT count(*) FROM cases WHERE status <> 'recovered'") == 0
        left = await session.dicts("SELECT state, count(*) FROM actions GROUP BY 1")
    assert {row["state"] for row in left} <= {"done", "void"}
    assert len(billing.calls) == len(set(billing.calls))


async def absorb_as_event(services: Services, number: int, after_seconds: float) -> None:
    """The news of the payment, some time into the race."""
    await asyncio.sleep(after_seconds)
    await absorb_reading(services, paid(number))
