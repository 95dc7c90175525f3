"""The simulated population: who owes what, when it first fails, and which of life's turns each person takes. Pure and seeded."""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from recoup.record import Record
from tools.sandbox.banks import Banks
from tools.sandbox.cards import Cards, Method
from tools.sandbox.causes import Cause
from tools.sandbox.customers import Customers
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import parameters_of
from tools.sandbox.people import SEGMENTS, START, TIERS, Contact, Place, contact_of, place_of, price_minor

DEFAULT_START = START
# Everything in the world happens on this grid, so that one step of the clock plays many things. It lies beside the full and half hours
# at which contact hours begin anywhere. And it falls a second behind every three hours: what somebody plans for n hours after an instant
# of the grid comes after that later instant's news, so the two never fall on one instant, where chance would order them.
GRID, FIRST_INSTANT = timedelta(hours=3) - timedelta(seconds=1), DEFAULT_START + timedelta(minutes=20)
FIRST_FAILURES_WITHIN = 1 / 6  # of the simulated period: most recoveries fall on days 2 to 12, so they need the rest
# Bills on one card fail this far apart: the plans of two cases then never want the card at the same instant, where chance would decide.
APART = 36 * GRID
# A card is charged first when it fails by its nature. Where so many draws find no such instant it is another card, and the last one fails
# all the same.
TRIES_TO_FAIL, CARDS_TO_FAIL = 12, 6
BLOCK = 30  # people of one block share out the special roles, so that even a small world has most of them


class Role(StrEnum):
    """The turn a person's story takes, beside what chance brings everybody."""

    PLAIN = "plain"
    SHARES_CARD = "shares_card"
    SEVERAL_INVOICES = "several_invoices"
    SETTLES_LATE = "settles_late"
    RETURNS_DEBIT = "returns_debit"
    CANCELS_NOW = "cancels_now"
    CANCELS_AT_PERIOD_END = "cancels_at_period_end"
    DISPUTES = "disputes"
    OPTS_OUT = "opts_out"
    PAYS_PART = "pays_part"
    PAYS_TWICE = "pays_twice"
    SENT_INVOICE = "sent_invoice"
    MANUAL = "manual"
    FIRST_PAYMENT = "first_payment"
    HEALTHY = "healthy"


SPECIAL_ROLES = (
    Role.PAYS_TWICE,
    Role.SETTLES_LATE,
    Role.SEVERAL_INVOICES,
    Role.DISPUTES,
    Role.PAYS_PART,
    Role.SHARES_CARD,
    Role.SHARES_CARD,
    Role.CANCELS_NOW,
    Role.OPTS_OUT,
    Role.CANCELS_AT_PERIOD_END,
    Role.RETURNS_DEBIT,
)
# People whose invoices open no case, however they end: one each for every so many others.
BYSTANDERS = (Role.SENT_INVOICE, Role.MANUAL, Role.FIRST_PAYMENT, Role.HEALTHY)


class Bill(Record):
    """One invoice and when it is first charged."""

    id: str
    subscription: str | None
    total_minor: int
    tax_minor: int
    charged_at: datetime
    billing_reason: str
    collection_method: str


class Person(Record):
    """One customer with everything about them, hidden and known."""

    id: str
    role: Role
    place: Place
    contact: Contact
    tier: str
    segment: str
    method: Method
    backup: Method | None
    bills: tuple[Bill, ...]


