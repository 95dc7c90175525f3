"""The simulated merchant behind the protocol of worlds: every case a person with a card, a bank and a temper of their own.

One code for backtests, tests and the sandbox process: what banks approve is ``causes.Banks``, what people do is ``customers.Customers``, and
both are pure functions of who and when. Here they are put behind ``protocol.World``.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import log
from zoneinfo import ZoneInfo

from tools.sandbox.causes import DAY, EPOCH_SECONDS, FIRST_DECLINES, HOUR, Banks, Card, Cause, Code, Pay
from tools.sandbox.customers import Customers, Happening, Heard
from tools.sandbox.draws import Dice
from tools.sandbox.oracle import Subject, bound
from tools.sandbox.parameters import Parameters, parameters_of
from tools.sandbox.people import BRANDS, CURRENCY, FUNDINGS, GOOD_CODE, PLACES, PRICES_MAJOR, SEGMENTS, TIERS, Place
from tools.sandbox.protocol import (
    AttemptResult,
    Channel,
    ContactKind,
    Credential,
    Decline,
    EventKind,
    FailedInvoice,
    OracleBound,
    PastAttempt,
    WorldEvent,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
SPREAD_DAYS = 60
SECOND_INVOICE_SHARE = 0.08
TENURE_MONTHS_MEAN, MOST_MONTHS = 14.0, 9
LEGACY_RETRY_DAYS = (1, 3, 5, 7)  # what the merchant did before
TRIES_TO_FAIL = 12
EVENTS: dict[str, EventKind] = {
    "updater": "method_updated",
    "update": "method_updated",
    "pay_link": "paid_by_link",
    "cancel": "cancelled",
    "dispute": "disputed",
    "reply": "replied",
}


@dataclass(frozen=True, slots=True)
class _Owner:
    """One customer, hidden and known."""

    name: str
    place: Place
    card: Card
    tier: str
    amount_minor: int
    channels: tuple[Channel, ...]
    since: float


@dataclass(slots=True)
class _Life:
    """One case as it goes on."""

    invoice: FailedInvoice
    owner: _Owner
    failed_at: float
    card: Card
    credential: Credential
    agenda: list[tuple[float, str]]
    now: float
    tried: list[float] = field(default_factory=list[float])
    messages: int = 0
    last_message_at: float | None = None
    is_over: bool = False


class HomeWorld:
    """A merchant whose numbers are drawn per seed by ``draw``."""

    def __init__(self, draw: Callable[[int], Parameters] = parameters_of) -> None:
        self._draw = draw
        self._lives: dict[str, _Life] = {}

    def open(self, count: int, seed: int) -> list[FailedInvoice]:
        """See ``protocol.World``."""
        self._dice, parameters = Dice(seed), self._draw(seed)
        self._banks, self._customers = Banks(self._dice, parameters), Customers(self._dice, parameters)
        self._lives = {}
        for number in range(count):
            life = self._begin(number)
            self._lives[life.invoice.case] = life
        return [life.invoice for life in self._lives.values()]

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:
        """See ``protocol.World``."""
        life, when = self._at(case, at)
        if life.is_over:
            raise ValueError(f"case {case} is over")
        if credential != life.credential.id:
            raise ValueError(f"case {case} has no credential {credential} on file")
        approved = self._banks.approves(life.card, when, life.tried)
        life.tried.append(when)
        if approved:
            life.is_over = True
            return AttemptResult(approved=True)
        return AttemptResult(approved=False, decline=_decline(self._banks.says(life.card, when)))

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        """See ``protocol.World``."""
        life, when = self._at(case, at)
        if life.is_over or channel not in life.invoice.channels:
            return
        since = (when - life.last_message_at) / HOUR if life.last_message_at is not None else None
        heard = Heard(when, life.messages, (when - life.failed_at) / DAY, since, channel, kind)
        life.messages, life.last_message_at = life.messages + 1, when
        reaction = self._customers.reaction(life.owner.name, life.card.cause, heard)
        if reaction is not None:
            insort(life.agenda, (reaction.at, reaction.turn))

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:
        """See ``protocol.World``."""
        life, when = self._at(case, until)
        events: list[WorldEvent] = []
        while life.agenda and life.agenda[0][0] <= when and not life.is_over:
            events += self._play(life, Happening(*life.agenda.pop(0)))  # type: ignore[arg-type]
        return events

    def oracle(self, case: str) -> OracleBound:
        """See ``protocol.World``."""
        life = self._lives[case]
        tried = (life.failed_at,)
        subject = Subject(life.owner.name, life.owner.card, life.invoice.amount_minor, life.failed_at, tried, life.invoice.channels)
        return bound(subject, self._banks, self._customers)

    def _at(self, case: str, at: datetime) -> tuple[_Life, float]:
        life, when = self._lives[case], at.timestamp()
        if when < life.now:
            raise ValueError(f"case {case} stands at {datetime.fromtimestamp(life.now, UTC)}; {at} is before that")
        life.now = when
        return life, when

    def _play(self, life: _Life, happening: Happening) -> list[WorldEvent]:
        kind = EVENTS[happening.turn]
        if kind == "method_updated":
            if happening.turn == "updater" and life.card.cause not in {Cause.EXPIRED, Cause.STOLEN}:
                return []
            fingerprint = f"{life.owner.card.fingerprint}:{happening.turn}"
            life.card = life.card.model_copy(update={"cause": Cause.GOOD, "code": GOOD_CODE, "fingerprint": fingerprint})
            own = life.credential.id if happening.turn == "updater" else f"{life.credential.id}_new"
            life.credential, life.tried = self._credential(own, life.card, life.owner.place), []
        life.is_over = kind in {"paid_by_link", "cancelled", "disputed"}
        at = datetime.fromtimestamp(happening.at, UTC)
        return [WorldEvent(at=at, kind=kind, credential=life.credential if kind == "method_updated" else None)]

    def _begin(self, number: int) -> _Life:
        name = f"acct_{self._owner_number(number):06d}"
        owner, failed_at = self._owner_failing(name, number)
        case = f"case_{number:06d}"
        credential = self._credential(f"pm_{name}", owner.card, owner.place)
        invoice = FailedInvoice(
            case=case,
            account=name,
            amount_minor=owner.amount_minor,
            currency=CURRENCY,
            failed_at=datetime.fromtimestamp(failed_at, UTC),
            decline=_decline(self._banks.says(owner.card, failed_at)),
            credential=credential,
            channels=owner.channels,
            country=owner.place.country,
            timezone=owner.place.timezone,
            locale=owner.place.locale,
            segment=self._dice.choose(SEGMENTS, name, "segment"),
            plan_tier=owner.tier,
            customer_since=datetime.fromtimestamp(owner.since, UTC),
            history=tuple(self._past(owner, credential.id, failed_at)),
        )
        agenda = sorted((h.at, str(h.turn)) for h in self._customers.of_themselves(name, owner.card.cause, failed_at))
        return _Life(invoice, owner, failed_at, owner.card, credential, agenda, failed_at, [failed_at])

    def _owner_number(self, number: int) -> int:
        """Some accounts have two invoices, one after the other."""

        def follows(n: int) -> bool:
            return n > 0 and self._dice.happens(SECOND_INVOICE_SHARE, "second invoice", n)

        return number - 1 if follows(number) and not follows(number - 1) else number

    def _owner_failing(self, name: str, number: int) -> tuple[_Owner, float]:
        """A customer whose charge fails by the nature of the card, and when. A charge that would go through is drawn again."""
        dice = self._dice
        cause, code = FIRST_DECLINES[dice.choose(tuple(self._banks.parameters.causes.items()), name, "cause")]
        place = dice.choose(PLACES, name, "place")
        tier = dice.choose(TIERS, name, "tier")
        card = Card(
            fingerprint=f"fp_{dice.seed}_{name}",
            cause=cause,
            code=code,
            pay=Pay(dice.choose(tuple(self._banks.parameters.pay.items()), name, "pay")),
            pay_day=dice.whole(1, 28, name, "pay day"),
            offset_hours=_offset_hours(place.timezone),
            is_short=dice.happens(self._banks.parameters.balance["short_share"], name, "short"),
        )
        consents = dice.happens(self._banks.parameters.messages["sms_consent_share"], name, "sms")
        failed_at = self._failing_at(card, name, number)
        tenure = min(-log(1 - dice.draw(name, "tenure")) * TENURE_MONTHS_MEAN + 1, 72.0)
        owner = _Owner(
            name=name,
            place=place,
            card=card,
            tier=tier,
            amount_minor=dice.choose(PRICES_MAJOR[tier], name, "price") * 100,
            channels=("email", "sms") if consents else ("email",),
            since=float(int(failed_at - tenure * 30.4 * DAY)),
        )
        return owner, failed_at

    def _failing_at(self, card: Card, name: str, number: int) -> float:
        dice, hour = self._dice, self._dice.whole(0, 86_399, name, "hour") / HOUR
        at = START.timestamp()
        for again in range(TRIES_TO_FAIL):
            day = dice.whole(0, SPREAD_DAYS - 1, name, number, "day", again)
            at = START.timestamp() + day * DAY + hour * HOUR
            if card.cause is Cause.OUTAGE:
                begun = self._banks.outage(self._banks.lasting(card).issuer, int((at - EPOCH_SECONDS) // (2 * DAY)))
                if begun is not None:
                    return float(int(begun[0] + dice.draw(name, number, "into the outage") * (begun[1] - begun[0])))
            elif not self._banks.approves(card, at):
                break
        return at

    def _past(self, owner: _Owner, credential: str, failed_at: float) -> list[PastAttempt]:
        """A charge a month, and what the merchant did when it failed. Whatever else is wrong with the card began after them."""
        past = list[PastAttempt]()
        before: dict[str, object] = {"is_short": False} if owner.card.cause is Cause.FUNDS else {"cause": Cause.GOOD, "code": GOOD_CODE}
        card = owner.card.model_copy(update=before)
        months = int(min((failed_at - owner.since) / (30.4 * DAY), MOST_MONTHS))
        for back in range(months, 0, -1):
            first, tried = _months_before(failed_at, back), list[float]()
            for day in (0, *LEGACY_RETRY_DAYS):
                at = first + day * DAY
                if at > failed_at - DAY:
                    break
                approved = self._banks.approves(card, at, tried)
                tried.append(at)
                decline = None if approved else _decline(self._banks.says(card, at))
                when = datetime.fromtimestamp(at, UTC)
                past.append(PastAttempt(when, f"{owner.name}_{back:02d}", owner.amount_minor, credential, decline))
                if approved:
                    break
        return past

    def _credential(self, name: str, card: Card, place: Place) -> Credential:
        dice = self._dice
        is_expired = card.cause is Cause.EXPIRED
        year, month = dice.whole(27, 31, card.fingerprint, "year"), dice.whole(1, 12, card.fingerprint, "month")
        return Credential(
            id=name,
            brand=dice.choose(BRANDS, card.fingerprint, "brand"),
            funding=dice.choose(FUNDINGS, card.fingerprint, "funding"),
            country=place.country,
            issuer=self._banks.lasting(card).issuer,
            expires="2025-12" if is_expired else f"20{year}-{month:02d}",
        )


def home() -> HomeWorld:
    """The world as it is, the factory of ``recoup backtest``."""
    return HomeWorld()


def _decline(code: Code) -> Decline:
    return Decline(code=code.decline, processor="sandbox", network_code=code.network, advice=code.advice)


def _months_before(at: float, months: int) -> float:
    """The same hour, so many calendar months earlier; the 31st of a shorter month is its last day."""
    when = datetime.fromtimestamp(at, UTC)
    year, month = divmod(when.year * 12 + when.month - 1 - months, 12)
    for day in range(when.day, 0, -1):
        try:
            return when.replace(year=year, month=month + 1, day=day).timestamp()
        except ValueError:
            continue
    return at


@lru_cache(maxsize=64)
def _offset_hours(zone: str) -> float:
    return (START.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()).total_seconds() / HOUR
