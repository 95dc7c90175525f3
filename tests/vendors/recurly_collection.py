"""Money in the Recurly double: every attempt and what it does to its invoice, its account and the ledger."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from tests.vendors.chassis import Attempt, Clock
from tests.vendors.recurly_bank import AUTHENTICATE, DECLINES, Decline, ask
from tests.vendors.recurly_records import BillingInfo, Invoice, Record, Store, Transaction
from tests.vendors.recurly_webhooks import Webhooks

SETTLES_AFTER = timedelta(days=3)
CLOSED_STATES = frozenset({"paid", "failed", "closed", "voided"})


class Collection:
    """Charges cards and books what comes of it. ``attempts`` is the ledger of the double."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks, attempts: list[Attempt]) -> None:
        self._store, self._clock, self._webhooks, self._attempts = store, clock, webhooks, attempts
        self.unsettled: dict[str, Transaction] = {}

    def charge(
        self,
        invoice: Invoice,
        info: BillingInfo,
        *,
        origin: str,
        by: Literal["merchant", "platform", "customer"],
        key: str | None = None,
        backup: bool = False,
        authenticated: bool = False,
    ) -> tuple[Transaction, Decline | None]:
        """One attempt for the whole balance; the second value says why it failed. A second payment of a paid invoice is for its total."""
        now = self._clock.now()
        answer = ask(info.card)
        if authenticated and answer == AUTHENTICATE:
            answer = "ok"
        decline = DECLINES.get(answer)
        assert decline or answer in {"ok", "processing"}, f"the bank's script says {answer!r}, which Recurly has no code for"
        earlier = [t for t in self._store.transactions_of(invoice) if t.type == "purchase"]
        transaction = Transaction(
            id=self._store.new_id(),
            uuid=self._store.new_uuid(),
            created_at=now,
            updated_at=now,
            account_id=invoice.account_id,
            invoice_id=invoice.id,
            type="purchase",
            origin=origin,
            initiator="customer" if by == "customer" else "merchant",
            currency=invoice.currency,
            amount=invoice.balance or invoice.total,
            status=_status(answer, decline),
            card=info.card,
            code=decline.code if decline else None,
            is_resubmission=by != "customer" and bool(earlier),
            backup_used=backup,
            subscription_ids=invoice.subscription_ids,
        )
        self._store.add_transaction(transaction)
        self._write_ledger(transaction, by, key, decline)
        self._book(invoice, transaction)
        return transaction, decline

    def pay_elsewhere(self, invoice: Invoice) -> None:
        """The merchant's word that an invoice was paid by other means: no transaction."""
        invoice.paid = invoice.total
        self._close(invoice, "paid")

    def give_up(self, invoice: Invoice) -> None:
        """Marks an invoice as failed; nobody tries again."""
        self._close(invoice, "failed")

    def settle_due(self) -> list[tuple[Invoice, Decline]]:
        """Bank debits of three days ago get their final answer; returns the invoices whose debit came back, and why."""
        returned: list[tuple[Invoice, Decline]] = []
        for transaction in [t for t in self.unsettled.values() if t.settles_at and t.settles_at <= self._clock.now()]:
            del self.unsettled[transaction.id]
            answer = ask(transaction.card)
            decline = DECLINES.get(answer)
            transaction.status, transaction.code = ("declined", decline.code) if decline else ("success", None)
            self._touch(transaction)
            number = next(n for n, attempt in enumerate(self._attempts) if attempt.id == transaction.id)
            settled = replace(self._attempts[number], outcome="failed" if decline else "succeeded", codes=_codes(decline))
            self._attempts[number] = settled
            self._webhooks.tell("payment", "transaction_status_updated", transaction, uuid=transaction.uuid)
            invoice = self._store.invoices[transaction.invoice_id]
            self._book(invoice, transaction)
            if decline:
                returned.append((invoice, decline))
        return returned

    def next_settlement(self) -> datetime | None:
        """When the next bank debit is answered."""
        return min((t.settles_at for t in self.unsettled.values() if t.settles_at), default=None)

    def refund(self, invoice: Invoice, amount: int, notes: str | None) -> Invoice:
        """Gives money back, from the newest payment on, with a credit invoice that says so."""
        now = self._clock.now()
        credit = Invoice(
            id=self._store.new_id(),
            uuid=self._store.new_uuid(),
            number=self._store.new_number(),
            account_id=invoice.account_id,
            currency=invoice.currency,
            total=-amount,
            tax=0,
            due_at=now,
            type="credit",
            origin="refund",
            state="closed",
            closed_at=now,
            previous_invoice_id=invoice.id,
            subscription_ids=invoice.subscription_ids,
            customer_notes=notes,
            created_at=now,
            updated_at=now,
        )
        self._store.add_invoice(credit)
        self._webhooks.tell("credit_invoice", "created", credit, invoice_number=int(credit.number))
        rest = amount
        for payment in reversed(self._store.transactions_of(invoice)):
            part = min(rest, payment.amount - payment.refunded) if payment.type == "purchase" and payment.status == "success" else 0
            if part > 0:
                rest -= part
                self._refund_part(credit, payment, part)
        assert rest == 0, "more was refunded than was ever paid"
        invoice.refunded += amount
        self._touch(invoice)
        return credit

    def _refund_part(self, credit: Invoice, payment: Transaction, amount: int) -> None:
        now = self._clock.now()
        made = {"id": self._store.new_id(), "uuid": self._store.new_uuid(), "created_at": now, "updated_at": now, "collected_at": now}
        booked = {"type": "refund", "origin": "api", "amount": amount, "original_id": payment.id, "invoice_id": credit.id, "refunded": 0}
        refund = replace(payment, **made, **booked, initiator="merchant", is_resubmission=False)
        self._store.add_transaction(refund)
        payment.refunded += amount
        self._touch(payment)
        self._webhooks.tell("payment", "refunded", refund, uuid=refund.uuid)

    def _write_ledger(
        self, transaction: Transaction, by: Literal["merchant", "platform", "customer"], key: str | None, decline: Decline | None
    ) -> None:
        pending = "pending" if transaction.status == "processing" else "succeeded"
        failed = "requires_action" if decline and decline.code == AUTHENTICATE else "failed"
        self._attempts.append(
            Attempt(
                id=transaction.id,
                invoice=transaction.invoice_id,
                fingerprint=transaction.card.fingerprint,
                amount=transaction.amount,
                currency=transaction.currency,
                at=transaction.created_at,
                initiator=by,
                idempotency_key=key,
                outcome=failed if decline else pending,
                codes=_codes(decline),
            )
        )

    def _book(self, invoice: Invoice, transaction: Transaction) -> None:
        """What a transaction's status does to its invoice."""
        if transaction.status == "processing":
            transaction.settles_at = self._clock.now() + SETTLES_AFTER
            self.unsettled[transaction.id] = transaction
            invoice.state = "processing"
            self._webhooks.tell("payment", "processing", transaction, uuid=transaction.uuid)
            self.tell_invoice(invoice, "processing")
        elif transaction.status == "success":
            transaction.collected_at = self._clock.now()
            invoice.paid += transaction.amount
            self._webhooks.tell("payment", "succeeded", transaction, uuid=transaction.uuid)
            if invoice.balance == 0:
                self._close(invoice, "paid")
        else:
            self._webhooks.tell("payment", "failed", transaction, uuid=transaction.uuid)
            if invoice.state not in CLOSED_STATES | {"past_due"}:
                invoice.state = "past_due"
                self.tell_invoice(invoice, "past_due")
        self._touch(invoice)

    def _close(self, invoice: Invoice, state: Literal["paid", "failed"]) -> None:
        invoice.state, invoice.closed_at = state, self._clock.now()
        invoice.next_retry_at = None
        self._touch(invoice)
        self.tell_invoice(invoice, state)

    def tell_invoice(self, invoice: Invoice, event: str) -> None:
        """Announces a change of a charge invoice."""
        self._webhooks.tell("charge_invoice", event, invoice, invoice_number=int(invoice.number))

    def _touch(self, record: Record) -> None:
        self._store.touch(record, self._clock.now())


def _codes(decline: Decline | None) -> dict[str, str]:
    if decline is None:
        return {}
    told = {"code": decline.code, "category": decline.category, "decline_code": decline.decline_code, "gateway_code": decline.gateway_code}
    return {name: value for name, value in told.items() if value}


def _status(answer: str, decline: Decline | None) -> str:
    if decline:
        return "declined" if decline.reached_the_bank else "error"
    return "success" if answer == "ok" else "processing"
