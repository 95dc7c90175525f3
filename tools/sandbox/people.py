"""Who the simulated customers are: plans, prices, places and names, each drawn by itself."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from recoup.record import Record
from tools.sandbox.draws import Dice

START = datetime(2026, 1, 5, tzinfo=UTC)  # when the simulated time begins
CURRENCY = "USD"


class Place(Record):
    """Where a customer lives."""

    country: str
    timezone: str
    locale: str


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
    "premium": ((149, 0.55), (299, 0.34), (499, 0.10), (1290, 0.01)),
}
SEGMENTS = (("consumer", 0.7), ("business", 0.3))
FIRST_NAMES = ("Ada", "Ben", "Chloe", "Diego", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kemi", "Lena", "Marco", "Nora")
LAST_NAMES = ("Abel", "Brandt", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hughes", "Ito", "Jensen", "Kaur", "Lopez")


def place_of(dice: Dice, customer: str) -> Place:
    """Country, time zone and locale, which go together."""
    return dice.choose(PLACES, customer, "place")


@lru_cache(maxsize=64)
def offset_hours(zone: str) -> float:
    """How far the clocks of a time zone are from UTC when the simulated time begins."""
    return (START.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()).total_seconds() / 3600


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
