"""The one place where a decision waits for a person."""

from typing import Any

from langgraph.types import Command, interrupt

from graph.state import RecoveryState
from recoup.approval import ApprovalAnswer


async def human_review(state: RecoveryState) -> RecoveryState:
    """Pauses with the request, goes on with the answer. Nothing else stands here: a node runs again from its top on resume."""
    answer = interrupt(state.get("request"), response_schema=ApprovalAnswer)
    return {"answer": answer.model_dump(mode="json")}


def resume_with(interrupt_id: str, answer: ApprovalAnswer) -> Command[Any]:
    """The input that gives a thread the answer to one of its interrupts, by its id: another one never takes it."""
    return Command(resume={interrupt_id: answer.model_dump(mode="json")})
