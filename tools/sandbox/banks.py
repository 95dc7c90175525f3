"""What banks approve: the balance behind a card with its paydays, the issuer's mood, its outages, and how it takes repeated tries."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, log, pi, sqrt
from sys import intern

from tools.sandbox.causes import NEEDS_THE_CUSTOMER, OUTAGE_CODE, Card, Cause, Code, Pay
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import Parameters
from tools.sandbox.paydays import CYCLE_DAYS, DAY, EPOCH_SECONDS, HOUR, paydays

MOOD_SECONDS, OUTAGE_PERIOD_SECONDS, OUTAGE_HOURS_MOST = 6 * HOUR, 2 * DAY, 47.0
CARDS_REMEMBERED = 256
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Lasting:
    """What stays the same of one card: how many days its money lasts after pay, its bank, and the bank's ways."""

    days: float
    issuer: str
    is_blocked: bool
    repeated_times: float


class _Memory:
    """What was drawn of one card already. Drawing it again would give the same; looking it up is cheaper."""

    __slots__ = ("_dice", "_drawn", "_own", "hours", "lasting", "lasts", "outages", "paydays")

    def __init__(self, dice: Dice, card: Card, lasting: Lasting, outages: dict[int, tuple[Span, ...]]) -> None:
        self._dice, self._own, self.lasting, self.outages = dice, card.fingerprint, lasting, outages
        self._drawn: dict[tuple[str, int], float] = {}
        self.paydays = paydays(card.pay, card.pay_day)
        self.lasts: dict[int, float] = {}
        self.hours: dict[float, float] = {}

    def draw(self, what: str, number: int) -> float:
        """The draw of the card for the ``number``-th day, cycle or span of hours."""
        key = (what, number)
        drawn = self._drawn.get(key)
        if drawn is None:
            drawn = self._drawn[key] = self._dice.draw(self._own, what, number)
        return drawn


