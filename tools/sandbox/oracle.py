"""How far anybody could come with one case: by the best plan of one who knows all but the draws, and of one who knows the draws too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.sandbox.banks import Banks
from tools.sandbox.causes import Card, Cause, Pay
from tools.sandbox.customers import FITS, Customers, Heard
from tools.sandbox.paydays import DAY, HOUR
from tools.sandbox.protocol import COSTS, WINDOW, OracleBound

WINDOW_SECONDS = WINDOW.total_seconds()
# Where tries need nothing but repetition: how far apart they may be made. At the last of these no bank takes them amiss.
APART_DAYS = (0.5, 1.0, 1.7, 2.51)
BY_CHANCE_APART_DAYS = (1.0, 2.51)
OUTAGE_DAYS = (0.25, 2.8, 5.4)  # he knows when the outage ends
MESSAGE_DAYS = (0.1, 2.2, 4.3, 6.4, 8.5, 11.0, 14.0, 18.0, 23.0)
FIRST_HOUR, SURE = 1.0, 0.9
REPAIRS = frozenset({"updater", "update"})
Occasion = tuple[float, float]  # when (POSIX seconds), and how likely the money is there


@dataclass(frozen=True, slots=True)
class Chance:
    """One thing that a plan may do: when, how likely it brings the money, how likely it loses the customer, and what it costs."""

    at: float
    brings: float
    loses: float
    costs_minor: float
    is_given: bool = False


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
    """Both bounds, each a little too high: the rules of the networks do not bind them, every try finds the best hour of its day, and what a
    message or a repaired card brings comes at once."""
    others = [*_messages(subject, customers), *_given(subject, customers)]
    plans = [sorted([*tries, *others], key=lambda chance: chance.at) for tries in _tries(subject, banks)]
    net, recovered = max(_play(plan, subject.amount_minor) for plan in plans)
    cheapest = min(COSTS.attempt_minor, *(COSTS.message_minor[channel] for channel in subject.channels))
    clairvoyant = subject.amount_minor - cheapest if _can_be_had(subject, banks, customers) else 0.0
    return OracleBound(max(net, 0.0), recovered, clairvoyant)


def _play(chances: Sequence[Chance], amount_minor: int) -> tuple[float, float]:
    """What the best choice among the chances is worth, and how likely it recovers the invoice: from the last to the first, each is taken
    where it is worth more than going on without. What comes by itself cannot be declined."""
    net, recovered = 0.0, 0.0
    for chance in reversed(chances):
        goes_on = 1 - chance.brings - chance.loses
        taken = chance.brings * amount_minor - chance.costs_minor + goes_on * net
        if chance.is_given or taken > net:
            net, recovered = taken, chance.brings + goes_on * recovered
    return net, recovered


def _tries(subject: Subject, banks: Banks) -> list[list[Chance]]:
    """The series of tries that make sense to one who knows the card; there may be none in one."""
    return [_series(subject, banks, occasions) for occasions in _occasions(subject.card, banks, subject.failed_at)]


def _series(subject: Subject, banks: Banks, occasions: Sequence[Occasion]) -> list[Chance]:
    card, start = subject.card, subject.failed_at
    tried, series = list(subject.tried), list[Chance]()
    for at, means in occasions:
        if start < at <= start + WINDOW_SECONDS:
            series.append(Chance(at, means * banks.lets_through(card, at, tried), 0.0, COSTS.attempt_minor))
            tried.append(at)
    return series


def _occasions(card: Card, banks: Banks, start: float) -> list[Sequence[Occasion]]:
    """When tries make sense, in several ways, and how likely the money is there."""
    balance = banks.parameters.balance
    match card.cause:
        case Cause.FUNDS if card.pay is not Pay.NONE and not card.is_short:
            return [_paydays(card, banks, start)]
        case Cause.FUNDS:
            income = 0.0 if card.is_short else balance["irregular_per_day"] * banks.lasting(card).days
            return [_every(days, start, min(income + balance["chance_per_day"], SURE)) for days in BY_CHANCE_APART_DAYS]
        case Cause.LIMIT:
            return [_every(days, start, banks.parameters.issuer["limit_approves_share"]) for days in APART_DAYS]
        case Cause.ISSUER if not banks.lasting(card).is_blocked:
            return [_every(days, start, 1.0) for days in APART_DAYS]
        case Cause.OUTAGE:
            return [[(start + days * DAY, 1.0) for days in OUTAGE_DAYS]]
        case _:
            return [[]]


def _every(days: float, start: float, means: float) -> Sequence[Occasion]:
    return [(start + number * days * DAY, means) for number in range(1, int(WINDOW_SECONDS / DAY / days) + 1)]


def _paydays(card: Card, banks: Banks, start: float) -> Sequence[Occasion]:
    """An hour after each payday. Of the one before the failure he knows that it did not last."""
    found = dict[int, float]()
    for day in range(int(WINDOW_SECONDS / DAY) + 1):
        at = start + day * DAY
        since, payday = banks.since_pay(card, at)
        found.setdefault(payday, at - since * DAY + FIRST_HOUR * HOUR)
    return [(at, 1 - banks.parameters.balance["missed_share"]) for at in found.values()]


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
    yield Chance(subject.failed_at + middle * DAY, share, 0.0, 0.0, is_given=True)
    yield Chance(subject.failed_at + 14 * DAY, own["update_share"], own["cancel_share"] + own["dispute_share"], 0.0, is_given=True)


def _can_be_had(subject: Subject, banks: Banks, customers: Customers) -> bool:
    """Whether any charge or any message within the window would bring it, as the draws fall."""
    start, end, card = subject.failed_at, subject.failed_at + WINDOW_SECONDS, subject.card
    if any(h.turn in REPAIRS and h.at < end for h in customers.of_themselves(subject.who, card.cause, start)):
        return True
    if any(banks.approves(card, start + hours * HOUR) for hours in range(3, int(WINDOW_SECONDS / HOUR), 3)):
        return True
    kind = FITS.get(card.cause, "reminder")
    for ordinal in range(len(MESSAGE_DAYS)):
        at, since = start + ordinal * DAY, 72.0 if ordinal else None
        heard = [Heard(at, ordinal, float(ordinal), since, channel, kind) for channel in subject.channels]
        turns = {reaction.turn if reaction else None for reaction in (customers.reaction(subject.who, card.cause, h) for h in heard)}
        if turns & {"update", "pay_link"}:
            return True
        if turns == {"cancel"}:
            break
    return False
