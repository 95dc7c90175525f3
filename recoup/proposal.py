"""What an agent proposes and what the gate answers: values with their reasons, so that a person can follow them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from recoup.actions import Action
from recoup.record import Record

Confidence = Annotated[float, Field(ge=0.0, le=1.0)]


class Alternative(Record):
    """Something else that could have been done, and why it was not. ``value_minor``: what it would have added to the plan, in the minor
    units of the invoice; ``chance``: that it brings the money; ``at``: when it would have been done; ``propensity``: how likely it was to
    be drawn. Each is None where nobody reckoned it."""

    what: str
    why_not: str
    value_minor: float | None = None
    chance: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    at: datetime | None = None
    propensity: Annotated[float | None, Field(ge=0.0, le=1.0)] = None


class Proposed(Record):
    """One action with why it is proposed. ``evidence`` are ids of rows in the facts. ``id`` becomes the committed action's id.

    ``value_minor``, ``chance``, ``propensity``: as for an alternative; None where it was not reckoned."""

    id: str
    action: Action
    reason: str
    evidence: tuple[str, ...]
    confidence: Confidence
    alternatives: tuple[Alternative, ...] = ()
    value_minor: float | None = None
    chance: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    propensity: Annotated[float | None, Field(ge=0.0, le=1.0)] = None


class Wait(Record):
    """Do nothing until then, and why: it becomes a timer that wakes the case."""

    until: datetime
    reason: str


class Proposal(Record):
    """All that one agent answers. ``signals`` are words of a closed list that escalate: fraud, dispute, legal, vulnerable."""

    agent: str
    reason: str
    actions: tuple[Proposed, ...] = ()
    wait: Wait | None = None
    confidence: Confidence = 1.0
    evidence: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    signals: tuple[str, ...] = ()


class Answer(StrEnum):
    """What the gate says of one action."""

    DENY = "deny"
    ASK = "ask"
    RUN = "run"
    SHADOW = "shadow"


class RuleHit(Record):
    """A rule that spoke. ``overridable``: a house rule, which a person may override with a reason. ``not_before``: when time cures it."""

    rule: str
    detail: str
    source: str
    overridable: bool = False
    not_before: datetime | None = None

    @property
    def says(self) -> str:
        """In one clause that names the rule and who made it."""
        return f"{self.detail} (rule {self.rule}; {self.source})"


class Verdict(Record):
    """The gate's answer for one proposed action, with every rule that spoke. ``postponed_until``: it may be done, or asked, but nothing
    goes out before; the rule that postpones it speaks last."""

    action_id: str
    answer: Answer
    reason: str
    rules: tuple[RuleHit, ...] = ()
    postponed_until: datetime | None = None

    @property
    def not_before(self) -> datetime | None:
        """When time alone would cure a denial; None where it would not."""
        if self.answer is not Answer.DENY or not self.rules:
            return None
        times = [rule.not_before for rule in self.rules]
        return max(t for t in times if t) if all(times) else None
