"""Decisions that wait for a person live in PostgreSQL: they can be resumed anywhere, pruned when over, and missed when lost."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from langgraph.types import Command

from graph.build import DecisionGraph, build_graph
from graph.state import start_state
from memory.checkpoints import PooledSaver, pending_mismatches, prune_finished
from memory.database import Database
from tests.factories import make_facts
from tests.worlds import World, thread

APPROVE: dict[str, Any] = {"decisions": [{"type": "approve"}]}


@dataclass(frozen=True)
class Renamed:
    """A graph whose code has moved on."""

    nodes: dict[str, Any]
    checkpointer: Any


@pytest.fixture
async def graph(db: Database) -> DecisionGraph:
    return build_graph(World(make_facts()).deps(), PooledSaver.over(db.pool))


async def ask(graph: DecisionGraph, name: str) -> str:
    """Runs a decision up to its question and gives the interrupt's id."""
    await graph.ainvoke(start_state("case_1"), thread(name), durability="exit")
    return (await graph.aget_state(thread(name))).interrupts[0].id


async def test_a_waiting_decision_is_resumed_by_another_process(graph: DecisionGraph, db: Database) -> None:
    question = await ask(graph, "dec_1")

    elsewhere = build_graph(World(make_facts()).deps(), PooledSaver.over(db.pool))
    state = await elsewhere.ainvoke(Command(resume={question: APPROVE}), thread("dec_1"), durability="exit")

    assert (state["done"], state["outcome"]) == (True, "finished")
    assert state["settled"][0]["answer"] == "approve"


async def test_many_decisions_share_the_pool(graph: DecisionGraph) -> None:
    questions = await asyncio.gather(*(ask(graph, f"dec_{n}") for n in range(12)))
    assert len(set(questions)) == 12


async def test_a_finished_thread_is_pruned_and_a_waiting_one_kept(graph: DecisionGraph) -> None:
    question = await ask(graph, "dec_over")
    await graph.ainvoke(Command(resume={question: APPROVE}), thread("dec_over"), durability="exit")
    await ask(graph, "dec_waiting")

    await prune_finished(graph, ["dec_over"])

    assert (await graph.aget_state(thread("dec_over"))).values == {}
    assert (await graph.aget_state(thread("dec_waiting"))).next == ("human_review",)


async def test_a_thread_whose_node_is_gone_is_reported(graph: DecisionGraph) -> None:
    await ask(graph, "dec_1")
    assert await pending_mismatches(graph, ["dec_1"]) == []

    renamed = Renamed({name: node for name, node in graph.nodes.items() if name != "human_review"}, graph.checkpointer)
    assert await pending_mismatches(renamed, ["dec_1"]) == ["dec_1"]


async def test_a_thread_without_a_checkpoint_is_reported(graph: DecisionGraph) -> None:
    assert await pending_mismatches(graph, ["dec_never_stored"]) == ["dec_never_stored"]
