"""Life around a merchant at Stripe."""

import random
from datetime import timedelta

from tests.merchants.life import AMOUNTS, Desk, Place, one_of
from tests.vendors.stripe import StripeDouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_state import Charge, Customer, Invoice, Subscription, Version

SOFT = ("insufficient_funds", "do_not_honor", "generic_decline", "processing_error", "try_again_later", "issuer_not_available")
HARD = ("expired_card", "lost_card", "fraudulent", "authentication_required", "do_not_try_again", "invalid_account")
DEBIT = ("insufficient_funds", "account_closed")
CARDS = (*["pm_card_visa"] * 6, *["pm_card_mastercard"] * 3, "pm_card_amex", "pm_card_in", "pm_sepa_debit")


class StripeLife:
    """``double``'s customers and people. Most of these merchants have switched the platform's own retries off."""

    charges = Place("POST", "/v1/invoices/")
    places = (
        Place("POST", "/v1/invoices/"),
        Place("GET", "/v1/invoices/"),
        Place("GET", "/v1/charges"),
        Place("GET", "/v1/events"),
        Place("GET", "/v1/customers"),
        Place("", "/v1/"),
    )

    def __init__(self, double: StripeDouble) -> None:
        self.double = double
        self._desk = Desk(double, authorization=f"Bearer {double.secret_key}")

    def begin(self, chance: random.Random) -> None:
        if chance.random() < 0.7:
            self.double.world.retry_gaps = ()
        for number in range(chance.choice((1, 1, 2))):
            customer = self.double.add_customer(f"customer{number}@customer.example")
            self._add_card(customer, chance)
            for _ in range(chance.choice((1, 1, 1, 2))):
                amount = chance.choice(AMOUNTS)
                subscription = self.double.add_subscription(customer, amount=amount, currency=chance.choice(("eur", "usd")), renews=False)
                self.double.bill(subscription)

    def bill(self, chance: random.Random) -> None:
        running = [one for one in self.double.world.all(Subscription) if one.status != "canceled"]
        if running:
            self.double.bill(chance.choice(running))

    def customer_pays(self, chance: random.Random) -> None:
        invoice = self._invoice(chance, "open", "uncollectible", "paid")
        if invoice is None:
            return
        cards = [card for card in self.double.world.owned(Card, invoice.customer) if card.rail == "card"]
        if not cards or chance.random() < 0.5:
            card = self.double.add_card(self.double.world.get(Customer, invoice.customer), default=False)
        else:
            card = chance.choice(cards)
        # Where an invoice has one payment intent there is no second page to pay on.
        is_beside = chance.random() < 0.3 and self.double.world.account_version is Version.NEW
        self.double.customer_pays(invoice, card, separately=is_beside)

    def platform_tries(self, chance: random.Random) -> None:
        planned = [one for one in self.double.world.all(Invoice) if one.next_payment_attempt]
        if planned:
            chance.choice(planned).planned = self.double.clock.now()
            self.double.advance(timedelta(0))

    def customer_changes_card(self, chance: random.Random) -> None:
        self._add_card(chance.choice(list(self.double.world.all(Customer))), chance)

    def merchant_acts(self, chance: random.Random) -> None:
        one_of(chance, self._void, self._give_up, self._pay_elsewhere, self._refund, self._dispute, self._cancel, self._take_over)

    def _add_card(self, customer: Customer, chance: random.Random) -> None:
        token = chance.choice(CARDS)
        said = DEBIT if token == "pm_sepa_debit" else SOFT
        answers = [*chance.choices(said, k=chance.randint(1, 5)), *(["ok"] if chance.random() < 0.6 else chance.choices(said, k=5))]
        if token != "pm_sepa_debit" and chance.random() < 0.2:
            answers[chance.randrange(len(answers))] = chance.choice(HARD)
        self.double.add_card(customer, token, answers=answers)

    def _invoice(self, chance: random.Random, *states: str) -> Invoice | None:
        found = [one for one in self.double.world.all(Invoice) if one.status in states]
        return chance.choice(found) if found else None

    def _void(self, chance: random.Random) -> None:
        if invoice := self._invoice(chance, "open"):
            self._desk.ask("POST", f"/v1/invoices/{invoice.id}/void")

    def _give_up(self, chance: random.Random) -> None:
        if invoice := self._invoice(chance, "open"):
            self._desk.ask("POST", f"/v1/invoices/{invoice.id}/mark_uncollectible")

    def _pay_elsewhere(self, chance: random.Random) -> None:
        if invoice := self._invoice(chance, "open"):
            self._desk.ask("POST", f"/v1/invoices/{invoice.id}/pay", b"paid_out_of_band=true")

    def _take_over(self, chance: random.Random) -> None:
        """They switch the platform's own retries of one invoice off."""
        if invoice := self._invoice(chance, "open"):
            self._desk.ask("POST", f"/v1/invoices/{invoice.id}", b"auto_advance=false")

    def _refund(self, chance: random.Random) -> None:
        charge = self._paid(chance)
        if charge and not charge.disputed and charge.amount_refunded < charge.amount:
            self._desk.ask("POST", "/v1/refunds", f"charge={charge.id}".encode())

    def _dispute(self, chance: random.Random) -> None:
        charge = self._paid(chance)
        if charge and not charge.disputed:
            self.double.customer_disputes(charge)

    def _cancel(self, chance: random.Random) -> None:
        running = [one for one in self.double.world.all(Subscription) if one.status != "canceled"]
        if running:
            self._desk.ask("DELETE", f"/v1/subscriptions/{chance.choice(running).id}")

    def _paid(self, chance: random.Random) -> Charge | None:
        found = [one for one in self.double.world.all(Charge) if one.status == "succeeded"]
        return chance.choice(found) if found else None
