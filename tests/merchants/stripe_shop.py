"""A merchant at Stripe: the double, its adapter, and its books in the words of the invariants."""

import httpx

from evals.ledgers import PlatformAttempt, PlatformEffect, PlatformInvoice, PlatformLedger
from recoup.settings import Connection, Platform
from tests.factories import make_connection
from tests.merchants.shop import STATUSES, WRONG_REQUESTS, initiator_of, is_first_answer
from tests.vendors.chassis import Attempt, Exchange
from tests.vendors.contract import Contract
from tests.vendors.stripe import StripeDouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_stage import SPECIFICATIONS
from tests.vendors.stripe_state import Charge, Dispute, Event, Intent, Invoice, Version
from tools.billing.stripe import StripeBilling

CLOSERS = {"mark_uncollectible": "write_off"}


class StripeShop:
    """``version``: the shape in which the platform speaks, in its answers and its webhooks."""

    def __init__(self, seed: int, version: Version = Version.NEW) -> None:
        self.double = StripeDouble(account_version=version, seed=seed)
        self.version = version

    def connection(self, name: str, api_base: str, webhook_url: str) -> Connection:
        endpoint = self.double.add_endpoint(webhook_url)
        return make_connection(
            name=name,
            platform=Platform.STRIPE,
            simulated=False,
            api_base=api_base,
            api_key=self.double.secret_key,
            webhook_secrets=tuple(endpoint.secrets),
            api_version=self.version.value,
        )

    def billing(self, connection: Connection, transport: httpx.AsyncBaseTransport) -> StripeBilling:
        return StripeBilling(connection, transport=transport)

    def ledger(self) -> PlatformLedger:
        with self.double.lock:
            return PlatformLedger(
                attempts=tuple(self._attempt(one) for one in self.double.attempts if self._is_known_of(one)),
                invoices=tuple(self._invoice(one) for one in self.double.world.all(Invoice) if one.status != "draft"),
                effects=tuple(effect for exchange in self.double.log if (effect := self._effect(exchange))),
            )

    def hold_against_specification(self) -> None:
        contract = Contract.load(SPECIFICATIONS[self.version])
        if contract is None:
            return
        for event in self.double.world.all(Event):
            for told_in, body in event.bodies.items():
                Contract.required(SPECIFICATIONS[told_in]).check_event(body)
        for exchange in self.double.log:
            status = exchange.answer.status if exchange.answer else None
            contract.check_exchange(exchange, answer_only=status in WRONG_REQUESTS)

    def _is_known_of(self, attempt: Attempt) -> bool:
        """A payment that waited for its cardholder is not told any more once it was tried again."""
        if attempt.outcome != "requires_action":
            return attempt.invoice is not None
        return self.double.world.get(Intent, attempt.id).status == "requires_action"

    def _attempt(self, one: Attempt) -> PlatformAttempt:
        return PlatformAttempt(
            id=one.id,
            invoice=one.invoice or "",
            fingerprint=one.fingerprint or "",
            brand=self._brand(one),
            amount_minor=one.amount,
            currency=one.currency.upper(),
            at=one.at,
            initiator=initiator_of(one.initiator, one.idempotency_key),
            key=one.idempotency_key,
            status=self._status(one),
            code=one.codes.get("decline_code") or one.codes.get("code"),
            processor="stripe",
        )

    def _status(self, one: Attempt) -> str:
        if one.outcome == "requires_action":
            return "requires_action"
        is_lost = any(it.charge == one.id and it.status == "lost" for it in self.double.world.all(Dispute))
        return "reversed" if is_lost else STATUSES[one.outcome]

    def _brand(self, one: Attempt) -> str | None:
        thing = self.double.world.find(one.id)
        if isinstance(thing, Charge):
            return thing.card.brand or None
        card = self.double.world.find(thing.payment_method or "") if isinstance(thing, Intent) else None
        return card.brand if isinstance(card, Card) else None

    def _invoice(self, one: Invoice) -> PlatformInvoice:
        paid = one.amount_paid + (one.amount_overpaid if one.status == "paid" and self.version is Version.NEW else 0)
        return PlatformInvoice(one.id, one.status, one.amount - one.amount_paid, paid)

    def _effect(self, exchange: Exchange) -> PlatformEffect | None:
        """What was done to an invoice under a key. Subscriptions' effects tell of no invoice, and charges are among the attempts."""
        key = exchange.request.idempotency_key
        parts = exchange.request.path.split("/")
        if key is None or not is_first_answer(exchange) or parts[2:3] != ["invoices"]:
            return None
        if parts[4:] in (["pay"], ["mark_uncollectible"]):
            # A charge says so among the attempts, with its name: two actions make one.
            name = CLOSERS.get(parts[4])
        else:
            body = exchange.request.body
            name = {b"auto_advance=false": "take_over_collection", b"auto_advance=true": "hand_back_collection"}.get(body.lower())
        return PlatformEffect(key, name, parts[3], "done") if name else None
