"""The adapter and the double of Recurly on one stage: effects on the double's own invoices, every exchange held against the
specification where that is at hand."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from recoup.ports import Effect
from recoup.settings import Connection, Platform
from tests.contract.patient_transport import PatientTransport
from tests.factories import make_connection
from tests.vendors.chassis import DEFAULT_START
from tests.vendors.contract import Contract
from tests.vendors.recurly import API_KEY, RecurlyDouble
from tests.vendors.recurly_records import BillingInfo, Invoice
from tools.billing.recurly import RecurlyBilling

WRONG_ON_PURPOSE = frozenset({400, 404})


@dataclass
class RecurlyBench:
    """A served double, and what points at it."""

    double: RecurlyDouble
    url: str
    opened: list[RecurlyBilling] = field(default_factory=list[RecurlyBilling])

    def connection(self, **changes: Any) -> Connection:
        """A test connection to the double."""
        values: dict[str, Any] = {"name": "recurly", "platform": Platform.RECURLY, "api_base": self.url, "api_key": API_KEY}
        return make_connection(**(values | changes))

    def billing(self, transport: httpx.AsyncBaseTransport | None = None, **changes: Any) -> RecurlyBilling:
        """The adapter; without the limits that a real site would be spared by."""
        made = RecurlyBilling(self.connection(**changes), transport=transport or PatientTransport())
        self.opened.append(made)
        return made

    def owing(self, *answers: str, **told: Any) -> Invoice:
        """A past due invoice of a subscription; its bank declined once, and answers so to the next attempts."""
        account = self.double.account(self.double.card("insufficient_funds", *(answers or ("ok",))))
        return self.double.invoice(account, subscription=self.double.subscription(account), **told)

    def primary(self, invoice: Invoice) -> BillingInfo:
        """The payment method that Recurly charges for it."""
        found = self.double.store.primary(invoice.account_id)
        assert found is not None
        return found

    def known(self, invoice: Invoice) -> tuple[str, ...]:
        """All attempts on it until now, as they are known before something is sent."""
        return tuple(one.id for one in self.double.store.transactions_of(invoice))

    def charge(self, invoice: Invoice, key: str = "act_1", name: str = "retry_payment", info: BillingInfo | None = None) -> Effect:
        """An attempt on all that is owed."""
        method = info or self.primary(invoice)
        money = {"credential_id": "crd_1", "credential_vendor_id": method.id, "amount_minor": invoice.balance, "currency": invoice.currency}
        return self.effect(invoice, name, key, **money)

    def effect(self, invoice: Invoice, name: str, key: str = "act_1", **args: object) -> Effect:
        """Any effect on an invoice."""
        return Effect(
            key=key,
            name=name,
            invoice_vendor_id=invoice.id,
            subscription_vendor_id=invoice.subscription_ids[0] if invoice.subscription_ids else None,
            account_vendor_id=invoice.account_id,
            args=args,
            known_transactions=self.known(invoice),
        )

    def made(self, invoice: Invoice) -> list[tuple[str, str]]:
        """Who tried to collect it and what came of it: the double's own books."""
        return [(one.initiator, one.outcome) for one in self.double.ledger() if one.invoice == invoice.id]


@contextmanager
def recurly_bench(start: datetime = DEFAULT_START) -> Generator[RecurlyBench]:
    """Serves a double while the block lasts; afterwards raises ContractBroken for what the specification does not allow."""
    double = RecurlyDouble(start, seed=7)
    with double.serve() as url:
        yield RecurlyBench(double, url)
    contract = Contract.load("recurly")
    if contract is None:
        return
    for exchange in double.log:
        status = exchange.answer.status if exchange.answer else None
        contract.check_exchange(exchange, answer_only=status in WRONG_ON_PURPOSE)
