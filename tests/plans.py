"""What tests of the plan say over and over: a day of the case, what was done on it, and what is proposed now."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from agents import prioritization
from recoup.actions import ActionName, RiskClass
from recoup.category import Category
from recoup.facts import ActionFacts, AttemptFacts, CaseFacts
from recoup.policy import Policy
from recoup.proposal import Proposal
from tests.factories import FAILED_AT, action_facts, attempt_facts, on_ladder

POLICY = on_ladder()
RETRY, WRITE, ASK = ActionName.RETRY_PAYMENT, ActionName.SEND_MESSAGE, ActionName.REQUEST_METHOD_UPDATE
BACKUP, GRACE, SUSPEND = ActionName.USE_BACKUP_METHOD, ActionName.EXTEND_GRACE, ActionName.SUSPEND_SERVICE


def at(day: float) -> datetime:
    """That many days after the first failure."""
    return FAILED_AT + timedelta(days=day)


def propose(facts: CaseFacts, policy: Policy = POLICY) -> Proposal:
    """The plan; its own check must take it."""
    numbers = count(1)
    proposal = prioritization.propose(facts, policy, lambda: f"act_new_{next(numbers)}")
    assert prioritization.check(proposal, proposal, facts, policy).refused is None
    return proposal


def names(proposal: Proposal) -> list[ActionName]:
    """What is proposed."""
    return [proposed.action.name for proposed in proposal.actions]


def wakes(proposal: Proposal) -> datetime | None:
    """When the case is looked at again."""
    return proposal.wait.until if proposal.wait else None


def failed(category: Category, day: float = 0, **changes: Any) -> AttemptFacts:
    """A failure of that kind on that day."""
    return attempt_facts(category=category, reason=category.value, occurred_at=at(day), **changes)


def wrote(step: int, **changes: Any) -> ActionFacts:
    """The message of that step, sent on its day."""
    values = {"id": f"act_m{step}", "step": step, "at": at(POLICY.steps.message_days[step])}
    return action_facts(**(values | changes))


def did(name: ActionName, day: float, state: str = "done", **changes: Any) -> ActionFacts:
    """A charge or account action of that day."""
    risk = RiskClass.CHARGE if name is RETRY else RiskClass.ACCOUNT
    return action_facts(name=name, risk=risk, state=state, at=at(day), step=None, channel=None, id=f"act_{name}_{day}", **changes)
