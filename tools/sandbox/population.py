"""The simulated population: who owes what, when it first fails, and which of life's turns each person takes. Pure and seeded."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from recoup.record import Record
from tools.sandbox.causes import Cause
from tools.sandbox.draws import Dice
from tools.sandbox.people import (
    SEGMENTS,
    TIERS,
    Contact,
    Method,
    Place,
    bank_account,
    card_with,
    contact_of,
    failing_card,
    method_of,
    place_of,
    price_minor,
)

DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)
# Everything in the world happens on this grid, so that one step of the clock plays many things. It lies beside the full and half hours
# at which contact hours begin anywhere. And it falls a second behind every three hours: what somebody plans for n hours after an instant
# of the grid comes after that later instant's news, so the two never fall on one instant, where chance would order them.
GRID, FIRST_INSTANT = timedelta(hours=3) - timedelta(seconds=1), DEFAULT_START + timedelta(minutes=20)
FIRST_FAILURES_WITHIN = 1 / 6  # of the simulated period: most recoveries fall on days 2 to 12, so they need the rest
# Bills on one card fail this far apart: the plans of two cases then never want the card at the same instant, where chance would decide.
APART = 36 * GRID
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
        self.dice = Dice(seed)

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
        method = self._method(customer, role, place, number)
        backup = None
        if role is Role.PLAIN and dice.happens(0.12, customer, "has backup"):
            backup = method_of(dice, f"pm_{number:06d}_b", place, card_with(dice, f"{customer}:backup", Cause.GOOD))
        bills = tuple(self._bill(customer, number, role, tier, n) for n in range(2 if role is Role.SEVERAL_INVOICES else 1))
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

    def _method(self, customer: str, role: Role, place: Place, number: int) -> Method:
        dice, method_id = self.dice, f"pm_{number:06d}"
        match role:
            case Role.SHARES_CARD:
                # Both of a block carry one card: the fingerprint is the block's, the method ids are their own.
                return method_of(dice, method_id, place, card_with(dice, f"shared:{number // BLOCK}", Cause.FUNDS))
            case Role.SETTLES_LATE | Role.RETURNS_DEBIT:
                return bank_account(dice, method_id, customer)
            case Role.PAYS_TWICE:
                return method_of(dice, method_id, place, card_with(dice, customer, Cause.LIMIT))
            case Role.HEALTHY:
                return method_of(dice, method_id, place, card_with(dice, customer, Cause.GOOD))
            case _:
                return method_of(dice, method_id, place, failing_card(dice, customer))

    def _bill(self, customer: str, number: int, role: Role, tier: str, n: int) -> Bill:
        reason = {Role.MANUAL: "manual", Role.FIRST_PAYMENT: "subscription_create"}.get(role, "subscription_cycle")
        total = price_minor(self.dice, customer, tier, n)
        return Bill(
            id=f"in_{number:06d}_{n}",
            subscription=None if role is Role.MANUAL else f"sub_{number:06d}_{n}",
            total_minor=total,
            tax_minor=total // 11,
            charged_at=self._first_charge(customer, number, role, n),
            billing_reason=reason,
            collection_method="send_invoice" if role is Role.SENT_INVOICE else "charge_automatically",
        )

    def _first_charge(self, customer: str, number: int, role: Role, n: int) -> datetime:
        last = max(1, int(timedelta(days=self.days * FIRST_FAILURES_WITHIN) / GRID))
        if role is Role.SHARES_CARD:
            is_second = Role.SHARES_CARD in self._roles_of_block(number)[: number % BLOCK]
            return self._paired(last, is_second, "shared", number // BLOCK)
        if role is Role.SEVERAL_INVOICES:
            return self._paired(last, n == 1, customer)
        return instant(self.dice.whole(1, last, customer, "first charge", n))

    def _paired(self, last: int, is_second: bool, *about: object) -> datetime:
        apart = min(APART // GRID, last - 1)
        first = self.dice.whole(1, last - apart, *about, "first charge")
        return instant(first + (apart if is_second else 0))


def instant(number: int) -> datetime:
    """The ``number``-th instant of the world's grid, from 0."""
    return FIRST_INSTANT + GRID * number


def on_grid(at: datetime) -> datetime:
    """The first instant of the grid that is not before ``at``."""
    return instant(-((FIRST_INSTANT - at) // GRID))
