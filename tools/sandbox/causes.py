"""Why a charge fails, which nobody outside the simulation sees, and what the issuer says instead."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import cos, exp, log, pi, sqrt

from recoup.record import Record
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import Parameters

HOUR, DAY = 3600.0, 86_400.0
EPOCH = datetime(2023, 1, 2, tzinfo=UTC)  # a Monday: days, weekdays and fortnights are counted from here
EPOCH_SECONDS = EPOCH.timestamp()
DAYS_KEPT = 3650


class Cause(StrEnum):
    """The latent truth behind a card. ``good`` pays."""

    GOOD = "good"
    FUNDS = "funds"
    ISSUER = "issuer"
    LIMIT = "limit"
    OUTAGE = "outage"
    EXPIRED = "expired"
    DEAD = "dead"
    STOLEN = "stolen"
    CUSTOMER_PRESENT = "customer_present"


class Pay(StrEnum):
    """When money comes into the account behind a card."""

    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    SEMI_MONTHLY = "semi_monthly"
    MONTHLY = "monthly"
    NONE = "none"


# From one payday to the next, and how long an irregular income is made to last.
CYCLE_DAYS = {Pay.WEEKLY: 7.0, Pay.BIWEEKLY: 14.0, Pay.SEMI_MONTHLY: 15.2, Pay.MONTHLY: 30.4, Pay.NONE: 8.0}


class Code(Record):
    """What the issuer answers: the processor's word and the network's number."""

    decline: str
    network: str | None = None
    advice: str | None = None


class Card(Record):
    """A payment method with its truth. ``pay_day`` places its owner's paydays: a weekday, or a day of the month. ``offset_hours``: their
    local time, from UTC. ``is_short``: whatever comes in is gone at once, for the time being."""

    fingerprint: str
    cause: Cause
    code: Code
    pay: Pay
    pay_day: int
    offset_hours: float = 0.0
    is_short: bool = False


# What the issuer says, and which truth hides behind it; how often stands in parameters.toml, [causes].
FIRST_DECLINES: dict[str, tuple[Cause, Code]] = {
    "funds_said": (Cause.FUNDS, Code(decline="insufficient_funds", network="51")),
    "funds_unsaid": (Cause.FUNDS, Code(decline="do_not_honor", network="05")),
    "issuer_unsaid": (Cause.ISSUER, Code(decline="do_not_honor", network="05")),
    "issuer_generic": (Cause.ISSUER, Code(decline="generic_decline", network="05")),
    "dead_unsaid": (Cause.DEAD, Code(decline="do_not_honor", network="05")),
    "expired": (Cause.EXPIRED, Code(decline="expired_card", network="54")),
    "dead_said": (Cause.DEAD, Code(decline="invalid_account", network="14")),
    "lost": (Cause.STOLEN, Code(decline="lost_card", network="41")),
    "stolen": (Cause.STOLEN, Code(decline="stolen_card", network="43")),
    "fraudulent": (Cause.STOLEN, Code(decline="fraudulent", network="59")),
    "authentication": (Cause.CUSTOMER_PRESENT, Code(decline="authentication_required", network="1A")),
    "limit": (Cause.LIMIT, Code(decline="card_velocity_exceeded", network="65")),
    "outage_processing": (Cause.OUTAGE, Code(decline="processing_error", network="96")),
    "outage_issuer": (Cause.OUTAGE, Code(decline="issuer_not_available", network="91")),
}
OUTAGE_CODE = Code(decline="issuer_not_available", network="91")
NEEDS_THE_CUSTOMER = frozenset({Cause.EXPIRED, Cause.DEAD, Cause.STOLEN, Cause.CUSTOMER_PRESENT})


@dataclass(frozen=True, slots=True)
class Lasting:
    """What stays the same of one card: how many days its money lasts after pay, its bank, and the bank's ways."""

    days: float
    issuer: str
    is_blocked: bool
    repeated_times: float


