"""Where the graph goes next, as a table."""

from typing import Any

import pytest

from graph.routes import after_gate, after_orchestrate, after_prioritize, after_recheck
from recoup.approval import request_approval
from recoup.proposal import Proposal
from tests.factories import make_message, make_retry, proposed


def route(to: str) -> dict[str, Any]:
    return {"route": {"to": to, "reason": "x", "evidence": []}}


def plan(*actions: Any) -> dict[str, Any]:
    proposal = Proposal(agent="prioritization", reason="x", actions=tuple(proposed(action) for action in actions))
    return {"priority": proposal.model_dump(mode="json")}


ASKED = {"request": request_approval([(proposed(), "x")], "facts").model_dump(mode="json")}
TABLE: list[tuple[Any, dict[str, Any], str]] = [
    (after_orchestrate, route("prioritize"), "prioritize"),
    (after_orchestrate, route("handle_exception"), "handle_exception"),
    (after_prioritize, plan(make_message()), "communicate"),
    (after_prioritize, plan(make_retry(), make_message()), "communicate"),
    (after_prioritize, plan(make_retry()), "gate"),
    (after_prioritize, plan(), "gate"),
    (after_gate, ASKED, "human_review"),
    (after_gate, {"request": None}, "finish"),
    (after_recheck, {"superseded_because": None}, "finish"),
    (after_recheck, {"superseded_because": "the case is recovered now"}, "superseded"),
]


@pytest.mark.parametrize(("router", "state", "to"), TABLE)
def test_the_next_node_is(router: Any, state: dict[str, Any], to: str) -> None:
    assert router(state) == to
