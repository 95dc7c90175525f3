"""Tells LangSmith of decisions where LANGSMITH_API_KEY is set, in payloads that are built of listed fields; nothing else is ever sent.

LangSmith's own tracer would send whole states and prompts, and its anonymizer misses numbers, keys and deep nesting: so it is always off.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from graph.state import RecoveryState, actions_of, facts_of, policy_of, route_of, signals_of, verdicts_of
from recoup.gate import mode_for
from recoup.model_port import ModelUse
from recoup.record import Record

if TYPE_CHECKING:
    from langsmith import Client

PROJECT = "recoup"


class TracedTurn(Record):
    """One agent's turn with a model: counts and words of closed lists."""

    agent: str
    model: str | None
    failure: str | None
    refused: bool
    kept: bool
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micro: int | None


class TracedDecision(Record):
    """All that is told of a decision. No id of an account, no amount, no date of a customer's, no text."""

    flow_version: str
    prompts_digest: str
    policy_version: int
    mode: str
    category: str
    route: str
    signals: tuple[str, ...]
    actions: tuple[str, ...]
    verdicts: tuple[str, ...]
    rules: tuple[str, ...]
    texts_read: int
    outcome: str
    turns: tuple[TracedTurn, ...]


class Tracer(Protocol):
    """Where decisions are told of."""

    def run_id(self, decision_id: str) -> str | None:
        """The name that the decision's run has there; None where nothing is told."""
        ...

    def tell(self, decision_id: str, state: RecoveryState, started: datetime, ended: datetime) -> None:
        """Hands it over and does not wait. What is lost on the way is lost: nothing rests on a trace."""
        ...


class NoTracer:
    """Tells nobody."""

    def run_id(self, decision_id: str) -> str | None:  # noqa: ARG002 - the port's shape
        """None."""
        return None

    def tell(self, decision_id: str, state: RecoveryState, started: datetime, ended: datetime) -> None:
        """Nothing."""


class LangSmithTracer:
    """Tells LangSmith, in the background."""

    def __init__(self, client: "Client", project: str) -> None:
        self._client, self._project = client, project

    def run_id(self, decision_id: str) -> str | None:
        """Made of the decision's id, so that a decision that is told twice is one run."""
        return str(uuid5(NAMESPACE_URL, f"recoup:{decision_id}"))

    def tell(self, decision_id: str, state: RecoveryState, started: datetime, ended: datetime) -> None:
        """One run of what was decided, with one below it for every turn that a model had."""
        told = traced(state)
        ended = max(ended, started + timedelta(microseconds=1))
        run_id = uuid5(NAMESPACE_URL, f"recoup:{decision_id}")
        order = _order(started, run_id)
        self._client.create_run(
            "decision",
            inputs=told.model_dump(include={"mode", "category", "policy_version", "texts_read"}),
            outputs=told.model_dump(include={"route", "signals", "actions", "verdicts", "rules", "outcome"}),
            run_type="chain",
            id=run_id,
            # Without these two the client would send at once and wait for the answer.
            trace_id=run_id,
            dotted_order=order,
            extra={"metadata": told.model_dump(include={"flow_version", "prompts_digest"})},
            project_name=self._project,
            start_time=started,
            end_time=ended,
        )
        for number, turn in enumerate(told.turns):
            turn_id = uuid5(run_id, str(number))
            self._client.create_run(
                turn.agent,
                inputs={"agent": turn.agent},
                outputs=turn.model_dump(exclude={"agent", "model"}),
                run_type="llm",
                id=turn_id,
                trace_id=run_id,
                parent_run_id=run_id,
                dotted_order=f"{order}.{_order(started, turn_id)}",
                extra={"metadata": {"model": turn.model}},
                project_name=self._project,
                start_time=started,
                end_time=ended,
            )

    def flush(self) -> None:
        """Waits until all that was handed over has been sent."""
        self._client.flush()


def open_tracer(environment: Mapping[str, str] = os.environ) -> Tracer:
    """LangSmith where its key is set, otherwise nobody."""
    key = environment.get("LANGSMITH_API_KEY")
    if not key:
        return NoTracer()
    from langsmith import Client

    client = Client(api_url=environment.get("LANGSMITH_ENDPOINT"), api_key=key, omit_traced_runtime_info=True)
    return LangSmithTracer(client, environment.get("LANGSMITH_PROJECT") or PROJECT)


def traced(state: RecoveryState) -> TracedDecision:
    """The listed fields of a decision's state."""
    facts, policy = facts_of(state), policy_of(state)
    verdicts = verdicts_of(state)
    return TracedDecision(
        flow_version=state.get("flow_version", ""),
        prompts_digest=state.get("prompts_digest", ""),
        policy_version=state.get("policy_version", 0),
        mode=mode_for(facts, policy),
        category=facts.category,
        route=route_of(state).to,
        signals=signals_of(state),
        actions=tuple(proposed.action.name for proposed in actions_of(state)),
        verdicts=tuple(verdict.answer for verdict in verdicts),
        rules=tuple(dict.fromkeys(hit.rule for verdict in verdicts for hit in verdict.rules)),
        texts_read=len(state.get("fresh", [])),
        outcome=state.get("outcome", "asks a person"),
        turns=tuple(_turn(ModelUse.model_validate(use)) for use in state.get("asked", [])),
    )


@contextmanager
def untraced() -> Generator[None]:
    """Nothing below sends a trace of its own, whatever the environment says."""
    from langsmith import tracing_context  # pyright: ignore[reportUnknownVariableType]

    with tracing_context(enabled=False):
        yield


def _order(started: datetime, run_id: UUID) -> str:
    """Where a run stands in its trace, as LangSmith sorts them."""
    return f"{started:%Y%m%dT%H%M%S%f}Z{run_id}"


def _turn(use: ModelUse) -> TracedTurn:
    return TracedTurn(
        agent=use.agent,
        model=use.model,
        failure=use.failure,
        refused=use.refused is not None,
        kept=use.kept,
        calls=use.usage.calls,
        input_tokens=use.usage.input_tokens,
        output_tokens=use.usage.output_tokens,
        cost_usd_micro=use.cost_usd_micro,
    )
