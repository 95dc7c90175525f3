"""A month at Recurly: dunning that nobody can stop tries on days 2, 4, 7, 10, 14 and 21, and gives the invoice up on day 26."""

import json
from collections.abc import Sequence
from datetime import timedelta

from evals.ledgers import PlatformAttempt
from tests.merchants.life import Desk
from tests.merchants.month_people import (
    BY_CUSTOMER,
    BY_PLATFORM,
    BY_RECOUP,
    CANCELLED,
    ELSEWHERE,
    TAKEN_BACK,
    WRITTEN_OFF,
    Customer,
    Deed,
    days,
    hours,
    slug,
)
from tests.vendors.recurly import RecurlyDouble, headers_for
from tests.vendors.recurly_records import Account, Card, Invoice, Subscription

FUNDS, BANK, LOST, EXPIRED_CARD = "insufficient_funds", "declined", "fraud_stolen_card", "expired_card"
SCA = "three_d_secure_action_required"
GIVES_UP_AFTER_DAYS = 26
PERIOD_LEFT = timedelta(days=7)

PEOPLE = (
    Customer("paid again at the platform's retry", hours(2), (FUNDS, FUNDS, "ok"), watched=BY_PLATFORM, acted=BY_PLATFORM),
    Customer("has money when Recoup tries", hours(5), (FUNDS, "ok"), watched=BY_PLATFORM, acted=BY_RECOUP),
    Customer("mends an expired card when written to", hours(11), (EXPIRED_CARD,), WRITTEN_OFF, BY_PLATFORM, on_mail="customer_mends_card"),
    Customer("lost the card", hours(14), (LOST,), watched=WRITTEN_OFF, acted=WRITTEN_OFF),
    Customer("confirms by the link", hours(20), (SCA,), BY_CUSTOMER, BY_CUSTOMER, deeds=(Deed(days(4), "customer_pays"),)),
    Customer("pays by the link", hours(26), (BANK,), BY_CUSTOMER, BY_CUSTOMER, deeds=(Deed(hours(31), "customer_pays"),)),
    Customer(
        *("pays twice", hours(29), (BANK,), BY_CUSTOMER, BY_CUSTOMER),
        deeds=(Deed(days(2), "customer_pays"), Deed(days(2) + hours(1), "customer_pays_again")),
    ),
    Customer("takes it back", hours(33), (FUNDS, FUNDS, "ok"), TAKEN_BACK, TAKEN_BACK, deeds=(Deed(days(9), "bank_takes_back"),)),
    Customer(
        *("leaves with the period, owes much", hours(37), (BANK,) * 7 + ("ok",), WRITTEN_OFF, WRITTEN_OFF),
        amount=25000,
        deeds=(Deed(days(4), "leaves_with_the_period"),),
    ),
    Customer("leaves at once", hours(43), (FUNDS,), CANCELLED, CANCELLED, deeds=(Deed(days(5), "leaves_at_once"),)),
    # A charge invoice is not voided at Recurly: the merchant marks it failed.
    Customer("was billed in error", hours(46), (BANK,), WRITTEN_OFF, WRITTEN_OFF, deeds=(Deed(days(6), "void"),)),
    Customer("pays by bank transfer", hours(50), (BANK,), ELSEWHERE, ELSEWHERE, deeds=(Deed(days(7), "pay_elsewhere"),)),
    Customer(
        *("pays, and nobody is told", hours(52), (BANK,), BY_CUSTOMER, BY_CUSTOMER),
        deeds=(Deed(days(2) - hours(2), "customer_pays", is_lost=True),),
    ),
    Customer("pays in the fourth week", hours(55), (BANK,), BY_CUSTOMER, BY_CUSTOMER, deeds=(Deed(days(23), "customer_pays"),)),
    Customer("has two bills", hours(58), (FUNDS, FUNDS, FUNDS, "ok"), BY_PLATFORM, BY_PLATFORM, bills=2),
    Customer("is never honoured", hours(64), (BANK,), watched=WRITTEN_OFF, acted=WRITTEN_OFF),
    Customer("is sent a bill", hours(66), (FUNDS,), None, None, deeds=(Deed(days(3), "customer_tries"),), is_sent=True),
)


class RecurlyTown:
    """``double`` with the people in it."""

    def __init__(self, double: RecurlyDouble) -> None:
        self._double = double
        self._desk = Desk(double, **headers_for(), content_type="application/json")
        self._digits = 4000
        double.default_campaign.total_days = GIVES_UP_AFTER_DAYS

    def bill(self, customer: Customer) -> Sequence[str]:
        double = self._double
        with double.lock:
            account = double.account(self._card(*customer.bank), email=f"{slug(customer)}@customer.example")
            plans = [double.subscription(account, customer.amount) for _ in range(customer.bills)]
            method = "manual" if customer.is_sent else "automatic"
            return [double.invoice(account, customer.amount, "USD", plan, collection_method=method).id for plan in plans]

    def customer_pays(self, invoice: str) -> None:
        self._double.customer_pays(self._invoice(invoice), self._card("ok"))

    def customer_tries(self, invoice: str) -> None:
        self._double.customer_pays(self._invoice(invoice))

    def customer_pays_again(self, invoice: str) -> None:
        self.customer_pays(invoice)

    def customer_mends_card(self, invoice: str) -> None:
        token = self._double.token(self._card("ok"))
        account = self._invoice(invoice).account_id
        self._ask("PUT", f"/accounts/{account}/billing_info", {"token_id": token})

    def bank_takes_back(self, invoice: str) -> None:
        made = self._double.store.transactions_of(self._invoice(invoice))
        self._double.customer_disputes(next(one for one in made if one.status == "success"))

    def leaves_with_the_period(self, invoice: str) -> None:
        self._subscription(invoice).period_ends_at = self._double.clock.now() + PERIOD_LEFT
        self._ask("PUT", f"/subscriptions/{self._subscription(invoice).id}/cancel")

    def leaves_at_once(self, invoice: str) -> None:
        self._ask("DELETE", f"/subscriptions/{self._subscription(invoice).id}?refund=none")

    def void(self, invoice: str) -> None:
        self._ask("PUT", f"/invoices/{invoice}/mark_failed")

    def pay_elsewhere(self, invoice: str) -> None:
        self._ask("PUT", f"/invoices/{invoice}/mark_successful")

    def email_of(self, invoice: str) -> str:
        account: Account = self._double.store.accounts[self._invoice(invoice).account_id]
        return account.email

    def method_of(self, attempt: PlatformAttempt) -> str:
        # A card that is in no wallet by itself has no id of its own.
        return f"past-card:{attempt.fingerprint}"

    def _card(self, *answers: str) -> Card:
        # Recurly tells a card by its first and last digits alone.
        self._digits += 1
        return self._double.card(*answers, last_four=f"{self._digits:04d}")

    def _invoice(self, invoice: str) -> Invoice:
        return self._double.store.invoices[invoice]

    def _subscription(self, invoice: str) -> Subscription:
        return self._double.store.subscriptions[self._invoice(invoice).subscription_ids[0]]

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        status = self._desk.ask(method, path, json.dumps(body).encode() if body else b"")
        assert status < 300, f"{method} {path}: {status}"
