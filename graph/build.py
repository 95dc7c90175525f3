"""The product on one page: which node follows which."""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.deps import GraphDeps
from graph.human import human_review
from graph.nodes import Nodes
from graph.routes import after_gate, after_orchestrate, after_prioritize, after_recheck
from graph.state import RecoveryState

DecisionGraph = CompiledStateGraph[RecoveryState, None, RecoveryState, RecoveryState]

# The longest way has nine nodes; LangGraph's own default would let a loop run ten thousand.
RECURSION_LIMIT = 15


def build_graph(deps: GraphDeps, checkpointer: BaseCheckpointSaver[Any] | None) -> DecisionGraph:
    """One decision: facts go in, judged proposals come out, and it may pause for a person in between. ``checkpointer`` None: whoever runs
    it brings one."""
    nodes = Nodes(deps)
    graph: StateGraph[RecoveryState, None, RecoveryState, RecoveryState] = StateGraph(RecoveryState)

    graph.add_node("load_facts", nodes.load_facts)
    graph.add_node("orchestrate", nodes.orchestrate)
    graph.add_node("prioritize", nodes.prioritize)
    graph.add_node("communicate", nodes.communicate)
    graph.add_node("handle_exception", nodes.handle_exception)
    graph.add_node("gate", nodes.gate)
    graph.add_node("human_review", human_review)
    graph.add_node("recheck", nodes.recheck)
    graph.add_node("finish", nodes.finish)
    graph.add_node("superseded", nodes.superseded)

    graph.add_edge(START, "load_facts")
    graph.add_edge("load_facts", "orchestrate")
    graph.add_conditional_edges("orchestrate", after_orchestrate)
    graph.add_conditional_edges("prioritize", after_prioritize)
    graph.add_edge("communicate", "gate")
    graph.add_edge("handle_exception", "gate")
    graph.add_conditional_edges("gate", after_gate)
    graph.add_edge("human_review", "recheck")
    graph.add_conditional_edges("recheck", after_recheck)
    graph.add_edge("finish", END)
    graph.add_edge("superseded", END)

    return graph.compile(checkpointer=checkpointer, name="decision").with_config(recursion_limit=RECURSION_LIMIT)
