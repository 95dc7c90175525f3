"""How cases come about: who owes, whose card failed and when, and what the merchant's own records hold of the account."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from math import log

from tools.sandbox.banks import OUTAGE_PERIOD_SECONDS, Banks
from tools.sandbox.cards import GOOD_CODE, Cards
from tools.sandbox.causes import Card, Cause, Code
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import Parameters
from tools.sandbox.paydays import DAY, EPOCH_SECONDS, HOUR
from tools.sandbox.people import CURRENCY, PRICES_MAJOR, SEGMENTS, START, TIERS, place_of
from tools.sandbox.protocol import Channel, Credential, Decline, FailedInvoice, PastAttempt

START_SECONDS = START.timestamp()
SPREAD_DAYS = 60
SECOND_INVOICE_SHARE = 0.08
MONTH_SECONDS = 30.4 * DAY
TENURE_MONTHS_MEAN, TENURE_MONTHS_MOST, MOST_MONTHS = 14.0, 72.0, 9
LEGACY_RETRY_DAYS = (1, 3, 5, 7)  # what the merchant did before
TRIES_TO_FAIL = 12
ONLY_EMAIL: tuple[Channel, ...] = ("email",)
AND_SMS: tuple[Channel, ...] = ("email", "sms")


@dataclass(frozen=True, slots=True)
class Opening:
    """One case as it begins: what is shown, and the card behind it."""

    invoice: FailedInvoice
    card: Card


class Merchant:
    """The customers of one seed whose charges fail, numbered."""

    def __init__(self, dice: Dice, parameters: Parameters, banks: Banks) -> None:
        self.dice, self.banks, self.cards = dice, banks, Cards(dice, parameters)
        self._sms_consent_share = parameters.messages["sms_consent_share"]

    def opening(self, number: int) -> Opening:
        """The ``number``-th case, from 0: the same whatever others there are."""
        dice, name = self.dice, f"acct_{self._owner_number(number):06d}"
        place, tier = place_of(dice, name), dice.choose(TIERS, name, "tier")
        card = self.cards.failing(name, place)
        failed_at = self._failed_at(card, name, number)
        tenure = min(-log(1 - dice.draw(name, "tenure")) * TENURE_MONTHS_MEAN + 1, TENURE_MONTHS_MOST)
        since = float(int(failed_at - tenure * MONTH_SECONDS))
        amount_minor = dice.choose(PRICES_MAJOR[tier], name, "price") * 100
        credential = self.credential(f"pm_{name}", card, place.country)
        invoice = FailedInvoice(
            case=f"case_{number:06d}",
            account=name,
            amount_minor=amount_minor,
            currency=CURRENCY,
            failed_at=datetime.fromtimestamp(failed_at, UTC),
            decline=decline_of(self.banks.says(card, failed_at)),
            credential=credential,
            channels=AND_SMS if dice.happens(self._sms_consent_share, name, "sms") else ONLY_EMAIL,
            country=place.country,
            timezone=place.timezone,
            locale=place.locale,
            segment=dice.choose(SEGMENTS, name, "segment"),
            plan_tier=tier,
            customer_since=datetime.fromtimestamp(since, UTC),
            history=tuple(self._past(name, card, credential.id, amount_minor, failed_at, since)),
        )
        return Opening(invoice, card)

    def credential(self, name: str, card: Card, country: str | None) -> Credential:
        """The card as a merchant has it on file."""
        face = self.cards.face(card)
        issuer = self.banks.lasting(card).issuer
        return Credential(name, brand=face.brand, funding=face.funding, country=country, issuer=issuer, expires=face.expires)

    def _owner_number(self, number: int) -> int:
        """Some accounts have two invoices, one after the other."""

        def follows(n: int) -> bool:
            return n > 0 and self.dice.happens(SECOND_INVOICE_SHARE, "second invoice", n)

        return number - 1 if follows(number) and not follows(number - 1) else number

    def _failed_at(self, card: Card, name: str, number: int) -> float:
        """When the card fails by its nature. A charge that would go through is drawn again."""
        dice, hour = self.dice, self.dice.whole(0, 86_399, name, "hour") / HOUR
        at = START_SECONDS
        for again in range(TRIES_TO_FAIL):
            at = START_SECONDS + dice.whole(0, SPREAD_DAYS - 1, name, number, "day", again) * DAY + hour * HOUR
            if card.cause is Cause.OUTAGE:
                begun = self.banks.outage(self.banks.lasting(card).issuer, int((at - EPOCH_SECONDS) // OUTAGE_PERIOD_SECONDS))
                if begun is not None:
                    return float(int(begun[0] + dice.draw(name, number, "into the outage") * (begun[1] - begun[0])))
            elif not self.banks.approves(card, at):
                break
        return at

    def _past(self, name: str, card: Card, credential: str, amount_minor: int, failed_at: float, since: float) -> Iterator[PastAttempt]:
        """A charge a month, and what the merchant did when it failed. Whatever else is wrong with the card began after them."""
        card = replace(card, is_short=False) if card.cause is Cause.FUNDS else replace(card, cause=Cause.GOOD, code=GOOD_CODE)
        failed = datetime.fromtimestamp(failed_at, UTC)
        for back in range(int(min((failed_at - since) / MONTH_SECONDS, MOST_MONTHS)), 0, -1):
            invoice, first, tried = f"{name}_{back:02d}", _months_before(failed, back), list[float]()
            for day in (0, *LEGACY_RETRY_DAYS):
                at = first + day * DAY
                if first <= since or at > failed_at - DAY:
                    break
                approved = self.banks.approves(card, at, tried)
                tried.append(at)
                decline = None if approved else decline_of(self.banks.says(card, at))
                yield PastAttempt(datetime.fromtimestamp(at, UTC), invoice, amount_minor, credential, decline)
                if approved:
                    break


def decline_of(code: Code) -> Decline:
    """What the processor passes on of an issuer's answer."""
    return _decline(code.decline, code.network, code.advice)


@lru_cache(maxsize=256)
def _decline(code: str, network: str | None, advice: str | None) -> Decline:
    return Decline(code=code, processor="sandbox", network_code=network, advice=advice)


def _months_before(when: datetime, months: int) -> float:
    """The same hour, so many calendar months earlier; the 31st of a shorter month is its last day."""
    year, month = divmod(when.year * 12 + when.month - 1 - months, 12)
    day = min(when.day, monthrange(year, month + 1)[1])
    return when.replace(year=year, month=month + 1, day=day).timestamp()