class Banks:
    """The banks of one seed: pure functions of card, instant and earlier tries. Asking changes nothing. Times are POSIX seconds."""

    def __init__(self, dice: Dice, parameters: Parameters) -> None:
        self.dice, self.parameters = dice, parameters
        self._memories: dict[str, _Memory] = {}
        self._outages = defaultdict[str, dict[int, tuple[Span, ...]]](dict)

    def approves(self, card: Card, at: float, tried: Sequence[float] = (), *, customer_present: bool = False) -> bool:
        """Whether a charge at that instant goes through. ``tried``: when the card was tried before, ascending."""
        if card.cause in NEEDS_THE_CUSTOMER:
            return customer_present and card.cause is Cause.CUSTOMER_PRESENT
        memory = self._memory(card)
        if self._is_out(memory, at) or not self._has_means(card, memory, at):
            return False
        share = self.lets_through(card, at, tried) * self._hour_factor(card, memory, at % DAY)
        return memory.draw("mood", int(at // MOOD_SECONDS)) < share

    def says(self, card: Card, at: float) -> Code:
        """The code of a decline at that instant."""
        if card.cause is Cause.OUTAGE or card.cause in NEEDS_THE_CUSTOMER:
            return card.code
        return OUTAGE_CODE if self._is_out(self._memory(card), at) else card.code

    def lasting(self, card: Card) -> Lasting:
        """What stays the same of a card."""
        return self._memory(card).lasting

    def lets_through(self, card: Card, at: float, tried: Sequence[float]) -> float:
        """The share of tries at the best hour of the day that the bank lets through, money or no money: its mood, and how often it was
        asked."""
        issuer = self.parameters.issuer
        share = issuer["approves_share"] if card.cause is Cause.ISSUER else issuer["good_approves_share"]
        recent = len(tried) - bisect_left(tried, at - issuer["recent_days"] * DAY)
        return share * self._memory(card).lasting.repeated_times ** (recent - 1) if recent > 1 else share

    def outage(self, issuer: str, period: int) -> Span | None:
        """The outage of an issuer that begins within the ``period``-th two days, if it has one."""
        if not self.dice.happens(self.parameters.issuer["outage_chance"], issuer, "outage", period):
            return None
        start = EPOCH_SECONDS + (period + self.dice.draw(issuer, "outage begins", period)) * OUTAGE_PERIOD_SECONDS
        lasts = -log(1 - self.dice.draw(issuer, "outage lasts", period)) * self.parameters.issuer["outage_hours_mean"]
        return start, start + min(lasts, OUTAGE_HOURS_MOST) * HOUR

    def since_pay(self, card: Card, at: float) -> tuple[float, int]:
        """Days since money came in, and on which day (counted from EPOCH) that was. Not for people without a payday."""
        days = (at - EPOCH_SECONDS) / DAY + (card.offset_hours - self.parameters.balance["hour_local"]) / 24
        payday = self._memory(card).paydays[int(days)]
        return days - payday, payday

    def covered_days(self, card: Card, cycle: int) -> float:
        """How long the money of one payday lasts, in days."""
        if card.is_short:
            return 0.0
        memory = self._memory(card)
        lasts = memory.lasts.get(cycle)
        if lasts is None:
            lasts = memory.lasts[cycle] = self._draw_lasts(card, memory, cycle)
        return lasts

    def _is_out(self, memory: _Memory, at: float) -> bool:
        period = int((at - EPOCH_SECONDS) // OUTAGE_PERIOD_SECONDS)
        spans = memory.outages.get(period)
        if spans is None:
            # One lasts less than two days: it began in this period or in the one before.
            found = (self.outage(memory.lasting.issuer, begun) for begun in (period - 1, period))
            spans = memory.outages[period] = tuple(span for span in found if span)
        return any(start <= at < end for start, end in spans) if spans else False

    def _hour_factor(self, card: Card, memory: _Memory, second: float) -> float:
        """What the hour of the day leaves of the chance: 1 at the best one."""
        factor = memory.hours.get(second)
        if factor is None:
            issuer, hour = self.parameters.issuer, second / HOUR + card.offset_hours
            factor = 1 - issuer["worst_hour_loses"] * (1 - cos(2 * pi * (hour - issuer["best_hour"]) / 24)) / 2
            memory.hours[second] = factor
        return factor

    def _has_means(self, card: Card, memory: _Memory, at: float) -> bool:
        match card.cause:
            case Cause.FUNDS:
                return self._is_covered(card, memory, at) or memory.draw("by chance", _day(at)) < self.parameters.balance["chance_per_day"]
            case Cause.ISSUER:
                return not memory.lasting.is_blocked
            case Cause.LIMIT:
                return memory.draw("limit", _day(at)) < self.parameters.issuer["limit_approves_share"]
            case _:
                return True

    def _is_covered(self, card: Card, memory: _Memory, at: float) -> bool:
        if card.is_short:
            return False
        if card.pay is Pay.NONE:
            return self._irregularly(card, memory, _day(at))
        days, cycle = self.since_pay(card, at)
        return days < self.covered_days(card, cycle)

    def _irregularly(self, card: Card, memory: _Memory, today: int) -> bool:
        """Money that came on one of the last days, and is not gone yet."""
        share = self.parameters.balance["irregular_per_day"]
        return any(
            memory.draw("income", today - back) < share and back < self.covered_days(card, today - back)
            for back in range(int(memory.lasting.days * 2) + 1)
        )

    def _memory(self, card: Card) -> _Memory:
        """Cases are played one after another, so what was drawn of the last few hundred cards is enough to keep."""
        memory = self._memories.get(card.fingerprint)
        if memory is None:
            if len(self._memories) >= CARDS_REMEMBERED:
                self._memories.clear()
            lasting = self._draw_lasting(card)
            memory = self._memories[card.fingerprint] = _Memory(self.dice, card, lasting, self._outages[lasting.issuer])
        return memory

    def _draw_lasting(self, card: Card) -> Lasting:
        dice, own, balance, issuer = self.dice, card.fingerprint, self.parameters.balance, self.parameters.issuer
        share = balance["lasting_share_median"] * exp(balance["lasting_share_spread"] * normal(dice, own, "lasts"))
        bank = f"bank_{dice.whole(1, int(issuer['count']), own, 'issuer'):02d}"
        punishes = dice.happens(issuer["punishing_share"], bank, "punishes")
        return Lasting(
            days=share * CYCLE_DAYS[card.pay],
            issuer=intern(bank),
            is_blocked=dice.happens(issuer["blocked_share"], own, "blocked"),
            repeated_times=issuer["punished_times"] if punishes else issuer["noticed_times"],
        )

    def _draw_lasts(self, card: Card, memory: _Memory, cycle: int) -> float:
        dice, balance, own = self.dice, self.parameters.balance, card.fingerprint
        if dice.happens(balance["missed_share"], own, "missed", cycle):
            return 0.0
        return memory.lasting.days * exp(balance["cycle_spread"] * normal(dice, own, "cycle", cycle))


def normal(dice: Dice, *about: object) -> float:
    """A standard normal number."""
    return sqrt(-2 * log(1 - dice.draw(*about, "radius"))) * cos(2 * pi * dice.draw(*about, "angle"))


def _day(at: float) -> int:
    return int((at - EPOCH_SECONDS) // DAY)
