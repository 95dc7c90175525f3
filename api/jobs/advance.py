"""Drives a decision's thread until it is over or waits for a person, believing only what is stored.

``get_state().next == ()`` looks the same after a checkpoint that failed to be written as after a finished run, so the graph's own
``done`` is the only sign of an end, and an interrupt counts only once it has been read back.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from graph.build import DecisionGraph
from graph.human import resume_with
from graph.state import RecoveryState
from graph.tracing import untraced
from memory.approvals import ApprovalRow, Interrupt
from recoup.approval import ApprovalAnswer, ApprovalRequest
from recoup.errors import Defect

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.types import Command

# A run needs two legs; each fault of the checkpointer that loses only part of a leg costs one more.
MOST_LEGS = 6


@dataclass(frozen=True)
class Paused:
    """The thread waits for a person; ``state`` is what it came to so far."""

    state: RecoveryState
    interrupt: Interrupt


@dataclass(frozen=True)
class Ended:
    """The thread is over."""

    state: RecoveryState


@dataclass(frozen=True)
class Lost:
    """Nothing is stored of the thread: what it asked cannot be answered any more."""


async def begin(graph: DecisionGraph, decision_id: str, start: RecoveryState) -> Paused | Ended:
    """Runs a new thread."""
    await _run(graph, decision_id, start)
    stored = await advance(graph, decision_id, None)
    if isinstance(stored, Lost):
        raise Defect(f"the checkpoints of decision {decision_id} were not stored")
    return stored


async def advance(graph: DecisionGraph, decision_id: str, approval: ApprovalRow | None) -> Paused | Ended | Lost:
    """Goes on from what is stored. The answer is given to the very interrupt that was shown, by its id, and to no other."""
    for _ in range(MOST_LEGS):
        snapshot = await graph.aget_state(_thread(decision_id))
        state = cast("RecoveryState", snapshot.values)
        if not state:
            return Lost()
        if state.get("done"):
            return Ended(state=state)
        if not snapshot.interrupts:
            await _run(graph, decision_id, None)
            continue
        asked = Interrupt(id=snapshot.interrupts[0].id, request=ApprovalRequest.model_validate(snapshot.interrupts[0].value))
        if approval is None or not _answers(approval, asked):
            return Paused(state=state, interrupt=asked)
        await _run(graph, decision_id, resume_with(asked.id, ApprovalAnswer(decisions=approval.answer or ())))
    raise Defect(f"decision {decision_id} does not come to an end")


async def _run(graph: DecisionGraph, decision_id: str, given: "RecoveryState | Command[Any] | None") -> None:
    """One leg. What it returns is not believed: what counts is read back."""
    with untraced():
        await graph.ainvoke(given, _thread(decision_id), durability="exit")


def _answers(approval: ApprovalRow, asked: Interrupt) -> bool:
    return (approval.interrupt_id, approval.interrupt_digest) == (asked.id, asked.request.digest)


def _thread(decision_id: str) -> "RunnableConfig":
    return {"configurable": {"thread_id": decision_id}}
