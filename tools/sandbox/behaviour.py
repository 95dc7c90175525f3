"""What people do, by themselves or when something reaches them: pure functions of person and occasion."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from recoup.record import Record
from tools.sandbox.causes import Cause
from tools.sandbox.customers import Customers, Happening, Heard, Turn
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
# What a turn that somebody takes is on a platform. Answers in words come to mailboxes, and a platform has none.
DOINGS: dict[Turn, Doing] = {
    "updater": Doing.REPLACE_CARD,
    "update": Doing.UPDATE_METHOD,
    "pay_link": Doing.PAY_LINK,
    "cancel": Doing.CANCEL_NOW,
    "dispute": Doing.DISPUTE,
}
# Whom a message annoys too much; a platform tells apart what is one thing in a world.
LEAVES = ((Doing.CANCEL_NOW, 0.4), (Doing.CANCEL_AT_PERIOD_END, 0.3), (Doing.OPT_OUT, 0.3))
PAYS_WHEN_SUSPENDED = 0.25


def moves_after_failure(customers: Customers, person: Person, bill: Bill, at: datetime) -> list[Move]:
    """What the first failure of a bill sets going without anybody writing. Whose story has a turn of its own neither leaves nor disputes
    by chance."""
    dice = customers.dice
    ladder = PLATFORM_RETRY_DAYS if dice.happens(PLATFORM_RETRIES, bill.id, "ladder") else ()
    moves = [Move(doing=Doing.PLATFORM_RETRY, at=on_grid(at + timedelta(days=days))) for days in ladder]
    own = _turn(dice, person, bill, at)
    happenings = customers.of_themselves(person.id, person.method.card.cause, at.timestamp())
    moves += [_move(h, DOINGS[h.turn]) for h in happenings if own is None or h.turn in {"updater", "update"}]
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


def move_after_message(customers: Customers, person: Person, cause: Cause, heard: Heard) -> Move | None:
    """Whether a message to this person moves them, and to what."""
    reaction = customers.reaction(person.id, cause, heard)
    if reaction is None or reaction.turn == "reply":
        return None
    is_leaving = reaction.turn == "cancel"
    return _move(reaction, customers.dice.choose(LEAVES, person.id, "leaves", heard.ordinal) if is_leaving else DOINGS[reaction.turn])


def move_after_suspension(dice: Dice, bill: Bill, at: datetime) -> Move | None:
    """Some pay once the service stops."""
    if not dice.happens(PAYS_WHEN_SUSPENDED, bill.id, "suspended"):
        return None
    return Move(doing=Doing.PAY_LINK, at=on_grid(at + timedelta(hours=dice.whole(3, 72, bill.id, "suspended hours"))))


def _move(happening: Happening, doing: Doing) -> Move:
    return Move(doing=doing, at=on_grid(datetime.fromtimestamp(happening.at, UTC)))


def _days_later(dice: Dice, at: datetime, low: int, high: int, *about: object) -> datetime:
    return on_grid(at + timedelta(hours=dice.whole(low * 24, high * 24, *about)))
