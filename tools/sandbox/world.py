"""The simulated merchant behind the protocol of worlds: every case a person with a card, a bank and a temper of their own.

One code for backtests, tests and the sandbox process: what banks approve is ``banks.Banks``, what people do ``customers.Customers``, and
both are pure functions of who and when. Here they are put behind ``protocol.World``.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tools.sandbox.banks import Banks
from tools.sandbox.cards import GOOD_CODE
from tools.sandbox.causes import REISSUED, Card, Cause
from tools.sandbox.customers import Customers, Happening, Heard
from tools.sandbox.draws import Dice
from tools.sandbox.openings import Merchant, Opening, decline_of
from tools.sandbox.oracle import Subject, bound
from tools.sandbox.parameters import Parameters, parameters_of
from tools.sandbox.paydays import DAY, HOUR
from tools.sandbox.protocol import (
    AttemptResult,
    Channel,
    ContactKind,
    Credential,
    EventKind,
    FailedInvoice,
    OracleBound,
    WorldEvent,
)

EVENTS: dict[str, EventKind] = {
    "updater": "method_updated",
    "update": "method_updated",
    "pay_link": "paid_by_link",
    "cancel": "cancelled",
    "dispute": "disputed",
    "reply": "replied",
}
ENDS = frozenset({"paid_by_link", "cancelled", "disputed"})


@dataclass(slots=True)
class _Life:
    """One case as it goes on."""

    opening: Opening
    card: Card
    credential: Credential
    agenda: list[Happening]
    failed_at: float
    now: float
    tried: list[float]
    messages: int = 0
    last_message_at: float | None = None
    is_over: bool = False


class HomeWorld:
    """A merchant whose numbers are drawn per seed by ``draw``."""

    def __init__(self, draw: Callable[[int], Parameters] = parameters_of) -> None:
        self._draw = draw
        self._openings: dict[str, Opening] = {}
        self._lives: dict[str, _Life] = {}

    def open(self, count: int, seed: int) -> list[FailedInvoice]:
        """See ``protocol.World``."""
        self._openings, self._lives = {}, {}  # before the new ones are drawn: a large world is not held twice
        dice, parameters = Dice(seed), self._draw(seed)
        self._banks, self._customers = Banks(dice, parameters), Customers(dice, parameters)
        self._merchant = Merchant(dice, parameters, self._banks)
        openings = [self._merchant.opening(number) for number in range(count)]
        self._openings = {opening.invoice.case: opening for opening in openings}
        return [opening.invoice for opening in openings]

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
        return AttemptResult(approved=False, decline=decline_of(self._banks.says(life.card, when)))

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        """See ``protocol.World``."""
        life, when = self._at(case, at)
        invoice = life.opening.invoice
        if life.is_over or channel not in invoice.channels:
            return
        since = (when - life.last_message_at) / HOUR if life.last_message_at is not None else None
        heard = Heard(when, life.messages, (when - life.failed_at) / DAY, since, channel, kind)
        life.messages, life.last_message_at = life.messages + 1, when
        reaction = self._customers.reaction(invoice.account, life.card.cause, heard)
        if reaction is not None:
            insort(life.agenda, reaction)

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:
        """See ``protocol.World``."""
        life, when = self._at(case, until)
        events: list[WorldEvent] = []
        while life.agenda and life.agenda[0].at <= when and not life.is_over:
            events += self._play(life, life.agenda.pop(0))
        return events

    def oracle(self, case: str) -> OracleBound:
        """See ``protocol.World``."""
        opening = self._openings[case]
        invoice, failed_at = opening.invoice, opening.invoice.failed_at.timestamp()
        subject = Subject(invoice.account, opening.card, invoice.amount_minor, failed_at, (failed_at,), invoice.channels)
        return bound(subject, self._banks, self._customers)

    def _at(self, case: str, at: datetime) -> tuple[_Life, float]:
        """The case at an instant of its own: it never goes back."""
        life, when = self._lives.get(case) or self._begin(case), at.timestamp()
        if when < life.now:
            raise ValueError(f"case {case} stands at {datetime.fromtimestamp(life.now, UTC)}; {at} is before that")
        life.now = when
        return life, when

    def _begin(self, case: str) -> _Life:
        """A case takes its course when it is first asked about."""
        opening = self._openings[case]
        failed_at = opening.invoice.failed_at.timestamp()
        agenda = sorted(self._customers.of_themselves(opening.invoice.account, opening.card.cause, failed_at))
        life = _Life(opening, opening.card, opening.invoice.credential, agenda, failed_at, failed_at, [failed_at])
        self._lives[case] = life
        return life

    def _play(self, life: _Life, happening: Happening) -> list[WorldEvent]:
        kind = EVENTS[happening.turn]
        if kind == "method_updated":
            if happening.turn == "updater" and life.card.cause not in REISSUED:
                return []
            self._renew(life, happening)
        life.is_over = kind in ENDS
        at = datetime.fromtimestamp(happening.at, UTC)
        return [WorldEvent(at=at, kind=kind, credential=life.credential if kind == "method_updated" else None)]

    def _renew(self, life: _Life, happening: Happening) -> None:
        """Another card, which nobody has tried yet: of the bank's own doing under the old name, or of the customer's."""
        card = life.opening.card
        life.card = replace(card, cause=Cause.GOOD, code=GOOD_CODE, fingerprint=f"{card.fingerprint}:{happening.turn}")
        own = life.credential.id if happening.turn == "updater" else f"{life.credential.id}_new"
        life.credential, life.tried = self._merchant.credential(own, life.card, life.opening.invoice.country), []


def home() -> HomeWorld:
    """The world as it is, the factory of ``recoup backtest``."""
    return HomeWorld()
