"""One connection's events told to a real database, and questions about what became of them."""

from datetime import datetime, timedelta
from typing import Any

from api.jobs.absorb import Absorbed, absorb, absorb_fact
from memory import cases, invoices
from memory.cases import CaseRow
from memory.database import Database
from memory.facts import DatabaseFacts
from recoup.case import Fact
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptSnapshot, AttemptStatus, DeclineCodes, InvoiceSnapshot, InvoiceStatus
from recoup.policy import Policy
from recoup.settings import Connection
from tests.factories import FAILED_AT, NOW, attempt_snapshot, invoice_snapshot, make_connection, make_policy, make_reading
from tools.billing.events_only import EventsOnly


class World:
    """Tells readings one after another, each in a transaction of its own, a second of domain time apart."""

    def __init__(self, db: Database, connection: Connection | None = None, policy: Policy | None = None) -> None:
        self.db = db
        self.connection = connection or make_connection()
        self.policy = policy or make_policy()
        self.now = NOW

    async def tell(self, *readings: Reading) -> Absorbed:
        """Absorbs the readings in this order and gives what the last came to."""
        absorbed = Absorbed(invoice_id=None, case_ids=())
        for reading in readings:
            self.now += timedelta(seconds=1)
            async with self.db.write() as tx:
                absorbed = await absorb(tx, self.connection, self.policy, reading, self.now)
        return absorbed

    async def tell_case(self, case_id: str, fact: Fact, actor: str = "worker") -> None:
        """Tells one case a fact that is no reading."""
        async with self.db.write() as tx:
            await absorb_fact(tx, case_id, fact, self.now, actor=actor)

    async def episodes(self, vendor_id: str = "in_1") -> list[CaseRow]:
        """The cases of an invoice, oldest first."""
        async with self.db.read() as session:
            rows = await cases.page(session, limit=100)
            invoice_id = await invoices.find_invoice(session, self.connection.name, vendor_id)
        return sorted((row for row in rows if row.invoice_id == invoice_id), key=lambda row: row.episode)

    async def case(self, vendor_id: str = "in_1") -> CaseRow:
        """The newest episode of an invoice."""
        return (await self.episodes(vendor_id))[-1]

    async def facts(self, case_id: str) -> Any:
        """What a decision would rest on."""
        source = DatabaseFacts(self.db, {self.connection.name: self.connection}, {self.connection.name: EventsOnly(self.connection.name)})
        return await source.load(case_id, self.now)

    async def rows(self, sql: Any, *params: object) -> list[tuple[object, ...]]:
        """Rows of any table, in the order of the query."""
        async with self.db.read() as session:
            return [tuple(row.values()) for row in await session.dicts(sql, params)]


def later(**passed: float) -> datetime:
    """A moment after the first failure."""
    return FAILED_AT + timedelta(**passed)


def failed(charge: str = "ch_1", at: datetime = FAILED_AT, code: str = "insufficient_funds", **changes: Any) -> Reading:
    """The platform's attempt failed."""
    codes = DeclineCodes(processor="stripe", decline_code=code)
    attempt = attempt_snapshot(vendor_key=charge, charge_vendor_id=charge, occurred_at=at, observed_at=at, codes=codes)
    return make_reading(occurred_at=at, invoice=invoice_snapshot(observed_at=at), attempts=(attempt,), **changes)


def paid(charge: str = "ch_paid", at: datetime | None = None, *, amount: int = 4900, before: int = 0, **changes: Any) -> Reading:
    """``amount`` came in, after ``before`` had come earlier."""
    at = at or later(days=1)
    remaining = max(0, 4900 - amount - before)
    invoice = invoice_snapshot(
        observed_at=at,
        status=InvoiceStatus.OPEN if remaining else InvoiceStatus.PAID,
        paid_minor=amount + before,
        remaining_minor=remaining,
    )
    values: dict[str, Any] = {
        "kind": EventKind.PAYMENT_SUCCEEDED,
        "event_type": "invoice.paid",
        "occurred_at": at,
        "invoice": invoice,
        "attempts": (attempt(charge, AttemptStatus.SUCCEEDED, at, amount_minor=amount),),
    }
    return make_reading(**(values | changes))


def attempt(charge: str, status: AttemptStatus, at: datetime, **changes: Any) -> AttemptSnapshot:
    """An attempt without a decline."""
    return attempt_snapshot(
        vendor_key=charge, charge_vendor_id=charge, status=status, occurred_at=at, observed_at=at, codes=None, **changes
    )


def event(kind: EventKind, at: datetime, **changes: Any) -> Reading:
    """An event that carries nothing but what is named."""
    return Reading(kind=kind, event_type=str(kind), occurred_at=at, **changes)


def invoice_event(kind: EventKind, at: datetime, **changes: Any) -> Reading:
    """An event about the invoice as it stands then, with no attempt."""
    return event(kind, at, invoice=InvoiceSnapshot(**(invoice_snapshot(observed_at=at).model_dump() | changes)))
