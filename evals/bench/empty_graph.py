"""LangGraph's own share of a decision: a graph of the same shape whose nodes do nothing, on the same checkpointer."""

import time
from typing import Any, TypedDict, cast

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from memory.checkpoints import PooledSaver
from memory.database import Database

NODES = ("load_facts", "orchestrate", "prioritize", "communicate", "gate")


class Empty(TypedDict, total=False):
    """One small channel a node."""

    load_facts: str
    orchestrate: str
    prioritize: str
    communicate: str
    gate: str
    human_review: str


async def cpu_ms_of_a_run(db: Database, runs: int, first: int) -> float:
    """CPU milliseconds of one run up to its interrupt, with the state read back as Recoup does; threads are numbered from ``first``."""
    graph = _build(PooledSaver.over(db.pool))
    started = time.process_time()
    for number in range(first, first + runs):
        config: Any = {"configurable": {"thread_id": f"bench-{number}"}}
        await graph.ainvoke(cast("Any", {"load_facts": "start"}), config, durability="exit")
        await graph.aget_state(config)
    return (time.process_time() - started) * 1000 / runs


def _build(saver: PooledSaver) -> Any:
    graph: Any = StateGraph(Empty)
    for before, name in zip((START, *NODES), NODES, strict=False):
        graph.add_node(name, _writer(name))
        graph.add_edge(before, name)
    graph.add_node("human_review", _ask)
    graph.add_edge(NODES[-1], "human_review")
    graph.add_edge("human_review", END)
    return graph.compile(checkpointer=saver)


def _writer(name: str) -> Any:
    async def node(_: Empty) -> Any:
        return {name: name}

    return node


async def _ask(_: Empty) -> Any:
    return {"human_review": interrupt("go on?")}
