"""What people do, by themselves or when something reaches them: pure functions of person and occasion."""

from datetime import datetime, timedelta
from enum import StrEnum

from recoup.record import Record
from tools.sandbox.causes import Cause
from tools.sandbox.draws import Dice
from tools.sandbox.population import Bill, Person, Role, on_grid


class Doing(StrEnum):
    """Everything that can happen in the world besides Recoup's own actions."""

    FIRST_CHARGE = "first_charge"
    PLATFORM_RETRY = "platform_retry"
    SETTLE = "settle"
    RETURN_DEBIT = "return_debit"
    REPLACE_CARD = "replace_card"
    UPDATE_METHOD = "update_method"
    PAY_LINK = "pay_link"
    PAY_PART = "pay_part"
    CANCEL_NOW = "cancel_now"
    CANCEL_AT_PERIOD_END = "cancel_at_period_end"
    PERIOD_ENDS = "period_ends"
    OPT_OUT = "opt_out"
    DISPUTE = "dispute"
    CLOSE_DISPUTE = "close_dispute"


class Move(Record):
    """Something that will happen, and when."""

    doing: Doing
    at: datetime


# The platform's own ladder, which a share of the subscriptions has switched on.
PLATFORM_RETRY_DAYS, PLATFORM_RETRIES = (2.0, 5.0), 0.3
SETTLEMENT_DAYS, RETURN_AFTER_DAYS = 4, 3
UPDATER_FIXES, UPDATER_DAYS = 0.3, (1, 6)  # without a message; the rest of what updates mend comes by the customer's own hand
UPDATES_BY_THEMSELVES, CANCELS_BY_THEMSELVES = 0.04, 0.03
# Reaction to the n-th message (mails of day 0, 3, 7, 15, 20, 30).
REACTS_TO_MESSAGE = (0.08, 0.07, 0.07, 0.04, 0.03, 0.03)
NEEDS_THE_CUSTOMER = frozenset({Cause.EXPIRED, Cause.DEAD, Cause.STOLEN, Cause.CUSTOMER_PRESENT})
NEEDED_REACTS_TIMES = 1.6
REACTIONS = ((Doing.UPDATE_METHOD, 0.55), (Doing.PAY_LINK, 0.38), (Doing.CANCEL_AT_PERIOD_END, 0.04), (Doing.OPT_OUT, 0.03))
PAYS_WHEN_SUSPENDED = 0.25


def moves_after_failure(dice: Dice, person: Person, bill: Bill, at: datetime) -> list[Move]:
    """What the first failure of a bill sets going without anybody writing."""
    ladder = PLATFORM_RETRY_DAYS if dice.happens(PLATFORM_RETRIES, bill.id, "ladder") else ()
    moves = [Move(doing=Doing.PLATFORM_RETRY, at=on_grid(at + timedelta(days=days))) for days in ladder]
    if person.method.card.cause is Cause.EXPIRED and dice.happens(UPDATER_FIXES, person.id, "updater"):
        moves.append(Move(doing=Doing.REPLACE_CARD, at=_days_later(dice, at, *UPDATER_DAYS, person.id, "updater day")))
    if dice.happens(UPDATES_BY_THEMSELVES, bill.id, "updates"):
        moves.append(Move(doing=Doing.UPDATE_METHOD, at=_days_later(dice, at, 1, 12, bill.id, "updates day")))
    own = _turn(dice, person, bill, at)
    if own is None and dice.happens(CANCELS_BY_THEMSELVES, bill.id, "cancels"):
        own = Move(doing=Doing.CANCEL_NOW, at=_days_later(dice, at, 2, 15, bill.id, "cancels day"))
    return [*moves, own] if own else moves


def _turn(dice: Dice, person: Person, bill: Bill, at: datetime) -> Move | None:
    match person.role:
        case Role.CANCELS_NOW:
            return Move(doing=Doing.CANCEL_NOW, at=_days_later(dice, at, 1, 6, bill.id, "turn"))
        case Role.CANCELS_AT_PERIOD_END:
            return Move(doing=Doing.CANCEL_AT_PERIOD_END, at=_days_later(dice, at, 1, 6, bill.id, "turn"))
        case Role.PAYS_PART:
            return Move(doing=Doing.PAY_PART, at=_days_later(dice, at, 1, 3, bill.id, "turn"))
        case Role.DISPUTES:
            return Move(doing=Doing.PAY_LINK, at=_days_later(dice, at, 1, 2, bill.id, "turn"))
        case Role.OPTS_OUT:
            return Move(doing=Doing.OPT_OUT, at=_days_later(dice, at, 1, 2, bill.id, "turn"))
        case _:
            return None


def moves_after_payment(dice: Dice, person: Person, bill: Bill, at: datetime, *, by_customer: bool, is_part: bool) -> list[Move]:
    """What a payment sets going. The second payment of PAYS_TWICE left the customer's hands before the first could be known."""
    if person.role is Role.PAYS_TWICE and not by_customer:
        return [Move(doing=Doing.PAY_LINK, at=on_grid(at + timedelta(minutes=1)))]
    if person.role is Role.RETURNS_DEBIT and person.method.rail == "ach" and not by_customer:
        return [Move(doing=Doing.RETURN_DEBIT, at=on_grid(at + timedelta(days=RETURN_AFTER_DAYS)))]
    disputes = person.role is Role.DISPUTES and by_customer
    if disputes or (person.role is Role.PAYS_PART and is_part and dice.happens(0.5, bill.id, "disputes part")):
        opened = _days_later(dice, at, 3, 6, bill.id, "dispute")
        return [Move(doing=Doing.DISPUTE, at=opened), Move(doing=Doing.CLOSE_DISPUTE, at=on_grid(opened + timedelta(days=8)))]
    return []


def move_after_message(dice: Dice, person: Person, cause: Cause, ordinal: int, at: datetime) -> Move | None:
    """Whether the ``ordinal``-th message (from 0) to this person moves them, and to what."""
    share = REACTS_TO_MESSAGE[min(ordinal, len(REACTS_TO_MESSAGE) - 1)]
    share *= NEEDED_REACTS_TIMES if cause in NEEDS_THE_CUSTOMER else 1.0
    if not dice.happens(share, person.id, "reacts", ordinal):
        return None
    doing = dice.choose(REACTIONS, person.id, "reaction", ordinal)
    hours = dice.whole(1, 48, person.id, "reaction hours", ordinal)
    return Move(doing=doing, at=on_grid(at + timedelta(hours=hours)))


def move_after_suspension(dice: Dice, bill: Bill, at: datetime) -> Move | None:
    """Some pay once the service stops."""
    if not dice.happens(PAYS_WHEN_SUSPENDED, bill.id, "suspended"):
        return None
    return Move(doing=Doing.PAY_LINK, at=on_grid(at + timedelta(hours=dice.whole(3, 72, bill.id, "suspended hours"))))


def _days_later(dice: Dice, at: datetime, low: int, high: int, *about: object) -> datetime:
    return on_grid(at + timedelta(hours=dice.whole(low * 24, high * 24, *about)))
