"""Who the simulated customers are: plans, prices, places and names, each drawn by itself."""

from recoup.record import Record
from tools.sandbox.causes import FIRST_DECLINES, Card, Cause, Code, Pay
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import parameters_of

CURRENCY = "USD"
GOOD_CODE = Code(decline="insufficient_funds", network="51")  # what a good card answers on its rare bad day


class Place(Record):
    """Where a customer lives."""

    country: str
    timezone: str
    locale: str


class Method(Record):
    """A payment method on file: what the platform knows of it, and the truth in ``card``."""

    id: str
    rail: str
    brand: str | None
    funding: str | None
    country: str
    last4: str
    expires: str | None
    card: Card


class Contact(Record):
    """Invented personal data, on domains and numbers reserved for examples."""

    first_name: str
    full_name: str
    email: str
    phone: str


PLACES: tuple[tuple[Place, float], ...] = (
    (Place(country="US", timezone="America/New_York", locale="en-US"), 0.30),
    (Place(country="US", timezone="America/Chicago", locale="en-US"), 0.18),
    (Place(country="US", timezone="America/Los_Angeles", locale="en-US"), 0.16),
    (Place(country="CA", timezone="America/Toronto", locale="en-CA"), 0.07),
    (Place(country="GB", timezone="Europe/London", locale="en-GB"), 0.10),
    (Place(country="DE", timezone="Europe/Berlin", locale="de-DE"), 0.06),
    (Place(country="FR", timezone="Europe/Paris", locale="fr-FR"), 0.04),
    (Place(country="AU", timezone="Australia/Sydney", locale="en-AU"), 0.05),
    (Place(country="IN", timezone="Asia/Kolkata", locale="en-IN"), 0.02),
    (Place(country="BR", timezone="America/Sao_Paulo", locale="pt-BR"), 0.02),
)
TIERS = (("basic", 0.35), ("standard", 0.45), ("premium", 0.20))
PRICES_MAJOR = {
    "basic": ((9, 0.5), (15, 0.3), (19, 0.2)),
    "standard": ((29, 0.4), (49, 0.35), (79, 0.25)),
    "premium": ((149, 0.6), (299, 0.35), (1290, 0.05)),
}
SEGMENTS = (("consumer", 0.7), ("business", 0.3))
BRANDS = (("visa", 0.55), ("mastercard", 0.32), ("amex", 0.08), ("discover", 0.05))
FUNDINGS = (("debit", 0.55), ("credit", 0.40), ("prepaid", 0.05))
FIRST_NAMES = ("Ada", "Ben", "Chloe", "Diego", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kemi", "Lena", "Marco", "Nora")
LAST_NAMES = ("Abel", "Brandt", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hughes", "Ito", "Jensen", "Kaur", "Lopez")


def place_of(dice: Dice, customer: str) -> Place:
    """Country, time zone and locale, which go together."""
    return dice.choose(PLACES, customer, "place")


def contact_of(dice: Dice, customer: str) -> Contact:
    """A name, an address and a number."""
    first = FIRST_NAMES[dice.whole(0, len(FIRST_NAMES) - 1, customer, "first name")]
    last = LAST_NAMES[dice.whole(0, len(LAST_NAMES) - 1, customer, "last name")]
    return Contact(
        first_name=first,
        full_name=f"{first} {last}",
        email=f"{first}.{last}.{customer}@example.com".lower(),
        phone=f"+1202555{dice.whole(100, 199, customer, 'phone'):04d}",
    )


def price_minor(dice: Dice, customer: str, tier: str, bill: int) -> int:
    """What one invoice of the plan costs, in cents."""
    return dice.choose(PRICES_MAJOR[tier], customer, "price", bill) * 100


def failing_card(dice: Dice, owner: str) -> Card:
    """A card whose first charge of the period fails, with the truth behind it."""
    cause, code = FIRST_DECLINES[dice.choose(tuple(parameters_of(dice.seed).causes.items()), owner, "cause")]
    return _card(dice, owner, cause, code)


def card_with(dice: Dice, owner: str, cause: Cause) -> Card:
    """A card of a known cause; ``good`` ones serve as replacements and backups."""
    code = next((code for is_cause, code in FIRST_DECLINES.values() if is_cause is cause), GOOD_CODE)
    return _card(dice, owner, cause, code)


def _card(dice: Dice, owner: str, cause: Cause, code: Code) -> Card:
    return Card(
        fingerprint=f"fp_{dice.seed}_{owner}",
        cause=cause,
        code=code,
        pay=Pay(dice.choose(tuple(parameters_of(dice.seed).pay.items()), owner, "pay")),
        pay_day=dice.whole(1, 28, owner, "pay day"),
    )


def method_of(dice: Dice, method_id: str, place: Place, card: Card) -> Method:
    """The card as the platform has it on file."""
    return Method(
        id=method_id,
        rail="card",
        brand=dice.choose(BRANDS, card.fingerprint, "brand"),
        funding=dice.choose(FUNDINGS, card.fingerprint, "funding"),
        country=place.country,
        last4=f"{dice.whole(0, 9999, card.fingerprint, 'last4'):04d}",
        expires="2025-12" if card.cause is Cause.EXPIRED else _valid_until(dice, card),
        card=card,
    )


def _valid_until(dice: Dice, card: Card) -> str:
    return f"20{dice.whole(27, 31, card.fingerprint, 'year')}-{dice.whole(1, 12, card.fingerprint, 'month'):02d}"


def bank_account(dice: Dice, method_id: str, owner: str) -> Method:
    """A bank account on the ACH rail: it was short once, its next debits take days, and may come back."""
    card = _card(dice, owner, Cause.GOOD, Code(decline="insufficient_funds", network="R01"))
    return Method(
        id=method_id,
        rail="ach",
        brand=None,
        funding=None,
        country="US",
        last4=f"{dice.whole(0, 9999, card.fingerprint, 'last4'):04d}",
        expires=None,
        card=card,
    )
