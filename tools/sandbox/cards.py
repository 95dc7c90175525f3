"""Payment methods, each drawn by itself: the truth behind a card, which nobody sees, and the face that it shows."""

from typing import NamedTuple

from recoup.record import Record
from tools.sandbox.causes import FIRST_DECLINES, Card, Cause, Code, Pay
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import Parameters
from tools.sandbox.people import Place, offset_hours

GOOD_CODE = Code(decline="insufficient_funds", network="51")  # what a good card answers on its rare bad day
SHORT_CODE = Code(decline="insufficient_funds", network="R01")
BRANDS = (("visa", 0.55), ("mastercard", 0.32), ("amex", 0.08), ("discover", 0.05))
FUNDINGS = (("debit", 0.55), ("credit", 0.40), ("prepaid", 0.05))
HAS_EXPIRED = "2025-12"


class Face(NamedTuple):
    """What a card shows: network, kind, and YYYY-MM of its last month."""

    brand: str
    funding: str
    expires: str


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


class Cards:
    """The payment methods of one seed."""

    def __init__(self, dice: Dice, parameters: Parameters) -> None:
        self.dice = dice
        self._causes, self._pay = tuple(parameters.causes.items()), tuple(parameters.pay.items())
        self._short_share = parameters.balance["short_share"]

    def failing(self, owner: str, place: Place) -> Card:
        """A card whose charge fails, with the truth behind it."""
        return self._card(owner, place, *FIRST_DECLINES[self.dice.choose(self._causes, owner, "cause")])

    def of_cause(self, owner: str, place: Place, cause: Cause) -> Card:
        """A card of a known cause; ``good`` ones serve as replacements and backups."""
        code = next((code for is_cause, code in FIRST_DECLINES.values() if is_cause is cause), GOOD_CODE)
        return self._card(owner, place, cause, code)

    def face(self, card: Card) -> Face:
        """What the card shows of itself."""
        dice, own = self.dice, card.fingerprint
        has_expired = card.cause is Cause.EXPIRED
        return Face(
            brand=dice.choose(BRANDS, own, "brand"),
            funding=dice.choose(FUNDINGS, own, "funding"),
            expires=HAS_EXPIRED if has_expired else f"20{dice.whole(27, 31, own, 'year')}-{dice.whole(1, 12, own, 'month'):02d}",
        )

    def method(self, method_id: str, place: Place, card: Card) -> Method:
        """The card as the platform has it on file."""
        last4, face = self._last4(card), self.face(card)
        return Method(id=method_id, rail="card", country=place.country, last4=last4, card=card, **face._asdict())

    def bank_account(self, method_id: str, owner: str, place: Place) -> Method:
        """A bank account on the ACH rail: it was short once, its next debits take days, and may come back."""
        card = self._card(owner, place, Cause.GOOD, SHORT_CODE)
        last4 = self._last4(card)
        return Method(id=method_id, rail="ach", brand=None, funding=None, country="US", last4=last4, expires=None, card=card)

    def _last4(self, card: Card) -> str:
        return f"{self.dice.whole(0, 9999, card.fingerprint, 'last4'):04d}"

    def _card(self, owner: str, place: Place, cause: Cause, code: Code) -> Card:
        return Card(
            fingerprint=f"fp_{self.dice.seed}_{owner}",
            cause=cause,
            code=code,
            pay=Pay(self.dice.choose(self._pay, owner, "pay")),
            pay_day=self.dice.whole(1, 28, owner, "pay day"),
            offset_hours=offset_hours(place.timezone),
            is_short=self.dice.happens(self._short_share, owner, "short"),
        )
