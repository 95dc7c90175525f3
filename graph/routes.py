"""Where the graph goes next: pure functions of the state that name a node."""

from typing import Literal

from agents.communication import contacts
from graph.state import RecoveryState, proposals_of, request_of, route_of


def after_orchestrate(state: RecoveryState) -> Literal["prioritize", "handle_exception"]:
    """The orchestrator's word."""
    return route_of(state).to


def after_prioritize(state: RecoveryState) -> Literal["communicate", "gate"]:
    """Words are needed only where somebody is written to."""
    return "communicate" if any(contacts(proposal) for proposal in proposals_of(state)) else "gate"


def after_gate(state: RecoveryState) -> Literal["human_review", "finish"]:
    """A person is asked only where the gate asks."""
    return "human_review" if request_of(state) is not None else "finish"


def after_recheck(state: RecoveryState) -> Literal["finish", "superseded"]:
    """What was approved stands only while the world is as it was shown."""
    return "finish" if state.get("superseded_because") is None else "superseded"
