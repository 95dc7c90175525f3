"""Life around a merchant at Recurly."""

import json
import random
from datetime import timedelta

from tests.merchants.life import AMOUNTS, Desk, Place, one_of
from tests.vendors.recurly import RecurlyDouble, headers_for
from tests.vendors.recurly_records import Account, BillingInfo, Card, Invoice, Subscription

SOFT = (*["insufficient_funds"] * 3, *["try_again"] * 2, "declined", "temporary_hold", "issuer_unavailable", "gateway_timeout")
HARD = ("expired_card", "invalid_card_number", "fraud_stolen_card", "cardholder_requested_stop", "three_d_secure_action_required")
BRANDS = ("Visa", "Visa", "MasterCard", "American Express")
COUNTRIES = (*["US"] * 6, "DE", "IN")
OPEN = frozenset({"pending", "past_due"})


class RecurlyLife:
    """``double``'s customers and people."""

    charges = Place("PUT", "/invoices/")
    places = (
        Place("PUT", "/invoices/"),
        Place("GET", "/invoices/"),
        Place("GET", "/accounts/"),
        Place("GET", "/subscriptions/"),
        Place("", "/"),
    )

    def __init__(self, double: RecurlyDouble) -> None:
        self.double = double
        self._desk = Desk(double, **headers_for(), content_type="application/json")
        self._digits = 1000

    def begin(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            self.double.default_campaign.retry_days = ()
        for _ in range(chance.choice((1, 1, 2))):
            account = self.double.account(self._card(chance))
            for _ in range(chance.choice((1, 1, 1, 2))):
                subscription = self.double.subscription(account, chance.choice(AMOUNTS), chance.choice(("USD", "EUR")))
                self._bill(subscription)

    def bill(self, chance: random.Random) -> None:
        running = [one for one in self.double.store.subscriptions.values() if one.state == "active"]
        if running:
            self._bill(chance.choice(running))

    def customer_pays(self, chance: random.Random) -> None:
        states = {"past_due", "pending", "failed", *({"paid"} if chance.random() < 0.3 else set[str]())}
        invoice = self._invoice(chance, *sorted(states))
        if invoice is not None:
            self.double.customer_pays(invoice, self._good_card() if chance.random() < 0.5 else None)

    def platform_tries(self, chance: random.Random) -> None:
        planned = [one for one in self.double.store.invoices.values() if one.state == "past_due" and one.next_retry_at]
        if planned:
            chance.choice(planned).next_retry_at = self.double.clock.now()
            self.double.advance(timedelta(0))

    def customer_changes_card(self, chance: random.Random) -> None:
        account = chance.choice(list(self.double.store.accounts.values()))
        path = f"/accounts/{account.id}"
        token = self.double.token(self._card(chance))
        body: dict[str, object] = {"token_id": token}
        if chance.random() < 0.5:
            self._desk.ask("PUT", f"{path}/billing_info", json.dumps(body).encode())
        else:
            body[chance.choice(("primary_payment_method", "backup_payment_method"))] = True
            self._desk.ask("POST", f"{path}/billing_infos", json.dumps(body).encode())

    def merchant_acts(self, chance: random.Random) -> None:
        one_of(chance, self._give_up, self._pay_elsewhere, self._refund, self._terminate, self._cancel, self._collect)

    def _bill(self, subscription: Subscription) -> None:
        account: Account = self.double.store.accounts[subscription.account_id]
        self.double.invoice(account, subscription.amount, subscription.currency, subscription)

    def _card(self, chance: random.Random) -> Card:
        answers = [*chance.choices(SOFT, k=chance.randint(1, 5)), *(["ok"] if chance.random() < 0.6 else chance.choices(SOFT, k=5))]
        if chance.random() < 0.2:
            answers[chance.randrange(len(answers))] = chance.choice((*HARD, "processing"))
        return self._made(answers, chance.choice(BRANDS), chance.choice(COUNTRIES))

    def _good_card(self) -> Card:
        return self._made(["ok"], "Visa", "US")

    def _made(self, answers: list[str], brand: str, country: str) -> Card:
        # Recurly tells a card by its first and last digits alone.
        self._digits += 1
        return self.double.card(*answers, brand=brand, country=country, last_four=f"{self._digits:04d}")

    def _invoice(self, chance: random.Random, *states: str) -> Invoice | None:
        found = [one for one in self.double.store.invoices.values() if one.type == "charge" and one.state in states]
        return chance.choice(found) if found else None

    def _give_up(self, chance: random.Random) -> None:
        if invoice := self._invoice(chance, *OPEN):
            self._desk.ask("PUT", f"/invoices/{invoice.id}/mark_failed")

    def _pay_elsewhere(self, chance: random.Random) -> None:
        if invoice := self._invoice(chance, *OPEN):
            self._desk.ask("PUT", f"/invoices/{invoice.id}/mark_successful")

    def _refund(self, chance: random.Random) -> None:
        invoice = self._invoice(chance, "paid")
        if invoice and invoice.refunded < invoice.paid:
            self._desk.ask("POST", f"/invoices/{invoice.id}/refund", b'{"type": "percentage", "percentage": 100}')

    def _cancel(self, chance: random.Random) -> None:
        if running := self._running():
            self._desk.ask("PUT", f"/subscriptions/{chance.choice(running).id}/cancel")

    def _terminate(self, chance: random.Random) -> None:
        if running := self._running():
            self._desk.ask("DELETE", f"/subscriptions/{chance.choice(running).id}?refund=none")

    def _collect(self, chance: random.Random) -> None:
        """They charge it in Recurly's own pages."""
        invoice = self._invoice(chance, "past_due")
        info: BillingInfo | None = self.double.store.primary(invoice.account_id) if invoice else None
        if invoice and info:
            self.double.collection.charge(invoice, info, origin="recurly_admin", by="merchant")

    def _running(self) -> list[Subscription]:
        return [one for one in self.double.store.subscriptions.values() if one.state == "active"]
