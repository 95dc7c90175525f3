"""A merchant at Recurly: the double, its adapter, and its books in the words of the invariants."""

import httpx

from evals.ledgers import PlatformAttempt, PlatformEffect, PlatformInvoice, PlatformLedger
from recoup.settings import Connection, Platform
from tests.factories import make_connection
from tests.merchants.shop import STATUSES, WRONG_REQUESTS, initiator_of, is_first_answer
from tests.vendors.chassis import Attempt, Exchange
from tests.vendors.contract import Contract
from tests.vendors.recurly import API_KEY, RecurlyDouble
from tests.vendors.recurly_records import Invoice
from tests.vendors.recurly_views import payment_method
from tools.billing.json_part import Part
from tools.billing.recurly import RecurlyBilling
from tools.billing.recurly_snapshots import fingerprint

SECRET = "recurly-webhook-secret"
# An invoice's state in our words.
STATES = {"paid": "paid", "closed": "paid", "failed": "uncollectible", "voided": "void"}
# Where an account has one billing info it is charged under a key of its own.
ONLY = ":only"


class RecurlyShop:
    """One site."""

    def __init__(self, seed: int) -> None:
        self.double = RecurlyDouble(seed=seed)

    def connection(self, name: str, api_base: str, webhook_url: str) -> Connection:
        self.double.send_webhooks_to(webhook_url, SECRET)
        return make_connection(
            name=name, platform=Platform.RECURLY, simulated=False, api_base=api_base, api_key=API_KEY, webhook_secrets=(SECRET,)
        )

    def billing(self, connection: Connection, transport: httpx.AsyncBaseTransport) -> RecurlyBilling:
        return RecurlyBilling(connection, transport=transport)

    def ledger(self) -> PlatformLedger:
        with self.double.lock:
            invoices = [one for one in self.double.store.invoices.values() if one.type == "charge"]
            return PlatformLedger(
                attempts=tuple(self._attempt(one) for one in self.double.attempts),
                invoices=tuple(PlatformInvoice(one.id, _status(one), one.balance, one.paid) for one in invoices),
                effects=tuple(effect for exchange in self.double.log if (effect := _effect(exchange))),
            )

    def hold_against_specification(self) -> None:
        contract = Contract.load("recurly")
        if contract is None:
            return
        for exchange in self.double.log:
            status = exchange.answer.status if exchange.answer else None
            contract.check_exchange(exchange, answer_only=status in WRONG_REQUESTS)

    def _attempt(self, one: Attempt) -> PlatformAttempt:
        transaction = self.double.store.transactions[one.id]
        key = one.idempotency_key.removesuffix(ONLY) if one.idempotency_key else None
        return PlatformAttempt(
            id=one.id,
            invoice=one.invoice or "",
            # Recurly tells no fingerprint: a card's name is what the adapter makes of what it tells.
            fingerprint=fingerprint(transaction.account_id, Part(payment_method(transaction.card), "")) or "",
            brand=(transaction.card.brand or "").lower().replace(" ", "_") or None,
            amount_minor=one.amount,
            currency=one.currency,
            at=one.at,
            initiator=initiator_of(one.initiator, key),
            key=key,
            status="reversed" if transaction.status == "chargeback" else STATUSES[one.outcome],
            code=one.codes.get("code"),
            processor="recurly",
        )


def _status(invoice: Invoice) -> str:
    return STATES.get(invoice.state, "open")


def _effect(exchange: Exchange) -> PlatformEffect | None:
    """What was done to an invoice under a key; charges are among the attempts."""
    key = exchange.request.idempotency_key
    parts = exchange.request.path.split("/")
    is_write_off = parts[1:2] == ["invoices"] and parts[3:] == ["mark_failed"]
    return PlatformEffect(key, "write_off", parts[2], "done") if key and is_write_off and is_first_answer(exchange) else None
