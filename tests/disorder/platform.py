"""A billing platform on paper: two customers, three invoices, one shared clock. Its notices may come in any order."""

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from evals.ledgers import PlatformAttempt, PlatformEffect, PlatformInvoice, PlatformLedger
from recoup.clock import FixedClock
from recoup.errors import BillingUnavailable, NotFound, OutcomeUnknown
from recoup.events import EventIdentity, EventKind, ObjectRef, Reading
from recoup.invoice import (
    AccountSnapshot,
    AttemptSnapshot,
    AttemptStatus,
    BillingReason,
    CollectionMethod,
    CredentialSnapshot,
    DeclineCodes,
    Initiator,
    InvoiceSnapshot,
    InvoiceStatus,
)
from recoup.ports import Absent, Effect, EffectLookup, EffectResult, Found
from tests.fakes import ALL_CAPABILITIES, Behaviour
from tools.billing.events_only import EventsOnly

TOTAL_MINOR = 4900
MOVES_MONEY = ("retry_payment", "use_backup_method")


@dataclass
class Try:
    """One attempt in the platform's books."""

    id: str
    at: datetime
    amount: int
    status: AttemptStatus
    initiator: Initiator
    code: str | None = None
    key: str | None = None


@dataclass
class Bill:
    """One invoice in the platform's books."""

    id: str
    customer: str
    revision: int = 1
    paid: int = 0
    is_cancelled: bool = False
    tries: list[Try] = field(default_factory=list[Try])

    @property
    def remaining(self) -> int:
        return max(0, TOTAL_MINOR - self.paid)

    @property
    def status(self) -> InvoiceStatus:
        return InvoiceStatus.PAID if self.remaining == 0 else InvoiceStatus.OPEN


@dataclass(frozen=True)
class Notice:
    """A webhook on its way."""

    identity: EventIdentity
    payload: str


