"""A world without a database for runs of the graph: facts and policy that a test can change between two steps."""

from datetime import datetime
from itertools import count

from langchain_core.runnables import RunnableConfig

from graph.deps import GraphDeps
from recoup.clock import FixedClock
from recoup.facts import CaseFacts
from recoup.policy import Policy
from tests.factories import on_ladder


class World:
    """FactsSource, PolicySource and clock at once. Ids count up, so that a test can name them."""

    def __init__(self, facts: CaseFacts, policy: Policy | None = None) -> None:
        self.facts = facts
        self.policy = policy or on_ladder()
        self.reads = 0
        self._numbers = count(1)

    async def load(self, case_id: str, now: datetime) -> CaseFacts:
        self.reads += 1
        return self.facts.model_copy(update={"now": now})

    async def current(self) -> tuple[int, Policy]:
        return 1, self.policy

    async def version(self, number: int) -> Policy:
        return self.policy

    def deps(self) -> GraphDeps:
        """The graph's dependencies over this world."""
        self.clock = FixedClock(self.facts.now)
        return GraphDeps(facts=self, policies=self, clock=self.clock, new_id=lambda kind: f"{kind}_{next(self._numbers)}")


def thread(name: str) -> RunnableConfig:
    """The configuration of one thread."""
    return {"configurable": {"thread_id": name}}
