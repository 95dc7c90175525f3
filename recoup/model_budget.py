"""What may be spent on language models: budgets that people set in the policy, and whether one more call fits into them. Pure."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from recoup.record import Record

MICRO = 1_000_000
Count = Annotated[int, Field(ge=0)]


class Budget(Record):
    """The most that may be used. ``usd`` binds only where the model's price is known; calls and tokens always do."""

    calls: Count
    tokens: Count
    usd: Annotated[Decimal, Field(ge=0)]


class ModelBudgets(Record):
    """``case``: for one case over its whole life; ``day``: all cases on one day, UTC; ``agent``: each agent a day, where ``agents`` does
    not name it."""

    case: Budget = Budget(calls=20, tokens=150_000, usd=Decimal("0.5"))
    day: Budget = Budget(calls=20_000, tokens=50_000_000, usd=Decimal(50))
    agent: Budget = Budget(calls=10_000, tokens=25_000_000, usd=Decimal(25))
    agents: dict[str, Budget] = {}

    def of(self, scope: str, agent: str) -> Budget:
        """The budget of one scope: ``case``, ``agent`` or ``day``."""
        return {"case": self.case, "day": self.day, "agent": self.agents.get(agent, self.agent)}[scope]


class Spend(Record):
    """What is used or reserved in one scope. ``key``: the case, the day, or the day and the agent."""

    scope: str
    key: str
    calls: int = 0
    tokens: int = 0
    cost_usd_micro: int = 0


def exhausted(spend: Spend, budget: Budget, tokens: int, cost_usd_micro: int | None) -> str | None:
    """Why one more call of that size does not fit; None where it does."""
    if spend.calls + 1 > budget.calls:
        return f"the {spend.scope}'s {budget.calls} calls are used up"
    if spend.tokens + tokens > budget.tokens:
        return (
            f"the {spend.scope} has {max(0, budget.tokens - spend.tokens)} of {budget.tokens} tokens left, and the call may take {tokens}"
        )
    if spend.cost_usd_micro + (cost_usd_micro or 0) > budget.usd * MICRO:
        return f"the {spend.scope}'s {budget.usd} US dollars are used up, or the call may cost more than is left"
    return None
