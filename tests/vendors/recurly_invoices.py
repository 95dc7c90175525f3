"""Calls about invoices in the Recurly double: collecting, refunding, giving up and opening again."""

from typing import Any

from tests.vendors.chassis import Answer, Clock, Request
from tests.vendors.recurly_bank import DECLINES, Decline
from tests.vendors.recurly_collection import CLOSED_STATES, Collection
from tests.vendors.recurly_dunning import Dunning
from tests.vendors.recurly_input import COLLECT, INVOICE, MODELLED_COLLECT, MODELLED_INVOICE, MODELLED_REFUND, REFUND, modelled, read_body
from tests.vendors.recurly_records import BillingInfo, Invoice, SiteRecord, Store, Transaction
from tests.vendors.recurly_refusals import Refusal, invalid, not_found
from tests.vendors.recurly_views import Views, exponent


class InvoiceCalls:
    """What the merchant can do to an invoice."""

    def __init__(self, store: Store, clock: Clock, collection: Collection, dunning: Dunning, site: SiteRecord) -> None:
        self._store, self._clock, self._collection, self._dunning, self._site = store, clock, collection, dunning, site
        self._views = Views(store)

    def find(self, told: str) -> Invoice:
        """By id, or by number with ``number-`` before it."""
        by_number = told.startswith("number-")
        found = self._store.numbers.get(told[7:]) if by_number else self._store.invoices.get(told)
        if found is None:
            raise not_found("Invoice", told)
        return found

    def get(self, _: Request, invoice: str) -> Answer:
        """An invoice."""
        return Answer(200, self._views.invoice(self.find(invoice)))

    def update(self, request: Request, invoice: str) -> Answer:
        """Changes its texts. Nothing here takes an invoice out of Recurly's dunning."""
        found = self.find(invoice)
        try:
            values = modelled(read_body(request, INVOICE), MODELLED_INVOICE)
        except Refusal as refused:
            # The one operation that documents no 400.
            raise invalid(refused.message, *refused.params) from refused
        for name, value in values.items():
            setattr(found, name, value)
        return self._changed(found, "updated")

    def collect(self, request: Request, invoice: str) -> Answer:
        """One attempt, beside whatever Recurly has planned itself."""
        found = self.find(invoice)
        values = modelled(read_body(request, COLLECT), MODELLED_COLLECT)
        if found.type != "charge" or found.collection_method == "manual":
            raise invalid("Only invoices that are collected automatically can be collected")
        if found.state in CLOSED_STATES | {"processing"}:
            raise invalid(f"This invoice is {found.state} and cannot be collected")
        info = self._chosen(found, values.get("billing_info_id"))
        transaction, decline = self._collection.charge(
            found,
            info,
            origin="api_force_collect",
            by="merchant",
            key=request.idempotency_key,
            authenticated=bool(values.get("three_d_secure_action_result_token_id")),
        )
        if decline is None:
            return Answer(200, self._views.invoice(found))
        self._dunning.after_failure(found, decline)
        raise Refusal("transaction", decline.customer_message, transaction_error=_transaction_error(decline, transaction))

    def mark_failed(self, _: Request, invoice: str) -> Answer:
        """Writes it off: Recurly stops its dunning."""
        found = self.find(invoice)
        if found.type != "charge" or found.state not in {"pending", "processing", "past_due"}:
            raise invalid(f"A {found.state} invoice cannot be marked as failed")
        self._collection.give_up(found)
        self._dunning.release(found)
        return Answer(200, self._views.invoice(found))

    def mark_successful(self, _: Request, invoice: str) -> Answer:
        """Paid by other means."""
        found = self.find(invoice)
        if found.type != "charge" or found.state not in {"pending", "processing", "past_due", "failed"}:
            raise invalid(f"A {found.state} invoice cannot be marked as paid")
        self._collection.pay_elsewhere(found)
        self._dunning.release(found)
        return Answer(200, self._views.invoice(found))

    def reopen(self, _: Request, invoice: str) -> Answer:
        """Takes a write-off back, or the word that it was paid elsewhere. Dunning does not begin again."""
        found = self.find(invoice)
        if found.state not in {"failed", "paid"}:
            raise invalid(f"A {found.state} invoice cannot be reopened")
        if found.state == "paid" and any(t.status == "success" for t in self._store.transactions_of(found)):
            raise invalid("An invoice that was paid through the gateway cannot be reopened")
        found.paid, found.closed_at = 0, None
        found.state = "past_due" if found.due_at <= self._clock.now() else "pending"
        return self._changed(found, "reopened")

    def refund(self, request: Request, invoice: str) -> Answer:
        """By amount or percentage of what is left to refund; Recurly chooses the payments."""
        found = self.find(invoice)
        values = modelled(read_body(request, REFUND, "type"), MODELLED_REFUND)
        left = found.paid - found.refunded if found.type == "charge" else 0
        amount = _amount(values, found.currency, left)
        through_gateway = sum(
            t.amount - t.refunded for t in self._store.transactions_of(found) if t.type == "purchase" and t.status == "success"
        )
        if not 0 < amount <= min(left, through_gateway):
            raise invalid("The amount must be more than 0 and not more than what can be refunded", "amount")
        return Answer(201, self._views.invoice(self._collection.refund(found, amount, values.get("credit_customer_notes"))))

    def _changed(self, invoice: Invoice, event: str) -> Answer:
        self._store.touch(invoice, self._clock.now())
        self._collection.tell_invoice(invoice, event)
        return Answer(200, self._views.invoice(invoice))

    def _chosen(self, invoice: Invoice, told: str | None) -> BillingInfo:
        if told is not None and not self._site.has_wallet:
            raise Refusal("missing_feature", "The Wallet feature is not enabled", ["billing_info_id"])
        info = self._store.billing_infos.get(told or invoice.billing_info_id or "")
        if told is not None and (info is None or info.account_id != invoice.account_id):
            raise invalid("This account has no such billing info", "billing_info_id")
        info = info or self._store.primary(invoice.account_id)
        if info is None:
            decline = DECLINES["no_billing_information"]
            raise Refusal("transaction", decline.customer_message, transaction_error=_transaction_error(decline, None))
        return info


def _amount(values: Any, currency: str, left: int) -> int:
    if values["type"] == "amount" and "percentage" not in values:
        return left if values.get("amount") is None else round(values["amount"] * 10 ** exponent(currency))
    if values["type"] == "percentage" and "amount" not in values:
        return left * values.get("percentage", 100) // 100
    raise invalid("type must be amount or percentage, with the parameter of that name or without", "type")


def _transaction_error(decline: Decline, transaction: Transaction | None) -> dict[str, Any]:
    needs_customer = decline.category == "three_d_secure_action_required"
    return {
        "object": "transaction_error",
        "transaction_id": transaction.id if transaction else None,
        "category": decline.category,
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.customer_message,
        "merchant_advice": decline.merchant_advice,
        "three_d_secure_action_token_id": f"action-{transaction.id}" if transaction and needs_customer else None,
        "fraud_info": None,
    }
