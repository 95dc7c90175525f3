"""A tiny world whose every turn a test writes down, and policies that do what they are told: what the rollout makes of both can be counted.

Every case fails at noon of Wednesday, March 11, 2026, 49.00 on a Visa card, declined for funds, unless a test says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from evals.backtest.outcome import CaseOutcome
from evals.backtest.rollout import Move, Policy, Seen, play
from tools.sandbox.protocol import (
    AttemptResult,
    Channel,
    ContactKind,
    Credential,
    Decline,
    EventKind,
    FailedInvoice,
    OracleBound,
    WorldEvent,
)

FAILED_AT = datetime(2026, 3, 11, 12, tzinfo=UTC)
FUNDS, STOLEN, EXPIRED = Decline("insufficient_funds"), Decline("stolen_card"), Decline("expired_card")
AWAY = Decline("issuer_not_available", network_code="91")
CARD = Credential("card", brand="visa", funding="debit", country="US", issuer="bank", expires="2029-01")
NEW_CARD = Credential("new", brand="visa", funding="debit", country="US", issuer="bank", expires="2031-01")


def day(number: float) -> datetime:
    """So many days after the failure."""
    return FAILED_AT + timedelta(days=number)


def failed_invoice(case: str = "case", **changes: Any) -> FailedInvoice:
    """One whose first charge was declined."""
    values: dict[str, Any] = {
        "case": case,
        "account": f"account of {case}",
        "amount_minor": 4900,
        "currency": "USD",
        "failed_at": FAILED_AT,
        "decline": FUNDS,
        "credential": CARD,
        "country": "US",
        "timezone": "UTC",
    }
    return FailedInvoice(**(values | changes))


@dataclass
class Script:
    """``pays``: from which day to which a charge goes through, of the old card and of the new one alike. ``events``: by day. ``answers``:
    the events that messages bring, one each, so many days after. ``declines``: what charges are told, the last of them for ever."""

    pays: tuple[float, float] = (999.0, 999.0)
    events: Sequence[tuple[float, EventKind]] = ()
    answers: Sequence[tuple[float, EventKind]] = ()
    declines: Sequence[Decline] = (FUNDS,)
    invoice: FailedInvoice = field(default_factory=failed_invoice)


class ScriptedWorld:
    """One script for each case. ``done``: what was done to them, in order: the day, the deed, and on what."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = scripts or (Script(),)
        self.done: list[tuple[float, str, str]] = []

    def open(self, count: int, seed: int) -> list[FailedInvoice]:
        """As many cases as are asked for, the scripts taking turns."""
        self._of = {f"case{number}": self.scripts[number % len(self.scripts)] for number in range(count)}
        self._pending = {case: [self._event(at, kind) for at, kind in script.events] for case, script in self._of.items()}
        self._answers = {case: list(script.answers) for case, script in self._of.items()}
        self._declines = {case: list(script.declines) for case, script in self._of.items()}
        self.done = []
        invoices = [(case, script.invoice) for case, script in self._of.items()]
        return [replace(invoice, case=case, account=f"account of {case} {seed}") for case, invoice in invoices]

    def attempt(self, case: str, at: datetime, credential: str) -> AttemptResult:
        """Goes through on the days of the script."""
        self.done.append((self._day(at), "attempt", credential))
        begins, ends = self._of[case].pays
        if begins <= self._day(at) <= ends:
            return AttemptResult(approved=True)
        declines = self._declines[case]
        return AttemptResult(approved=False, decline=declines.pop(0) if len(declines) > 1 else declines[0])

    def contact(self, case: str, at: datetime, channel: Channel, kind: ContactKind) -> None:
        """Brings the next answer."""
        self.done.append((self._day(at), channel, kind))
        if self._answers[case]:
            after, event = self._answers[case].pop(0)
            self._pending[case].append(self._event(self._day(at) + after, event))

    def advance(self, case: str, until: datetime) -> list[WorldEvent]:
        """What was due by then."""
        due = sorted((event for event in self._pending[case] if event.at <= until), key=lambda event: event.at)
        self._pending[case] = [event for event in self._pending[case] if event.at > until]
        return due

    def oracle(self, case: str) -> OracleBound:
        """Whoever has read the script charges once."""
        pays = self._of[case].pays[0] <= 28
        return OracleBound(4890.0 if pays else 0.0, 1.0 if pays else 0.0, 4890.0 if pays else 0.0)

    def _event(self, at: float, kind: EventKind) -> WorldEvent:
        return WorldEvent(day(at), kind, NEW_CARD if kind == "method_updated" else None)

    def _day(self, at: datetime) -> float:
        return round((at - FAILED_AT).total_seconds() / 86_400, 4)


@dataclass
class Told:
    """A policy that makes its moves one after the other, and keeps what it saw whenever it was asked."""

    moves: list[Move]
    name: str = "told"
    saw: list[Seen] = field(default_factory=list[Seen])

    def next(self, seen: Seen) -> Move | None:
        """The first move that has not been made."""
        self.saw.append(replace(seen, tried=list(seen.tried), sent=list(seen.sent)))
        made = len(seen.tried) + len(seen.sent)
        return self.moves[made] if made < len(self.moves) else None


def charge(at: float, **told: Any) -> Move:
    """A charge on that day."""
    return Move(day(at), "attempt", **told)


def message(at: float, **told: Any) -> Move:
    """A message on that day."""
    return Move(day(at), "message", **told)


def played_by(policy: Policy, script: Script | None = None) -> tuple[CaseOutcome, ScriptedWorld]:
    """One case of one script under a policy, and what was done to it."""
    world = ScriptedWorld(script or Script())
    [invoice] = world.open(1, 1)
    return play(world, invoice, policy, seed=1), world


def two_kinds() -> ScriptedWorld:
    """A factory for backtests by name: half of the customers can pay from the sixth day on, the others never."""
    return ScriptedWorld(Script(pays=(5.5, 60.0)), Script())
