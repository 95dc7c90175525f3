"""What customers do when a payment failed: of themselves, because a bank sent a new card, or because somebody wrote to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from typing import Literal, NamedTuple

from tools.sandbox.banks import normal
from tools.sandbox.causes import NEEDS_THE_CUSTOMER, Cause
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import Parameters
from tools.sandbox.paydays import DAY, HOUR

Turn = Literal["updater", "update", "pay_link", "cancel", "dispute", "reply"]
# What a message says that fits the cause; a reminder fits those whose card works.
FITS = {Cause.CUSTOMER_PRESENT: "confirm_payment"} | dict.fromkeys((Cause.EXPIRED, Cause.DEAD, Cause.STOLEN), "update_method")
MOVED_TO: tuple[tuple[Turn, float], ...] = (("update", 0.58), ("pay_link", 0.42))
LATER_DAYS = (8.0, 14.0)  # between them the force of a message falls to what is left of it later
SOON_HOURS = 48.0
FOUR_WEEKS = 28.0
TOUCHY_SPREAD, SMS_ANNOYS_TIMES = 0.7, 1.4
AT_MOST = 0.9


class Happening(NamedTuple):
    """Something that somebody does, and when (POSIX seconds)."""

    at: float
    turn: Turn


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as it reaches a customer: the ``ordinal``-th, from 0; ``after_days`` since the failure; ``hours_since`` the one before."""

    at: float
    ordinal: int
    after_days: float
    hours_since: float | None
    channel: str = "email"
    kind: str | None = None


class Customers:
    """The customers of one seed: pure functions of who, why and when."""

    def __init__(self, dice: Dice, parameters: Parameters) -> None:
        self.dice, self.parameters = dice, parameters
        self._temper = lru_cache(maxsize=256)(self._draw_temper)

    def of_themselves(self, who: str, cause: Cause, failed_at: float) -> Iterator[Happening]:
        """What a failure sets going without anybody writing."""
        dice, own, updater = self.dice, self.parameters.by_themselves, self.parameters.updater
        share = {Cause.EXPIRED: updater["expired_share"], Cause.STOLEN: updater["reissued_share"]}.get(cause, 0.0)
        if dice.happens(share, who, "updater"):
            first, last = updater["days"]
            yield Happening(failed_at + (first + (last - first) * dice.draw(who, "updater day")) * DAY, "updater")
        turns: tuple[tuple[Turn, str], ...] = (("update", "update_share"), ("cancel", "cancel_share"), ("dispute", "dispute_share"))
        for turn, name in turns:
            if dice.happens(own[name], who, turn):
                yield Happening(failed_at + FOUR_WEEKS * dice.draw(who, turn, "day") * DAY, turn)

    def reaction(self, who: str, cause: Cause, heard: Heard) -> Happening | None:
        """What a message moves them to, if to anything; annoyance comes first."""
        dice, about = self.dice, ("message", heard.ordinal)
        if dice.happens(self.annoyed(who, heard), who, *about, "annoyed"):
            turn: Turn = "cancel"
        elif dice.happens(self.moved(who, cause, heard), who, *about, "moved"):
            turn = dice.choose(MOVED_TO, who, *about, "to")
        elif dice.happens(self.parameters.messages["replies_share"], who, *about, "replies"):
            turn = "reply"
        else:
            return None
        after = -log(1 - dice.draw(who, *about, "delay")) * self.parameters.messages["delay_hours_mean"] * HOUR
        return Happening(heard.at + after, turn)

    def moved(self, who: str, cause: Cause, heard: Heard) -> float:
        """How likely the message makes them pay or put another card on file."""
        numbers = self.parameters.messages
        share = numbers["moves_share"] * self._temper(who)[0]
        share *= numbers["tired_times"] ** heard.ordinal * self._later(heard.after_days)
        if heard.channel == "sms":
            share *= numbers["sms_times"]
        elif heard.channel != "email":
            share *= numbers["in_app_times"]
        is_fit = heard.kind is None or heard.kind == FITS.get(cause, "reminder")
        if cause in NEEDS_THE_CUSTOMER and is_fit:
            share *= numbers["needed_times"]
        elif not is_fit:
            share *= numbers["wrong_kind_times"]
        return min(share, AT_MOST)

    def annoyed(self, who: str, heard: Heard) -> float:
        """How likely it makes them leave."""
        numbers = self.parameters.messages
        share = numbers["annoyed_share"] * self._temper(who)[1] * numbers["annoyed_more_times"] ** heard.ordinal
        is_soon = heard.hours_since is not None and heard.hours_since < SOON_HOURS
        times = (numbers["annoyed_soon_times"] if is_soon else 1.0) * (SMS_ANNOYS_TIMES if heard.channel == "sms" else 1.0)
        return min(share * times, AT_MOST)

    def _draw_temper(self, who: str) -> tuple[float, float]:
        """How much more readily than others somebody responds, and takes offence."""
        spread = self.parameters.messages["people_spread"]
        responds = exp(spread * normal(self.dice, who, "responds") - spread**2 / 2)
        return responds, exp(normal(self.dice, who, "touchy") * TOUCHY_SPREAD)

    def _later(self, after_days: float) -> float:
        start, end = LATER_DAYS
        fallen = min(max((after_days - start) / (end - start), 0.0), 1.0)
        return 1 - fallen * (1 - self.parameters.messages["later_times"])
