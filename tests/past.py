"""A past that happened through the real code, clean by every invariant: two customers, messages, charges, an account action, a receipt.

Ada's failed payment is asked about, written about, charged again a day later, paid and thanked for. Grace's stays open: on the 21st day
an approver has her charged and written to and lets her keep the service. Around them: a ping, a malformed event, a duplicate, and
questions that nobody answers in time.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.jobs import decide, execute, intake, resume, tick
from evals.ledgers import MailLedger, PlatformAttempt, PlatformEffect, PlatformInvoice, PlatformLedger
from graph.bootstrap import Services
from memory import inbox
from memory.approvals import ApprovalStatus
from memory.database import Database
from recoup.clock import FixedClock, wall_now
from recoup.events import EventIdentity, EventKind, Reading
from recoup.invoice import AttemptSnapshot, AttemptStatus, Initiator, InvoiceStatus
from tests.deciding import YES, give, question, rows
from tests.factories import (
    FAILED_AT,
    NOW,
    account_snapshot,
    attempt_snapshot,
    credential_snapshot,
    invoice_snapshot,
    make_reading,
)
from tests.fakes import FakeBilling, FakeMessenger, make_services

CONNECTION = "sandbox"


@dataclass(frozen=True)
class Past:
    """The other sides' books of what happened."""

    platform: PlatformLedger
    mail: MailLedger


class Story:
    """Lets things happen: events come in, people answer, workers do whatever is to be done."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FixedClock(NOW)
        self.billing, self.messenger = FakeBilling(), FakeMessenger()
        self.services: Services = make_services(db, billing=self.billing, messenger=self.messenger, clock=self.clock)
        self.readings: dict[str, Reading] = {}

    async def event(self, event_type: str, reading: Reading | None = None, *, name: str, times: int = 1) -> None:
        """A webhook comes, ``times`` times; the platform would answer with ``reading``."""
        if reading is not None:
            assert reading.invoice is not None
            self.readings[reading.invoice.vendor_id] = reading
            self.billing.reading = reading
        payload = _notice(event_type, reading, name)
        async with self.db.write() as tx:
            for _ in range(times):
                await inbox.accept(tx, CONNECTION, EventIdentity(name, event_type, None), "application/json", payload, wall_now())
        await self.work()

    async def work(self) -> None:
        """Workers do what is to be done until there is nothing left."""
        while todo := await rows(
            self.db, "SELECT task_name, args ->> 'row_id', id FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"
        ):
            for job, row_id, job_id in todo:
                await {"intake": intake, "decide": decide, "resume": resume, "execute": execute}[job].run(self.services, row_id)
                async with self.db.write() as tx:
                    await tx.run("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", (job_id,))

    async def wait_until(self, at: datetime) -> None:
        """Time passes, with all that falls due on the way."""
        while True:
            due = await rows(self.db, "SELECT min(due_at) FROM timers WHERE state = 'pending'")
            self.clock.at = min(at, max(self.clock.at, due[0][0] or at))
            await tick.fire_timers(self.services, self.clock.at)
            await self.work()
            if self.clock.at == at and not await rows(self.db, "SELECT 1 FROM timers WHERE state = 'pending' AND due_at <= %s", at):
                return

    async def approve(self, invoice: str) -> None:
        """A person says yes to what is asked about the invoice, if anything is."""
        [(case_id,)] = await rows(
            self.db, "SELECT c.id FROM cases c JOIN invoices i ON i.id = c.invoice_id WHERE i.vendor_id = %s", invoice
        )
        asked = await question(self.db, case_id)
        if asked.status is ApprovalStatus.PENDING:
            self.billing.reading = self.readings[invoice]
            await give(self.services, asked, *[YES] * len(asked.action_ids))
            await self.work()

    def books(self) -> Past:
        """What platform and mail server say."""
        attempts = sorted(
            ((reading.invoice.vendor_id, attempt) for reading in self.readings.values() if reading.invoice for attempt in reading.attempts),
            key=lambda pair: pair[1].occurred_at,
        )
        effects = [PlatformEffect(e.key, e.name, e.invoice_vendor_id, "done") for e in self.billing.effects.values()]
        return Past(
            PlatformLedger(tuple(_attempt(*pair) for pair in attempts), tuple(map(_invoice, self.readings.values())), tuple(effects)),
            MailLedger(Counter(f"<{message.action_id}@recoup.shop.example>" for message in self.messenger.accepted)),
        )


async def live_through(db: Database) -> Past:
    """Everything that the module's first words tell."""
    story = Story(db)
    await story.event("ping", name="evt_ping")
    await story.event("nonsense", name="evt_nonsense")
    await story.event("invoice.payment_failed", failure("1"), name="evt_1", times=2)
    await story.approve("in_1")
    story.billing.reading = failure("2")
    await story.event("invoice.payment_failed", failure("2"), name="evt_2")
    await story.wait_until(NOW + timedelta(days=1))
    await story.approve("in_1")
    [charge] = story.billing.effects.values()
    await story.event("invoice.paid", paid(charge.key, story.clock.at), name="evt_3")
    story.billing.reading = failure("2")
    await story.wait_until(FAILED_AT + timedelta(days=21, hours=3))
    await story.approve("in_2")
    return story.books()


