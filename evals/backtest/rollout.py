"""Plays one policy on one case of a world: the rules are asked before every charge, news are heard, and all is written down."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from evals.backtest.outcome import CaseOutcome, Deed, Ending
from evals.backtest.standing import Standing
from recoup.category import Category
from recoup.network import Denied, NotBefore
from tools.sandbox.protocol import COSTS, Channel, ContactKind, Credential, Decline, FailedInvoice, World

# What nobody waits for is noticed this often: by a webhook, in the product, at once.
NOTICED_EVERY = timedelta(hours=6)
PLAYED = timedelta(days=60)
NO_MORE = 400  # deeds on one case: a policy that does more has lost its way


@dataclass(frozen=True, slots=True)
class Move:
    """What a policy does next, at ``at`` or as soon after as the rules allow, unless something happens before. ``expected``: how likely it
    holds a charge to be approved."""

    at: datetime
    kind: Literal["attempt", "message"]
    channel: Channel = "email"
    about: ContactKind = "reminder"
    expected: float | None = None


@dataclass(slots=True)
class Tried:
    """A charge that was made, and what it was answered: None is yes."""

    at: datetime
    decline: Decline | None


@dataclass(slots=True)
class Sent:
    """A message that was sent."""

    at: datetime
    channel: Channel


@dataclass(slots=True)
class Seen:
    """All that a policy sees of a case: what was shown of it, its own deeds and what came of them, and the news.

    ``barred``: the rules allow no charge of the method on file any more, at no time. ``category``: what the newest decline meant.
    """

    invoice: FailedInvoice
    now: datetime
    credential: Credential
    category: Category
    standing: Standing
    tried: list[Tried] = field(default_factory=list[Tried])
    sent: list[Sent] = field(default_factory=list[Sent])
    updated_at: datetime | None = None
    replied_at: datetime | None = None
    barred: bool = False

    @property
    def is_fresh(self) -> bool:
        """Whether the method on file has not been tried yet. What is told at an instant came before what is done at it."""
        return self.updated_at is not None and (not self.tried or self.tried[-1].at < self.updated_at)


class Policy(Protocol):
    """Decides what comes next on one case after another; it keeps nothing from one to the next."""

    @property
    def name(self) -> str:
        """As it is called in the result."""
        ...

    def next(self, seen: Seen) -> Move | None:
        """What to do next, not before ``seen.now``; None where nothing is left to do, until news come."""
        ...


def play(world: World, invoice: FailedInvoice, policy: Policy, *, seed: int) -> CaseOutcome:
    """The case from its failure to its end, or to the last day that is listened to."""
    return _Game(world, invoice, policy, seed).play()


class _Game:
    def __init__(self, world: World, invoice: FailedInvoice, policy: Policy, seed: int) -> None:
        self.world, self.policy, self.seed = world, policy, seed
        standing = Standing(invoice)
        self.seen = Seen(invoice, invoice.failed_at, invoice.credential, standing.category, standing)
        self.first_category = standing.category
        self.deeds: list[Deed] = []
        self.costs = 0.0
        self.end = invoice.failed_at + PLAYED

    def play(self) -> CaseOutcome:
        for _ in range(NO_MORE):
            move = self._allowed(self.policy.next(self.seen))
            ending = self._wait_until(min(move.at, self.end) if move else self.end)
            if ending == "news":
                continue
            if ending or move is None or move.at > self.end:
                return self._outcome(ending or "open")
            if move.kind == "message":
                self._write(move)
            elif self._charge(move):
                return self._outcome("recovered", by_retry=True)
        raise RuntimeError(f"policy {self.policy.name} did {NO_MORE} things on case {self.seen.invoice.case}")

    def _allowed(self, move: Move | None) -> Move | None:
        """The move at the first time at which the rules allow it; a charge that they never allow is asked for no more."""
        while move is not None and move.kind == "attempt":
            at = max(move.at, self.seen.now)
            answer = self.seen.standing.permit(at)
            if isinstance(answer, NotBefore):
                at = answer.at
                answer = self.seen.standing.permit(at)
            if not isinstance(answer, Denied):
                return Move(at, "attempt", expected=move.expected)
            self.seen.barred = True
            move = self.policy.next(self.seen)
            if move is not None and move.kind == "attempt":
                raise RuntimeError(f"policy {self.policy.name} charges what may not be charged")
        return move

    def _wait_until(self, until: datetime) -> Ending | Literal["news"] | None:
        seen, case = self.seen, self.seen.invoice.case
        while True:
            step = min(until, seen.now + NOTICED_EVERY)
            events = self.world.advance(case, step)
            seen.now = step
            for event in events:
                if event.kind == "paid_by_link":
                    seen.now = event.at
                    return "recovered"
                if event.kind in {"cancelled", "disputed"}:
                    return "cancelled" if event.kind == "cancelled" else "disputed"
                if event.kind == "method_updated" and event.credential is not None:
                    seen.credential, seen.updated_at, seen.barred = event.credential, event.at, False
                    seen.standing.update(event.credential, event.at)
                elif event.kind == "replied":
                    seen.replied_at = event.at
            if events:
                return "news"
            if step >= until:
                return None

    def _charge(self, move: Move) -> bool:
        seen = self.seen
        result = self.world.attempt(seen.invoice.case, seen.now, seen.credential.id)
        seen.tried.append(Tried(seen.now, result.decline))
        if result.decline is not None:
            seen.category = seen.standing.declined(seen.now, result.decline)
        else:
            seen.standing.approved(seen.now)
        self.deeds.append(Deed(seen.now, "attempt", approved=result.approved, expected=move.expected))
        self.costs += COSTS.attempt_minor
        return result.approved

    def _write(self, move: Move) -> None:
        seen = self.seen
        self.world.contact(seen.invoice.case, seen.now, move.channel, move.about)
        seen.sent.append(Sent(seen.now, move.channel))
        self.deeds.append(Deed(seen.now, "message", channel=move.channel))
        self.costs += COSTS.message_minor[move.channel]

    def _outcome(self, ending: Ending, *, by_retry: bool = False) -> CaseOutcome:
        seen = self.seen
        breaches = seen.standing.breaches()
        days = (seen.now - seen.invoice.failed_at).total_seconds() / 86_400 if ending == "recovered" else None
        return CaseOutcome(
            seed=self.seed,
            case=seen.invoice.case,
            account=seen.invoice.account,
            category=self.first_category.value,
            amount_minor=seen.invoice.amount_minor,
            ending=ending,
            days=days,
            by_retry=by_retry,
            deeds=tuple(self.deeds),
            breaches=breaches,
            costs_minor=self.costs + breaches * COSTS.excess_attempt_minor,
        )
