"""A month at Stripe: Smart Retries three, eight and fifteen days after the first failure, then the platform stops by itself."""

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
    EXPIRED,
    OPEN,
    TAKEN_BACK,
    Customer,
    Deed,
    days,
    hours,
    slug,
)
from tests.vendors.stripe import StripeDouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_state import Charge, Invoice, Subscription
from tests.vendors.stripe_state import Customer as Account

FUNDS, HONOR, LOST, EXPIRED_CARD, SCA = "insufficient_funds", "do_not_honor", "lost_card", "expired_card", "authentication_required"
PERIOD = timedelta(days=11)
# So often does a bank say its last word.
LASTS = 20

PEOPLE = (
    Customer("paid again at the second retry", hours(2), (FUNDS, FUNDS, "ok"), watched=BY_PLATFORM, acted=BY_PLATFORM),
    Customer("has money only when Stripe has stopped", hours(5), (FUNDS, FUNDS, HONOR, FUNDS, "ok"), watched=EXPIRED, acted=BY_RECOUP),
    Customer("mends an expired card when written to", hours(11), (EXPIRED_CARD,), EXPIRED, BY_PLATFORM, on_mail="customer_mends_card"),
    Customer("lost the card", hours(14), (LOST,), watched=EXPIRED, acted=EXPIRED),
    Customer("confirms by the link", hours(20), (SCA,), BY_CUSTOMER, BY_CUSTOMER, deeds=(Deed(days(4), "customer_pays"),)),
    Customer("pays by the link", hours(26), (FUNDS,), BY_CUSTOMER, BY_CUSTOMER, deeds=(Deed(hours(31), "customer_pays"),)),
    Customer(
        *("pays twice", hours(29), (FUNDS,), BY_CUSTOMER, BY_CUSTOMER),
        deeds=(Deed(days(2), "customer_pays"), Deed(days(2) + hours(1), "customer_pays_again")),
    ),
    Customer("takes it back", hours(33), (FUNDS, "ok"), TAKEN_BACK, TAKEN_BACK, deeds=(Deed(days(9), "bank_takes_back"),)),
    Customer(
        *("leaves with the period, owes much", hours(37), (FUNDS, FUNDS, FUNDS, "ok"), EXPIRED, BY_RECOUP),
        amount=25000,
        deeds=(Deed(days(4), "leaves_with_the_period"),),
    ),
    Customer("leaves at once", hours(43), (FUNDS,), CANCELLED, CANCELLED, deeds=(Deed(days(5), "leaves_at_once"),)),
    Customer("was billed in error", hours(46), (HONOR,), CANCELLED, CANCELLED, deeds=(Deed(days(6), "void"),)),
    Customer("pays by bank transfer", hours(50), (HONOR,), ELSEWHERE, ELSEWHERE, deeds=(Deed(days(7), "pay_elsewhere"),)),
    Customer(
        "pays, and nobody is told", hours(52), (FUNDS,), BY_CUSTOMER, BY_CUSTOMER, deeds=(Deed(days(2), "customer_pays", is_lost=True),)
    ),
    Customer("pays when suspended", hours(55), (HONOR,), BY_CUSTOMER, BY_CUSTOMER, deeds=(Deed(days(23), "customer_pays"),)),
    Customer("has two bills", hours(58), (FUNDS, FUNDS, FUNDS, "ok"), BY_PLATFORM, BY_PLATFORM, bills=2),
    Customer("is never honoured", hours(64), (HONOR,), watched=OPEN, acted=OPEN),
    Customer(
        *("is sent a bill", hours(66), (FUNDS,), None, None),
        deeds=(Deed(days(3), "customer_tries"),),
        is_sent=True,
    ),
)


class StripeTown:
    """``double`` with the people in it."""

    def __init__(self, double: StripeDouble) -> None:
        self._double = double
        self._desk = Desk(double, authorization=f"Bearer {double.secret_key}")

    def bill(self, customer: Customer) -> Sequence[str]:
        double = self._double
        with double.lock:
            account = double.add_customer(f"{slug(customer)}@customer.example")
            double.add_card(account, answers=(*customer.bank[:-1], *customer.bank[-1:] * LASTS))
            plans = [double.add_subscription(account, amount=customer.amount, period=PERIOD, renews=False) for _ in range(customer.bills)]
            for plan in plans:
                plan.collection_method = "send_invoice" if customer.is_sent else "charge_automatically"
            return [double.bill(plan).id for plan in plans]

    def customer_pays(self, invoice: str) -> None:
        self._pay(invoice, self._double.add_card(self._account(invoice), default=False))

    def customer_tries(self, invoice: str) -> None:
        self._pay(invoice, self._double.world.get(Card, self._account(invoice).default_payment_method or ""))

    def customer_pays_again(self, invoice: str) -> None:
        self._pay(invoice, self._double.add_card(self._account(invoice), default=False), separately=True)

    def customer_mends_card(self, invoice: str) -> None:
        self._double.add_card(self._account(invoice))

    def bank_takes_back(self, invoice: str) -> None:
        double = self._double
        paid = next(one for one in double.world.all(Charge) if one.invoice == invoice and one.status == "succeeded")
        dispute = double.customer_disputes(paid)
        with double.lock:
            dispute.status = "lost"
            double.world.tell("charge.dispute.closed", dispute, {"status": "needs_response"})

    def leaves_with_the_period(self, invoice: str) -> None:
        self._ask("POST", f"/v1/subscriptions/{self._subscription(invoice).id}", b"cancel_at_period_end=true")

    def leaves_at_once(self, invoice: str) -> None:
        self._ask("DELETE", f"/v1/subscriptions/{self._subscription(invoice).id}")

    def void(self, invoice: str) -> None:
        self._ask("POST", f"/v1/invoices/{invoice}/void")

    def pay_elsewhere(self, invoice: str) -> None:
        self._ask("POST", f"/v1/invoices/{invoice}/pay", b"paid_out_of_band=true")

    def email_of(self, invoice: str) -> str:
        return self._account(invoice).email

    def method_of(self, attempt: PlatformAttempt) -> str:
        return self._double.world.get(Charge, attempt.id).card.id

    def _pay(self, invoice: str, card: Card, *, separately: bool = False) -> None:
        charge = self._double.customer_pays(self._double.world.get(Invoice, invoice), card, separately=separately)
        assert charge is not None, "the page refuses what is not owed"

    def _account(self, invoice: str) -> Account:
        return self._double.world.get(Account, self._double.world.get(Invoice, invoice).customer)

    def _subscription(self, invoice: str) -> Subscription:
        return self._double.world.get(Subscription, self._double.world.get(Invoice, invoice).subscription or "")

    def _ask(self, method: str, path: str, body: bytes = b"") -> None:
        status = self._desk.ask(method, path, body)
        assert status == 200, f"{method} {path}: {status}"