def failure(customer: str) -> Reading:
    """A customer's failed payment: Ada's (1) or Grace's (2)."""
    is_ada = customer == "1"
    name = {} if is_ada else {"first_name": "Grace", "full_name": "Grace Hopper-Lee", "email": "grace@customer.example"}
    return make_reading(
        account=account_snapshot(vendor_id=f"cus_{customer}", plan_tier=None if is_ada else "premium", phone="+12025550143", **name),
        invoice=invoice_snapshot(vendor_id=f"in_{customer}", account_vendor_id=f"cus_{customer}", subscription_vendor_id=f"sub_{customer}"),
        attempts=(attempt_snapshot(vendor_key=f"ch_{customer}", charge_vendor_id=f"ch_{customer}", credential_vendor_id=f"pm_{customer}"),),
        credentials=(credential_snapshot(vendor_id=f"pm_{customer}", fingerprint=f"fp_{customer}"),),
        subscription_vendor_id=f"sub_{customer}",
    )


def paid(action_id: str, at: datetime) -> Reading:
    """Ada's invoice after our charge went through."""
    charge = attempt_snapshot(
        vendor_key="ch_paid",
        charge_vendor_id="ch_paid",
        occurred_at=at,
        observed_at=at,
        status=AttemptStatus.SUCCEEDED,
        codes=None,
        initiator=Initiator.RECOUP,
        action_id=action_id,
    )
    before = failure("1")
    assert before.invoice is not None
    settled: dict[str, Any] = {"observed_at": at, "status": InvoiceStatus.PAID, "paid_minor": 4900, "remaining_minor": 0}
    return before.model_copy(
        update={
            "kind": EventKind.PAYMENT_SUCCEEDED,
            "event_type": "invoice.paid",
            "occurred_at": at,
            "invoice": before.invoice.model_copy(update=settled),
            "attempts": (*before.attempts, charge),
        }
    )


def _notice(event_type: str, reading: Reading | None, name: str) -> str:
    if event_type == "nonsense":
        return "{"
    data: dict[str, object] = {}
    if reading is not None and reading.invoice is not None:
        data = {"invoice": reading.invoice.vendor_id, "customer": reading.invoice.account_vendor_id}
    return json.dumps({"id": name, "type": event_type, "created": FAILED_AT.isoformat(), "data": data})


def _attempt(invoice: str, attempt: AttemptSnapshot) -> PlatformAttempt:
    return PlatformAttempt(
        id=attempt.vendor_key,
        invoice=invoice,
        fingerprint=f"fp_{invoice.removeprefix('in_')}",
        brand="visa",
        amount_minor=attempt.amount_minor or 0,
        currency=attempt.currency or "",
        at=attempt.occurred_at,
        initiator=attempt.initiator,
        key=attempt.action_id,
        status=attempt.status,
        code=attempt.codes.decline_code if attempt.codes else None,
    )


def _invoice(reading: Reading) -> PlatformInvoice:
    invoice = reading.invoice
    assert invoice is not None
    return PlatformInvoice(invoice.vendor_id, str(invoice.status), invoice.remaining_minor or 0, invoice.paid_minor or 0)
