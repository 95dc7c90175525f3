"""How far anybody could come with one case: by the best plan of one who knows all but the draws, and of one who knows the draws too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tools.sandbox.causes import DAY, HOUR, NEEDS_THE_CUSTOMER, Banks, Card, Cause, Pay, since_pay
from tools.sandbox.customers import FITS, Customers, Heard
from tools.sandbox.protocol import COSTS, WINDOW, OracleBound

WINDOW_SECONDS = WINDOW.total_seconds()
# Where tries need nothing but repetition, they are made this far apart: what every network lets pass.
TRIES_APART_DAYS = 1.5
MESSAGE_DAYS = (0.1, 3.1, 6.1, 9.1, 13.0, 18.0, 23.0)
FIRST_HOUR = 1.0


@dataclass(frozen=True, slots=True)
class Chance:
    """One thing that a plan may do: when, how likely it brings the money, how likely it loses the customer, and what it costs."""

    at: float
    brings: float
    loses: float
    costs_minor: float


@dataclass(frozen=True)
class Subject:
    """The case that is asked about: everything, hidden and known."""

    who: str
    card: Card
    amount_minor: int
    failed_at: float
    tried: tuple[float, ...]
    channels: tuple[str, ...]


def bound(subject: Subject, banks: Banks, customers: Customers) -> OracleBound:
    """Both bounds, each a little too high: the rules of the networks do not bind them, and what a repaired card brings comes at once."""
    chances = sorted((*_tries(subject, banks), *_messages(subject, customers), *_given(subject, customers)), key=lambda c: c.at)
    kept = _worth_it(chances, subject.amount_minor)
    net, recovered = _play(kept, subject.amount_minor)
    clairvoyant = max(0.0, subject.amount_minor - COSTS.attempt_minor) if _can_be_had(subject, banks, customers) else 0.0
    return OracleBound(max(net, 0.0), recovered, max(clairvoyant, net if clairvoyant else 0.0))


def _play(chances: Iterable[Chance], amount_minor: int) -> tuple[float, float]:
    """What a plan is worth, and how likely it recovers the invoice."""
    alive, net, recovered = 1.0, 0.0, 0.0
    for chance in chances:
        net += alive * (chance.brings * amount_minor - chance.costs_minor)
        recovered += alive * chance.brings
        alive *= 1 - chance.brings - chance.loses
    return net, recovered


def _worth_it(chances: list[Chance], amount_minor: int) -> list[Chance]:
    """Leaves out what lowers the value of the whole, the least worthy first."""
    kept, value = list(chances), _play(chances, amount_minor)[0]
    for chance in sorted(chances, key=lambda c: c.brings):
        without = [other for other in kept if other is not chance]
        less = _play(without, amount_minor)[0]
        if chance.costs_minor and less > value:
            kept, value = without, less
    return kept


def _tries(subject: Subject, banks: Banks) -> Iterator[Chance]:
    card, cost, start = subject.card, COSTS.attempt_minor, subject.failed_at
    end, lasting = start + WINDOW_SECONDS, banks.lasting(subject.card)
    tried = list(subject.tried)
    for at, means in _occasions(subject, banks):
        if start < at <= end:
            best = (
                max((at + hour * HOUR for hour in range(0, 24, 4)), key=lambda t: banks.kept_by_bank(card, t, tried)) if means < 0.5 else at
            )
            yield Chance(
                best,
                means * (0 if lasting.is_blocked and card.cause is Cause.ISSUER else 1) * banks.kept_by_bank(card, best, tried),
                0.0,
                cost,
            )
            tried.append(best)


def _occasions(subject: Subject, banks: Banks) -> Iterator[tuple[float, float]]:
    """When a try makes sense to one who knows the card, and how likely the money is there."""
    card, numbers, start = subject.card, banks.parameters, subject.failed_at
    days = range(int(WINDOW_SECONDS / DAY))
    match card.cause:
        case Cause.FUNDS if card.pay is not Pay.NONE and not card.is_short:
            seen: set[int] = set()
            for day in days:
                at = start + day * DAY
                since, cycle = since_pay(card, at, numbers.balance["hour_local"])
                if cycle not in seen:
                    seen.add(cycle)
                    # Of the payday before the failure he knows that it did not last.
                    yield at - since * DAY + FIRST_HOUR * HOUR, 1 - numbers.balance["missed_share"]
        case Cause.FUNDS:
            irregular = 0.0 if card.is_short else numbers.balance["irregular_per_day"] * banks.lasting(card).days
            for day in days[1::2]:
                yield start + day * DAY, min(irregular + numbers.balance["chance_per_day"], 0.9)
        case Cause.LIMIT:
            for day in days[1:]:
                yield start + day * DAY, numbers.issuer["limit_approves_share"]
        case Cause.ISSUER:
            for number in range(1, 9):
                yield start + number * TRIES_APART_DAYS * DAY, 1.0
        case Cause.OUTAGE:
            yield from ((start + hours * HOUR, 1.0 if hours > 47 else 0.5) for hours in (6, 12, 48, 72))
        case _:
            return


def _messages(subject: Subject, customers: Customers) -> Iterator[Chance]:
    kind = FITS.get(subject.card.cause, "reminder")
    for ordinal, day in enumerate(MESSAGE_DAYS):
        best: Chance | None = None
        for channel in subject.channels:
            heard = Heard(subject.failed_at + day * DAY, ordinal, day, 72.0 if ordinal else None, channel, kind)
            brings, loses = customers.moved(subject.who, subject.card.cause, heard), customers.annoyed(subject.who, heard)
            if best is None or brings - loses > best.brings - best.loses:
                best = Chance(heard.at, brings, loses, COSTS.message_minor[channel])
        if best is not None:
            yield best


def _given(subject: Subject, customers: Customers) -> Iterator[Chance]:
    """What comes without anybody's doing; who knows the parameters knows how likely, not for whom."""
    own, updater = customers.parameters.by_themselves, customers.parameters.updater
    share = {Cause.EXPIRED: updater["expired_share"], Cause.STOLEN: updater["reissued_share"]}.get(subject.card.cause, 0.0)
    middle = sum(updater["days"]) / 2
    yield Chance(subject.failed_at + middle * DAY, share, 0.0, 0.0)
    yield Chance(subject.failed_at + 14 * DAY, own["update_share"], own["cancel_share"] + own["dispute_share"], 0.0)


def _can_be_had(subject: Subject, banks: Banks, customers: Customers) -> bool:
    """Whether any charge or any message within the window would bring it, as the draws fall."""
    start, end = subject.failed_at, subject.failed_at + WINDOW_SECONDS
    happenings = list(customers.of_themselves(subject.who, subject.card.cause, start))
    if any(h.turn in {"updater", "update"} and h.at < end for h in happenings):
        return True
    kind = FITS.get(subject.card.cause, "reminder")
    for ordinal in range(len(MESSAGE_DAYS)):
        heard = Heard(start + ordinal * DAY, ordinal, float(ordinal), 72.0 if ordinal else None, "email", kind)
        reaction = customers.reaction(subject.who, subject.card.cause, heard)
        if reaction and reaction.turn in {"update", "pay_link"}:
            return True
        if reaction and reaction.turn == "cancel":
            break
    if subject.card.cause in NEEDS_THE_CUSTOMER:
        return False
    return any(banks.approves(subject.card, start + hours * HOUR) for hours in range(3, int(WINDOW_SECONDS / HOUR), 3))
