"""The channels of one decision: JSON-able values, one channel an agent, and typed views for whoever reads them."""

import operator
from typing import Annotated, Any, Literal, TypedDict

from agents.orchestrator import Route
from recoup.actions import Action
from recoup.approval import ApprovalRequest
from recoup.errors import Defect
from recoup.facts import CaseFacts
from recoup.policy import Policy
from recoup.proposal import Proposal, Proposed, Verdict, Wait
from recoup.record import Record

Json = dict[str, Any]
# Grows when the meaning of a channel or the order of nodes changes; stamped into every decision.
FLOW_VERSION = "2"

Outcome = Literal["finished", "superseded"]


class Said(TypedDict):
    """What one node did, in sentences for people."""

    node: str
    lines: list[str]


class RecoveryState(TypedDict, total=False):
    """``done`` is the only sign that a run is over: an empty ``next`` of LangGraph also follows a checkpoint that failed to be written.

    ``fresh`` are the texts among the facts that this decision's reader was the first to read. ``priority`` belongs to prioritization,
    ``words`` to communication, ``exception`` to the exception agent. ``asked`` tells of every turn that a model had (``ModelUse``).
    ``request`` is set where the gate asks a person, ``answer`` by that person, ``settled`` by recheck.
    """

    case_id: str
    flow_version: str
    prompts_digest: str
    policy_version: int
    policy: Json
    facts: Json
    fresh: list[str]
    route: Json
    priority: Json
    words: Json
    exception: Json
    asked: Annotated[list[Json], operator.add]
    verdicts: list[Json]
    wake: Json | None
    request: Json | None
    answer: Json
    settled: list[Json]
    superseded_because: str | None
    trace: Annotated[list[Said], operator.add]
    outcome: Outcome
    done: bool


class Settled(Record):
    """What a person's answer made of one asked action, after recheck: ``action`` is what is to be done (an edit's own), or was refused."""

    action_id: str
    answer: Literal["approve", "edit", "reject"]
    action: Action
    verdict: Verdict
    message: str = ""


def start_state(case_id: str) -> RecoveryState:
    """The input of a new thread that reads the world itself."""
    return RecoveryState(case_id=case_id, trace=[], done=False)


def start_on(facts: CaseFacts, version: int, policy: Policy) -> RecoveryState:
    """The input of a new thread on a world that the job has read already: what its decision's row says is what it rests on."""
    read = RecoveryState(facts=facts.model_dump(mode="json"), policy=policy.model_dump(mode="json"), policy_version=version)
    return start_state(facts.case.id) | read


def case_of(state: RecoveryState) -> str:
    """The case that the decision is about."""
    return str(_written(state, "case_id"))


def priority_of(state: RecoveryState) -> Proposal:
    """Prioritization's plan."""
    return Proposal.model_validate(_written(state, "priority"))


def facts_of(state: RecoveryState) -> CaseFacts:
    """The facts that the decision rests on."""
    return CaseFacts.model_validate(_written(state, "facts"))


def policy_of(state: RecoveryState) -> Policy:
    """The policy that the decision rests on."""
    return Policy.model_validate(_written(state, "policy"))


def route_of(state: RecoveryState) -> Route:
    """Who works on the case."""
    return Route.model_validate(_written(state, "route"))


def proposals_of(state: RecoveryState) -> tuple[Proposal, ...]:
    """What the agents answered, in the order in which they spoke."""
    said = (state.get("priority"), state.get("words"), state.get("exception"))
    return tuple(Proposal.model_validate(proposal) for proposal in said if proposal is not None)


def actions_of(state: RecoveryState) -> tuple[Proposed, ...]:
    """The proposed actions, messages with their words."""
    return merged_actions(proposals_of(state))


def merged_actions(proposals: tuple[Proposal, ...]) -> tuple[Proposed, ...]:
    """Each action once, in the place of its first proposal and in the form of its last."""
    latest: dict[str, Proposed] = {}
    for proposal in proposals:
        for proposed in proposal.actions:
            latest[proposed.id] = proposed
    return tuple(latest.values())


def signals_of(state: RecoveryState) -> tuple[str, ...]:
    """Every signal that somebody raised."""
    raised = (route_of(state).signals, *(proposal.signals for proposal in proposals_of(state)))
    return tuple(dict.fromkeys(signal for signals in raised for signal in signals))


def verdicts_of(state: RecoveryState) -> tuple[Verdict, ...]:
    """The gate's answers, in the order of ``actions_of``."""
    return tuple(Verdict.model_validate(verdict) for verdict in state.get("verdicts", []))


def wake_of(state: RecoveryState) -> Wait | None:
    """When the case is to be looked at again, whatever happens before."""
    wake = state.get("wake")
    return Wait.model_validate(wake) if wake else None


def request_of(state: RecoveryState) -> ApprovalRequest | None:
    """The question to a person, where there is one."""
    request = state.get("request")
    return ApprovalRequest.model_validate(request) if request else None


def settled_of(state: RecoveryState) -> tuple[Settled, ...]:
    """What the person's answer came to; empty before recheck."""
    return tuple(Settled.model_validate(settled) for settled in state.get("settled", []))


def _written(state: RecoveryState, channel: str) -> object:
    """A channel that an earlier node has surely written."""
    value = state.get(channel)
    if value is None:
        raise Defect(f"channel {channel} is read before it is written")
    return value
