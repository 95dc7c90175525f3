"""What ``langgraph dev`` opens (langgraph.json): the same graph on the case of docs/examples, without a database, a model or a key."""

from pathlib import Path

from agents import communication, orchestrator, prioritization
from graph.build import DecisionGraph, build_graph
from graph.offline import offline_deps, read_facts
from prompts.render import prompts_digest
from recoup.facts import CaseFacts
from recoup.gate import judge
from recoup.policy import Policy, default_policy_text, parse_policy

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "facts.json"


def make_graph() -> DecisionGraph:
    """The graph without a checkpointer of its own: the server brings one. Its input is ``{"case_id": "..."}``, whatever the id."""
    facts, policy = read_facts(EXAMPLE), parse_policy(default_policy_text())
    _read_all_files(facts, policy)
    return build_graph(offline_deps(facts, policy), None)


def _read_all_files(facts: CaseFacts, policy: Policy) -> None:
    """The server refuses to run what reads files in its loop; rules, words and locales are read when they are first needed: so here,
    while this module is imported."""
    prompts_digest()
    orchestrator.propose(facts)
    plan = prioritization.propose(facts, policy, lambda: "act_first")
    words = communication.propose(facts, policy, plan)
    communication.check(words, words, facts, policy)
    for proposed in (*plan.actions, *words.actions):
        judge(proposed, (), facts, policy)


graph = make_graph()
