"""Why a charge fails, which nobody outside the simulation sees, and what the issuer says instead."""

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from recoup.record import Record
from tools.sandbox.draws import Dice


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


class Code(Record):
    """What the issuer answers: the processor's word and the network's number."""

    decline: str
    network: str | None = None
    advice: str | None = None


class Card(Record):
    """A payment method with its truth. ``pay_day`` places its owner's paydays: a weekday, or a day of the month."""

    fingerprint: str
    cause: Cause
    code: Code
    pay: Pay
    pay_day: int


# What the issuer says, then how often which truth hides behind it.
FIRST_DECLINES: tuple[tuple[tuple[Cause, Code], float], ...] = (
    ((Cause.FUNDS, Code(decline="insufficient_funds", network="51")), 0.40),
    ((Cause.FUNDS, Code(decline="do_not_honor", network="05")), 0.15),
    ((Cause.ISSUER, Code(decline="do_not_honor", network="05")), 0.07),
    ((Cause.ISSUER, Code(decline="generic_decline", network="05")), 0.035),
    ((Cause.DEAD, Code(decline="do_not_honor", network="05")), 0.045),
    ((Cause.EXPIRED, Code(decline="expired_card", network="54")), 0.08),
    ((Cause.DEAD, Code(decline="invalid_account", network="14")), 0.06),
    ((Cause.STOLEN, Code(decline="lost_card", network="41")), 0.015),
    ((Cause.STOLEN, Code(decline="stolen_card", network="43")), 0.015),
    ((Cause.STOLEN, Code(decline="fraudulent", network="59")), 0.01),
    ((Cause.CUSTOMER_PRESENT, Code(decline="authentication_required", network="1A")), 0.03),
    ((Cause.LIMIT, Code(decline="card_velocity_exceeded", network="65")), 0.04),
    ((Cause.OUTAGE, Code(decline="processing_error", network="96")), 0.03),
    ((Cause.OUTAGE, Code(decline="issuer_not_available", network="91")), 0.02),
)
PAYDAYS: tuple[tuple[Pay, float], ...] = (
    (Pay.WEEKLY, 0.15),
    (Pay.BIWEEKLY, 0.35),
    (Pay.SEMI_MONTHLY, 0.20),
    (Pay.MONTHLY, 0.20),
    (Pay.NONE, 0.10),
)
# How likely the account covers the charge, by whole days since money came in; after the last it stays.
COVERED_BY_DAYS_SINCE_PAY = (0.96, 0.92, 0.84, 0.74, 0.62, 0.52, 0.44)
COVERED_LATER, COVERED_WITHOUT_PAYDAY = 0.36, 0.40
# People differ lastingly, so a second failure means more than the first: a share is short all month, or blocked for good.
SHORT_ALL_MONTH, SHORT_COVERS_TIMES = 0.50, 0.05
ISSUER_BLOCKS, ISSUER_APPROVES = 0.65, 0.35
GOOD_APPROVES, LIMIT_APPROVES, OUTAGE_OVER = 0.98, 0.45, 0.75
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday: weekdays and fortnights are counted from here


def days_since_pay(card: Card, at: datetime) -> int | None:
    """Whole days since money came in, None where it never regularly does."""
    day = (at - EPOCH).days
    match card.pay:
        case Pay.WEEKLY:
            return (day - card.pay_day) % 7
        case Pay.BIWEEKLY:
            return (day - card.pay_day) % 14
        case Pay.SEMI_MONTHLY:
            return min((at - start).days for start in _month_days(at, (1, 15)) if start <= at)
        case Pay.MONTHLY:
            return min((at - start).days for start in _month_days(at, (card.pay_day,)) if start <= at)
        case Pay.NONE:
            return None


def _month_days(at: datetime, days: tuple[int, ...]) -> list[datetime]:
    this = at.date().replace(day=1)
    months = (this, (this - timedelta(days=1)).replace(day=1))
    return [datetime.combine(month.replace(day=day), time(), UTC) for month in months for day in days]


def approves(dice: Dice, card: Card, at: datetime, *, customer_present: bool) -> bool:
    """Whether a charge at that instant goes through. A pure function of card and time: asking changes nothing.

    Time of day does not matter within a day, except for an outage, which passes within hours.
    """
    day = at.date().isoformat()
    match card.cause:
        case Cause.GOOD:
            return dice.happens(GOOD_APPROVES, card.fingerprint, "good", day)
        case Cause.FUNDS:
            return dice.happens(_covered(dice, card, at), card.fingerprint, "balance", day)
        case Cause.ISSUER:
            blocked = dice.happens(ISSUER_BLOCKS, card.fingerprint, "blocked")
            return not blocked and dice.happens(ISSUER_APPROVES, card.fingerprint, "issuer", day)
        case Cause.LIMIT:
            return dice.happens(LIMIT_APPROVES, card.fingerprint, "limit", day)
        case Cause.OUTAGE:
            return dice.happens(OUTAGE_OVER, card.fingerprint, "outage", day, at.hour // 6)
        case Cause.CUSTOMER_PRESENT:
            return customer_present
        case Cause.EXPIRED | Cause.DEAD | Cause.STOLEN:
            return False


def _covered(dice: Dice, card: Card, at: datetime) -> float:
    days = days_since_pay(card, at)
    times = SHORT_COVERS_TIMES if dice.happens(SHORT_ALL_MONTH, card.fingerprint, "short") else 1.0
    if days is None:
        return COVERED_WITHOUT_PAYDAY * times
    return times * (COVERED_BY_DAYS_SINCE_PAY[days] if days < len(COVERED_BY_DAYS_SINCE_PAY) else COVERED_LATER)
