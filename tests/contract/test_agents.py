"""Our three agents that propose actions under the contract of agents. (The orchestrator only routes: tests/unit/test_orchestrator.py.)"""

from collections.abc import Callable

import pytest

from agents import communication, exception, orchestrator, prioritization
from recoup.facts import CaseFacts
from recoup.policy import Policy
from recoup.proposal import Proposal
from tests.contract.agent import POLICY, AgentBench, AgentContract


def goes_to(place: str) -> Callable[[CaseFacts], bool]:
    return lambda facts: orchestrator.propose(facts).to == place


def has_letters(facts: CaseFacts) -> bool:
    """Whether the plan writes to the customer, so that words are wanted."""
    return goes_to("prioritize")(facts) and bool(communication.contacts(prioritization.propose(facts, POLICY, lambda: "act_1")))


def put_into_words(facts: CaseFacts, policy: Policy, new_action_id: Callable[[], str]) -> Proposal:
    return communication.propose(facts, policy, prioritization.propose(facts, policy, new_action_id))


class TestPrioritization(AgentContract):
    @pytest.fixture
    def bench(self) -> AgentBench:
        agent = prioritization
        return AgentBench(agent.AGENT, agent.ALLOWED, agent.propose, agent.check, goes_to("prioritize"))


class TestCommunication(AgentContract):
    @pytest.fixture
    def bench(self) -> AgentBench:
        agent = communication
        return AgentBench(agent.AGENT, agent.ALLOWED, put_into_words, agent.check, has_letters)


class TestException(AgentContract):
    @pytest.fixture
    def bench(self) -> AgentBench:
        agent = exception
        return AgentBench(agent.AGENT, agent.ALLOWED, agent.propose, agent.check, goes_to("handle_exception"))