class Banks:
    """The banks of one seed: pure functions of card, instant and earlier tries. Asking changes nothing. Times are POSIX seconds."""

    def __init__(self, dice: Dice, parameters: Parameters) -> None:
        self.dice, self.parameters = dice, parameters
        self._lasting: dict[str, Lasting] = {}

    def approves(self, card: Card, at: float, tried: Sequence[float] = (), *, customer_present: bool = False) -> bool:
        """Whether a charge at that instant goes through. ``tried``: when the card was tried before, ascending."""
        if card.cause is Cause.CUSTOMER_PRESENT:
            return customer_present
        if card.cause in NEEDS_THE_CUSTOMER:
            return False
        if self.is_out(self.lasting(card).issuer, at):
            return False
        if not self.dice.happens(self.kept_by_bank(card, at, tried), card.fingerprint, "mood", int(at // (6 * HOUR))):
            return False
        return self._has_means(card, at)

    def says(self, card: Card, at: float) -> Code:
        """The code of a decline at that instant."""
        is_out = card.cause not in NEEDS_THE_CUSTOMER and self.is_out(self.lasting(card).issuer, at)
        return OUTAGE_CODE if is_out and card.cause is not Cause.OUTAGE else card.code

    def lasting(self, card: Card) -> Lasting:
        """What stays the same of a card."""
        known = self._lasting.get(card.fingerprint)
        if known is None:
            known = self._lasting[card.fingerprint] = self._draw_lasting(card)
        return known

    def kept_by_bank(self, card: Card, at: float, tried: Sequence[float]) -> float:
        """The share of tries that the bank lets through, money or no money: its mood, the hour of the day, and how often it was asked."""
        issuer, lasting = self.parameters.issuer, self.lasting(card)
        recent = len(tried) - bisect_left(tried, at - issuer["recent_days"] * DAY)
        share = issuer["approves_share"] if card.cause is Cause.ISSUER else issuer["good_approves_share"]
        return share * lasting.repeated_times ** max(0, recent - 1) * self.hour_factor(card, at)

    def hour_factor(self, card: Card, at: float) -> float:
        """What the hour of the day leaves of the chance: 1 at the best one."""
        issuer = self.parameters.issuer
        hour = (at / HOUR + card.offset_hours) % 24
        return 1 - issuer["worst_hour_loses"] * (1 - cos(2 * pi * (hour - issuer["best_hour"]) / 24)) / 2

    def is_out(self, issuer: str, at: float) -> bool:
        """Whether the issuer has an outage."""
        period = int((at - EPOCH_SECONDS) // (2 * DAY))
        return any(
            start <= at < end for window in (period, period - 1) if (times := self.outage(issuer, window)) for start, end in (times,)
        )

    def outage(self, issuer: str, period: int) -> tuple[float, float] | None:
        """The outage of an issuer that begins within the ``period``-th two days, if it has one."""
        if not self.dice.happens(self.parameters.issuer["outage_chance"], issuer, "outage", period):
            return None
        start = EPOCH_SECONDS + (period + self.dice.draw(issuer, "outage begins", period)) * 2 * DAY
        lasts = -log(1 - self.dice.draw(issuer, "outage lasts", period)) * self.parameters.issuer["outage_hours_mean"]
        return start, start + min(lasts, 47.0) * HOUR

    def covered_days(self, card: Card, cycle: int) -> float:
        """How long the money of one payday lasts, in days."""
        balance, dice = self.parameters.balance, self.dice
        if card.is_short or dice.happens(balance["missed_share"], card.fingerprint, "missed", cycle):
            return 0.0
        return self.lasting(card).days * exp(balance["cycle_spread"] * normal(dice, card.fingerprint, "cycle", cycle))

    def _has_means(self, card: Card, at: float) -> bool:
        dice, issuer, day = self.dice, self.parameters.issuer, int((at - EPOCH_SECONDS) // DAY)
        match card.cause:
            case Cause.FUNDS:
                return self._is_covered(card, at) or dice.happens(
                    self.parameters.balance["chance_per_day"], card.fingerprint, "by chance", day
                )
            case Cause.ISSUER:
                return not self.lasting(card).is_blocked
            case Cause.LIMIT:
                return dice.happens(issuer["limit_approves_share"], card.fingerprint, "limit", day)
            case _:
                return True

    def _is_covered(self, card: Card, at: float) -> bool:
        if card.pay is Pay.NONE:
            return self._irregularly(card, at)
        days, cycle = since_pay(card, at, self.parameters.balance["hour_local"])
        return days < self.covered_days(card, cycle)

    def _irregularly(self, card: Card, at: float) -> bool:
        """Money that came on one of the last days, and is not gone yet."""
        today = int((at - EPOCH_SECONDS) // DAY)
        share = self.parameters.balance["irregular_per_day"]
        return any(
            self.dice.happens(share, card.fingerprint, "income", today - back) and back < self.covered_days(card, today - back)
            for back in range(int(self.lasting(card).days * 2) + 1)
        )

    def _draw_lasting(self, card: Card) -> Lasting:
        dice, own, balance, issuer = self.dice, card.fingerprint, self.parameters.balance, self.parameters.issuer
        share = balance["lasting_share_median"] * exp(balance["lasting_share_spread"] * normal(dice, own, "lasts"))
        bank = f"bank_{dice.whole(1, int(issuer['count']), own, 'issuer'):02d}"
        punishes = dice.happens(issuer["punishing_share"], bank, "punishes")
        return Lasting(
            days=share * CYCLE_DAYS[card.pay],
            issuer=bank,
            is_blocked=dice.happens(issuer["blocked_share"], own, "blocked"),
            repeated_times=issuer["punished_times"] if punishes else issuer["noticed_times"],
        )


def normal(dice: Dice, *about: object) -> float:
    """A standard normal number."""
    return sqrt(-2 * log(1 - dice.draw(*about, "radius"))) * cos(2 * pi * dice.draw(*about, "angle"))


def since_pay(card: Card, at: float, hour_local: float) -> tuple[float, int]:
    """Days since money came in, and on which day (counted from EPOCH) that was. Not for people without a payday."""
    days = (at - EPOCH_SECONDS) / DAY + (card.offset_hours - hour_local) / 24
    payday = _paydays(card.pay, card.pay_day)[int(days)]
    return days - payday, payday


@lru_cache(maxsize=128)
def _paydays(pay: Pay, pay_day: int) -> list[int]:
    """For every day from EPOCH the last payday up to it. One that falls on a weekend is paid on the Friday before."""
    match pay:
        case Pay.WEEKLY:
            return [day - (day - pay_day) % 7 for day in range(DAYS_KEPT)]
        case Pay.BIWEEKLY:
            return [day - (day - pay_day) % 14 for day in range(DAYS_KEPT)]
        case Pay.SEMI_MONTHLY | Pay.MONTHLY:
            due = _month_days((1, 15) if pay is Pay.SEMI_MONTHLY else (pay_day,))
            return [due[bisect_left(due, day + 1) - 1] for day in range(DAYS_KEPT)]
        case Pay.NONE:
            return []


def _month_days(days: tuple[int, ...]) -> list[int]:
    months = [date(2022 + n // 12, n % 12 + 1, 1) for n in range(11, 12 * 13)]
    dates = [month.replace(day=day) for month in months for day in days]
    return sorted((paid - timedelta(days=max(0, paid.weekday() - 4)) - EPOCH.date()).days for paid in dates)