class Population:
    """The population of one seed. ``cases`` is the number of failures that ought to open a case."""

    def __init__(self, *, seed: int, cases: int, days: float) -> None:
        self.seed, self.cases, self.days = seed, cases, days
        self.dice, parameters = Dice(seed), parameters_of(seed)
        self.banks, self.customers = Banks(self.dice, parameters), Customers(self.dice, parameters)
        self.cards = Cards(self.dice, parameters)

    def people(self) -> list[Person]:
        """Everybody. Each is drawn by itself: a larger world of the same seed and days has the same people, and more."""
        found: list[Person] = []
        owed, number = 0, 0
        while owed < self.cases:
            role = self._role(number)
            # The last place may not hold two invoices.
            role = Role.PLAIN if role is Role.SEVERAL_INVOICES and owed + 2 > self.cases else role
            person = self._person(number, role)
            found.append(person)
            owed += len(person.bills)
            number += 1
        bystanders = max(1, number // BLOCK) * len(BYSTANDERS)
        found += [self._person(100_000 + n, BYSTANDERS[n % len(BYSTANDERS)]) for n in range(bystanders)]
        return found

    def _role(self, number: int) -> Role:
        return self._roles_of_block(number)[number % BLOCK]

    def _roles_of_block(self, number: int) -> list[Role]:
        roles = (*SPECIAL_ROLES, *([Role.PLAIN] * (BLOCK - len(SPECIAL_ROLES))))
        return self.dice.order(roles, "roles", number // BLOCK)

    def _person(self, number: int, role: Role) -> Person:
        dice, customer = self.dice, f"cus_{number:06d}"
        place, tier = place_of(dice, customer), dice.choose(TIERS, customer, "tier")
        method, charged = self._charged(customer, role, place, number)
        backup = None
        if role is Role.PLAIN and dice.happens(0.12, customer, "has backup"):
            card = self.cards.of_cause(f"{customer}:backup", place, Cause.GOOD)
            backup = self.cards.method(f"pm_{number:06d}_b", place, card)
        bills = tuple(self._bill(customer, number, role, tier, n, at) for n, at in enumerate(charged))
        return Person(
            id=customer,
            role=role,
            place=place,
            contact=contact_of(dice, customer),
            tier=tier,
            segment=dice.choose(SEGMENTS, customer, "segment"),
            method=method,
            backup=backup,
            bills=bills,
        )

    def _charged(self, customer: str, role: Role, place: Place, number: int) -> tuple[Method, list[datetime]]:
        """What the person pays with, and when each of the bills is charged first."""
        method = self._method(customer, role, place, number)
        fingerprint, charged = method.card.fingerprint, list[datetime]()
        for again in range(CARDS_TO_FAIL if role is Role.PLAIN else 1):
            if again:
                method = self.cards.method(method.id, place, replace(method.card, fingerprint=f"{fingerprint}:{again}"))
            charged = self._first_charges(customer, number, role, method)
            if not any(self.banks.approves(method.card, at.timestamp()) for at in charged):
                break
        return method, charged

    def _method(self, customer: str, role: Role, place: Place, number: int) -> Method:
        cards, method_id = self.cards, f"pm_{number:06d}"
        match role:
            case Role.SHARES_CARD:
                # Both of a block carry one card: the fingerprint is the block's, the method ids are their own.
                shared = f"shared:{number // BLOCK}"
                return cards.method(method_id, place, cards.of_cause(shared, place_of(self.dice, shared), Cause.FUNDS))
            case Role.SETTLES_LATE | Role.RETURNS_DEBIT:
                return cards.bank_account(method_id, customer, place)
            case Role.PAYS_TWICE:
                return cards.method(method_id, place, cards.of_cause(customer, place, Cause.LIMIT))
            case Role.HEALTHY:
                return cards.method(method_id, place, cards.of_cause(customer, place, Cause.GOOD))
            case _:
                return cards.method(method_id, place, cards.failing(customer, place))

    def _bill(self, customer: str, number: int, role: Role, tier: str, n: int, charged_at: datetime) -> Bill:
        reason = {Role.MANUAL: "manual", Role.FIRST_PAYMENT: "subscription_create"}.get(role, "subscription_cycle")
        total = price_minor(self.dice, customer, tier, n)
        return Bill(
            id=f"in_{number:06d}_{n}",
            subscription=None if role is Role.MANUAL else f"sub_{number:06d}_{n}",
            total_minor=total,
            tax_minor=total // 11,
            charged_at=charged_at,
            billing_reason=reason,
            collection_method="send_invoice" if role is Role.SENT_INVOICE else "charge_automatically",
        )

    def _first_charges(self, customer: str, number: int, role: Role, method: Method) -> list[datetime]:
        """When the person's bills are charged first, one instant for each."""
        is_wanted = role is Role.HEALTHY
        if role is Role.SHARES_CARD:
            is_second = Role.SHARES_CARD in self._roles_of_block(number)[: number % BLOCK]
            return self._pair(method, "shared", number // BLOCK)[is_second:][:1]
        if role is Role.SEVERAL_INVOICES:
            return self._pair(method, customer)
        at = DEFAULT_START
        for again in range(TRIES_TO_FAIL):
            at = instant(self.dice.whole(1, self._last_instant, customer, "first charge", again))
            if method.rail != "card" or self.banks.approves(method.card, at.timestamp()) is is_wanted:
                break
        return [at]

    def _pair(self, method: Method, *about: object) -> list[datetime]:
        apart = min(APART // GRID, self._last_instant - 1)
        pair: list[datetime] = []
        for again in range(TRIES_TO_FAIL):
            first = self.dice.whole(1, self._last_instant - apart, *about, "first charge", again)
            pair = [instant(first), instant(first + apart)]
            if not any(self.banks.approves(method.card, at.timestamp()) for at in pair):
                break
        return pair

    @property
    def _last_instant(self) -> int:
        return max(1, int(timedelta(days=self.days * FIRST_FAILURES_WITHIN) / GRID))


def instant(number: int) -> datetime:
    """The ``number``-th instant of the world's grid, from 0."""
    return FIRST_INSTANT + GRID * number


def on_grid(at: datetime) -> datetime:
    """The first instant of the grid that is not before ``at``."""
    return instant(-((FIRST_INSTANT - at) // GRID))
