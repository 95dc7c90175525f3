"""What the parts of a plan are made of: one planner with the facts at hand, and a part's actions, words and wake-ups."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from agents.method import unsuccessful
from recoup.actions import ActionName, make_action
from recoup.facts import CaseFacts
from recoup.policy import Policy
from recoup.proposal import Alternative, Proposed
from recoup.record import Record


@dataclass(frozen=True)
class Part:
    """One strand of the plan. ``says`` is a sentence for people, ``wakes`` are times at which it has something to do, ``refused`` tells
    what else could have been done and why it is not."""

    says: str = ""
    actions: tuple[Proposed, ...] = ()
    wakes: tuple[datetime, ...] = ()
    refused: dict[str, str] = field(default_factory=dict[str, str])
    weighed: tuple[Alternative, ...] = ()

    def alternatives(self) -> tuple[Alternative, ...]:
        """What was weighed with its value, and ``refused`` in the words of a proposal."""
        return (*self.weighed, *(Alternative(what=what, why_not=why_not) for what, why_not in self.refused.items()))


@dataclass(frozen=True)
class Planner:
    """The facts, the policy and where ids of new actions come from."""

    facts: CaseFacts
    policy: Policy
    new_action_id: Callable[[], str]

    def evidence(self) -> tuple[str, ...]:
        """The rows that a plan rests on: the invoice and its newest failure."""
        failed = unsuccessful(self.facts)
        return (self.facts.invoice.id, *(a.id for a in failed[-1:]))

    def can(self, name: ActionName) -> bool:
        """Whether the connection's platform is able to do it."""
        return name in self.facts.connection.capabilities

    def act(
        self, name: ActionName, args: Record, reason: str, *, confidence: float, evidence: tuple[str, ...] = (), **refused: str
    ) -> Proposed:
        """A proposed action with its evidence; ``refused`` maps what else was considered (spaces as _) to why it was not chosen."""
        return Proposed(
            id=self.new_action_id(),
            action=make_action(name, args),
            reason=reason,
            evidence=tuple(dict.fromkeys((*self.evidence(), *evidence))),
            confidence=confidence,
            alternatives=tuple(Alternative(what=what.replace("_", " "), why_not=why) for what, why in refused.items()),
        )
