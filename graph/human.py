"""The one place where a decision waits for a person."""

from langgraph.types import interrupt

from graph.state import RecoveryState
from recoup.approval import ApprovalAnswer


async def human_review(state: RecoveryState) -> RecoveryState:
    """Pauses with the request, goes on with the answer. Nothing else stands here: a node runs again from its top on resume."""
    answer = interrupt(state.get("request"), response_schema=ApprovalAnswer)
    return {"answer": answer.model_dump(mode="json")}