class PaperPlatform(EventsOnly):
    """The port's other side; what lists its past or examines it is no part of the disorder.

    ``notices`` have not been delivered yet; ``next_code``: what our next charge meets (None: paid)."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__("paper")
        self.clock = clock
        self.bills = {bill: Bill(bill, customer) for bill, customer in (("in_1", "cus_1"), ("in_2", "cus_1"), ("in_3", "cus_2"))}
        self.notices: list[Notice] = []
        self.behaviours: deque[Behaviour] = deque()
        self.effects: dict[str, Effect] = {}
        self.next_code: str | None = "insufficient_funds"
        self._numbers = 0

    # What happens there

    def attempt(self, bill: Bill, initiator: Initiator, code: str | None, amount: int | None = None, key: str | None = None) -> Try:
        """A charge: paid where there is no ``code``."""
        status = AttemptStatus.FAILED if code else AttemptStatus.SUCCEEDED
        wanted = bill.remaining if amount is None else amount
        made = Try(self._new("ch"), self.clock.at, wanted, status, initiator, code, key)
        bill.tries.append(made)
        bill.paid += 0 if code else wanted
        self._tell(bill, "invoice.payment_failed" if code else "invoice.paid", charge=made.id)
        return made

    def reverse(self, bill: Bill) -> None:
        """The newest success is taken back."""
        taken = [made for made in bill.tries if made.status is AttemptStatus.SUCCEEDED]
        if taken:
            taken[-1].status = AttemptStatus.REVERSED
            bill.paid -= taken[-1].amount
            self._tell(bill, "invoice.payment_reversed", charge=taken[-1].id)

    def cancel(self, bill: Bill, kind: str) -> None:
        """Its subscription ends."""
        bill.is_cancelled = True
        self._tell(bill, "subscription.cancelled", cancellation=kind)

    def dispute(self, bill: Bill) -> None:
        """The customer disputes the newest charge that was paid."""
        paid = [made for made in bill.tries if made.status is AttemptStatus.SUCCEEDED]
        self._tell(bill, "dispute.opened", charge=paid[-1].id if paid else None)

    def close_dispute(self, bill: Bill) -> None:
        """The merchant wins it."""
        self._tell(bill, "dispute.closed", won=True)

    def opt_out(self, bill: Bill) -> None:
        """The customer wants no more e-mail."""
        self._tell(bill, "customer.opted_out", channel="email")

    # The port

    @property
    def capabilities(self) -> frozenset[str]:
        return ALL_CAPABILITIES

    @property
    def key_valid_seconds(self) -> float:
        return 86_400

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        bill = self.bills.get(invoice_vendor_id)
        if bill is None:
            raise NotFound(f"there is no invoice {invoice_vendor_id}")
        now = self.clock.at
        return Reading(
            kind=EventKind.INVOICE_CHANGED,
            event_type="read",
            occurred_at=now,
            livemode=False,
            account=AccountSnapshot(
                vendor_id=bill.customer,
                observed_at=now,
                first_name="Ada",
                email=f"{bill.customer}@customer.example",
                timezone="UTC",
                timezone_source="platform",
            ),
            invoice=self._snapshot(bill),
            attempts=tuple(self._attempt(bill, made) for made in bill.tries),
            credentials=(
                CredentialSnapshot(vendor_id=f"pm_{bill.customer}", fingerprint=f"fp_{bill.customer}", brand="visa", country="US"),
            ),
            subscription_vendor_id=f"sub_{bill.id}",
        )

    async def fetch(self, ref: ObjectRef) -> Reading:
        return await self.read_invoice(ref.vendor_id)

    async def perform(self, effect: Effect) -> EffectResult:
        behaviour = self.behaviours.popleft() if self.behaviours else "do"
        if behaviour == "unavailable":
            raise BillingUnavailable("paper", "answers 503")
        if behaviour == "lose the request":
            raise OutcomeUnknown("the connection broke")
        if effect.key not in self.effects:
            self.effects[effect.key] = effect
            self._obey(effect)
        if behaviour == "do and lose the answer":
            raise OutcomeUnknown("the connection broke")
        return self._result(effect.key)

    async def find_effect(self, effect: Effect) -> EffectLookup:
        return Found(result=self._result(effect.key)) if effect.key in self.effects else Absent()

    def ledger(self) -> PlatformLedger:
        """Its own books, for the invariants."""
        return PlatformLedger(
            attempts=tuple(self._entry(bill, made) for bill in self.bills.values() for made in bill.tries),
            invoices=tuple(PlatformInvoice(bill.id, bill.status, bill.remaining, bill.paid) for bill in self.bills.values()),
            effects=tuple(PlatformEffect(key, e.name, e.invoice_vendor_id, "done") for key, e in self.effects.items()),
        )

    def _obey(self, effect: Effect) -> None:
        bill = self.bills[effect.invoice_vendor_id]
        if effect.name in MOVES_MONEY:
            amount = effect.args["amount_minor"]
            assert isinstance(amount, int)
            self.attempt(bill, Initiator.RECOUP, self.next_code, amount, effect.key)
        elif effect.name == "refund_duplicate":
            bill.paid = min(bill.paid, TOTAL_MINOR)
            self._tell(bill, "charge.refunded")

    def _result(self, key: str) -> EffectResult:
        return EffectResult(state="done", detail="accepted", vendor_ref=key)

    def _snapshot(self, bill: Bill) -> InvoiceSnapshot:
        return InvoiceSnapshot(
            vendor_id=bill.id,
            observed_at=self.clock.at,
            revision=bill.revision,
            account_vendor_id=bill.customer,
            currency="USD",
            status=bill.status,
            total_minor=TOTAL_MINOR,
            due_minor=TOTAL_MINOR,
            paid_minor=bill.paid,
            remaining_minor=bill.remaining,
            credited_minor=0,
            refunded_minor=0,
            collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
            billing_reason=BillingReason.SUBSCRIPTION_CYCLE,
            subscription_vendor_id=f"sub_{bill.id}",
            payment_link="https://pay.example/link",
        )

    def _card(self, customer: str) -> CredentialSnapshot:
        return CredentialSnapshot(vendor_id=f"pm_{customer}", fingerprint=f"fp_{customer}", brand="visa", country="US")

    def _attempt(self, bill: Bill, made: Try) -> AttemptSnapshot:
        return AttemptSnapshot(
            vendor_key=made.id,
            charge_vendor_id=made.id,
            occurred_at=made.at,
            observed_at=self.clock.at,
            status=made.status,
            amount_minor=made.amount,
            currency="USD",
            credential_vendor_id=f"pm_{bill.customer}",
            initiator=made.initiator,
            customer_initiated=made.initiator is Initiator.CUSTOMER,
            cit_confidence=1.0,
            codes=DeclineCodes(processor="sandbox", decline_code=made.code) if made.code else None,
            action_id=made.key,
        )

    def _entry(self, bill: Bill, made: Try) -> PlatformAttempt:
        return PlatformAttempt(
            id=made.id,
            invoice=bill.id,
            fingerprint=f"fp_{bill.customer}",
            brand="visa",
            amount_minor=made.amount,
            currency="USD",
            at=made.at,
            initiator=made.initiator,
            key=made.key,
            status=made.status,
            code=made.code,
        )

    def _tell(self, bill: Bill, kind: str, **details: object) -> None:
        bill.revision += 1
        notice_id = self._new("evt")
        data = {"invoice": bill.id, "customer": bill.customer, "subscription": f"sub_{bill.id}"} | details
        envelope = {"id": notice_id, "type": kind, "livemode": False, "created": self.clock.at.isoformat(), "data": data}
        self.notices.append(Notice(EventIdentity(notice_id, kind, False), json.dumps(envelope)))

    def _new(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}_{self._numbers}"
