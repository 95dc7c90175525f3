"""The words in which a month is scripted: customers, what their banks say, what happens to them, and how their cases must end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from evals.ledgers import PlatformAttempt
from recoup.case import Attribution, CaseStatus


class Town(Protocol):
    """A platform with the people around it. Invoices go by the platform's own ids."""

    def bill(self, customer: "Customer") -> Sequence[str]:
        """Bills somebody new: the platform tries at once. Gives the invoices."""
        ...

    def customer_pays(self, invoice: str) -> None:
        """By the hosted page, with another card."""
        ...

    def customer_tries(self, invoice: str) -> None:
        """By the hosted page, with the card on file."""
        ...

    def customer_pays_again(self, invoice: str) -> None:
        """On a page that was still open."""
        ...

    def customer_mends_card(self, invoice: str) -> None:
        """Enters another card, which is the one in use from now on."""
        ...

    def bank_takes_back(self, invoice: str) -> None:
        """The customer has disputed what was paid, and has won."""
        ...

    def leaves_with_the_period(self, invoice: str) -> None:
        """The subscription is cancelled for the end of its period, which is some days away."""
        ...

    def leaves_at_once(self, invoice: str) -> None:
        """The subscription ends now."""
        ...

    def void(self, invoice: str) -> None:
        """The merchant takes the bill back."""
        ...

    def pay_elsewhere(self, invoice: str) -> None:
        """The merchant has the money by bank transfer and says so at the platform."""
        ...

    def email_of(self, invoice: str) -> str:
        """Where whoever owes it is written to."""
        ...

    def method_of(self, attempt: PlatformAttempt) -> str:
        """What Recoup calls the payment method that was tried."""
        ...


Verb = Literal[
    "customer_pays",
    "customer_tries",
    "customer_pays_again",
    "customer_mends_card",
    "bank_takes_back",
    "leaves_with_the_period",
    "leaves_at_once",
    "void",
    "pay_elsewhere",
]


@dataclass(frozen=True)
class Deed:
    """Something that happens so long after the first failure. ``is_lost``: no webhook of it ever arrives."""

    after: timedelta
    does: Verb
    is_lost: bool = False


@dataclass(frozen=True)
class End:
    """How a case must stand after the month. ``episode``: money that went back began another."""

    status: CaseStatus
    by: Attribution | None = None
    episode: int = 1

    def __str__(self) -> str:
        return self.status + (f" by {self.by}" if self.by else "") + (f", episode {self.episode}" if self.episode > 1 else "")


@dataclass(frozen=True)
class Customer:
    """Somebody whose payment fails ``begins`` after the month does, with what the bank says from then on (the last answer stays).

    ``watched``: the end of the case in shadow; ``acted``: the end where Recoup may act, once people have agreed where they are asked.
    ``on_mail``: what the customer does some hours after the first message. ``bills``: how many are sent at once. None as an end: no case.
    """

    name: str
    begins: timedelta
    bank: tuple[str, ...]
    watched: End | None
    acted: End | None
    amount: int = 4900
    bills: int = 1
    deeds: tuple[Deed, ...] = ()
    on_mail: Verb | None = None
    is_sent: bool = False


OPEN, EXPIRED = End(CaseStatus.OPEN), End(CaseStatus.EXPIRED)
CANCELLED, WRITTEN_OFF = End(CaseStatus.CANCELLED), End(CaseStatus.WRITTEN_OFF)
BY_PLATFORM = End(CaseStatus.RECOVERED, Attribution.PLATFORM)
BY_RECOUP = End(CaseStatus.RECOVERED, Attribution.RECOUP)
BY_CUSTOMER = End(CaseStatus.RECOVERED, Attribution.CUSTOMER_LINK)
ELSEWHERE = End(CaseStatus.RECOVERED, Attribution.OUT_OF_BAND)
TAKEN_BACK = End(CaseStatus.OPEN, episode=2)


@dataclass
class Household:
    """A customer once the month has reached them."""

    customer: Customer
    invoices: Sequence[str]
    has_reacted: bool = False

    def do(self, town: Town, verb: Verb) -> None:
        """To each of the bills."""
        for invoice in self.invoices:
            getattr(town, verb)(invoice)


def hours(number: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=number)


def days(number: float) -> timedelta:
    """So many days."""
    return timedelta(days=number)


def slug(customer: Customer) -> str:
    """A name that can stand in an address."""
    return customer.name.replace(" ", ".").replace(",", "")
