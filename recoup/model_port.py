"""What an agent asks of a language model and what it gets back: an answer of a closed shape, or the cause why there is none.

A failure is a value and never an exception, so that the draft which code made stands. ``NoModel`` is the port where rules decide alone.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from recoup.record import Record

AnswerT = TypeVar("AnswerT", bound=Record)


class Failure(StrEnum):
    """Why there is no answer. The first four: nothing was sent. ``MALFORMED`` is no JSON, ``WRONG_SHAPE`` is JSON of another shape,
    ``NO_ANSWER`` is words where an answer was to be given, ``TRUNCATED`` is an answer that broke off without a word why, ``TOO_LONG`` one
    that reached the bound. ``STEPS``: the model asked for tools until its steps were used up."""

    NOT_CONFIGURED = "not_configured"
    BUDGET = "budget"
    BREAKER_OPEN = "breaker_open"
    BUSY = "busy"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    CONNECTION = "connection"
    REJECTED = "rejected"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    MALFORMED = "malformed"
    WRONG_SHAPE = "wrong_shape"
    UNKNOWN_TOOL = "unknown_tool"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    FILTERED = "filtered"
    TOO_LONG = "too_long"
    STEPS = "steps"


@dataclass(frozen=True)
class ToolSpec:
    """One tool that only reads, bound to one case by ``run``. ``args`` is the shape of its arguments, none of them a row's id of another
    case. ``run`` gets validated arguments and gives text for the model; what it raises is our own defect and is not caught."""

    name: str
    description: str
    args: type[Record]
    run: Callable[[Any], Awaitable[str]]


class Bounds(Record):
    """The most that one question may take. ``steps``: calls on the wire that are answered; with one step no tool's result is ever seen.
    ``tool_chars``: of one tool's result. ``seconds``: for all of it, fallbacks and waiting included."""

    output_tokens: int = 1_000
    steps: int = 1
    tool_chars: int = 4_000
    seconds: float = 30.0


@dataclass(frozen=True)
class ModelCall(Generic[AnswerT]):
    """One question. ``case_id`` and ``decision_id``: whose budget it is and whose answer is replayed after a crash. ``answer``: the shape
    that the answer must have. No personal data in ``system`` and ``user``."""

    agent: str
    case_id: str
    decision_id: str
    system: str
    user: str
    answer: type[AnswerT]
    tools: tuple[ToolSpec, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)


class Usage(Record):
    """What was used: ``calls`` on the wire, failed ones among them; replayed answers cost none."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class ToolUse(Record):
    """A tool that the model asked for, as it ran: ``args`` validated, ``chars`` of the result that it was shown."""

    tool: str
    args: dict[str, Any]
    chars: int


@dataclass(frozen=True)
class ModelAnswer(Generic[AnswerT]):
    """``value`` and ``failure``: exactly one of them is None. ``detail`` says for people what happened, without what the model said.
    ``model`` is the one that answered, or failed last. ``cost_usd_micro`` is None where a price is not known."""

    value: AnswerT | None = None
    failure: Failure | None = None
    detail: str = ""
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd_micro: int | None = 0
    tool_uses: tuple[ToolUse, ...] = ()


class ModelUse(Record):
    """What one agent's turn with a model came to, as the decision tells it. ``kept``: from before, so that nothing was asked. ``refused``:
    why code did not take what the model said."""

    agent: str
    model: str | None
    failure: Failure | None = None
    detail: str = ""
    refused: str | None = None
    kept: bool = False
    usage: Usage = Usage()
    cost_usd_micro: int | None = 0

    @classmethod
    def of(cls, agent: str, answer: ModelAnswer[Any], refused: str | None = None) -> "ModelUse":
        """The turn that ended in this answer."""
        return cls(
            agent=agent,
            model=answer.model,
            failure=answer.failure,
            detail=answer.detail,
            refused=refused,
            usage=answer.usage,
            cost_usd_micro=answer.cost_usd_micro,
        )

    @property
    def says(self) -> str:
        """In a sentence for people."""
        if self.failure is not None:
            return f"No answer from {self.model} ({self.failure}: {self.detail}); the draft of the rules stands."
        used = "kept from before" if self.kept else f"{self.usage.calls} calls, {self.usage.input_tokens + self.usage.output_tokens} tokens"
        taken = f"was not taken: {self.refused}; the draft of the rules stands" if self.refused else "was taken"
        return f"What {self.model} said ({used}) {taken}."


class Model(Protocol):
    """Language models, the same for all agents."""

    def chain(self, agent: str) -> tuple[str, ...]:
        """The models that are asked for this agent, one after the other where one fails; empty where rules decide alone."""
        ...

    async def ask(self, call: ModelCall[AnswerT]) -> ModelAnswer[AnswerT]:
        """The answer, or the cause why there is none. Raises only Defect, and what a tool raises."""
        ...


class NoModel:
    """Rules alone: no agent has a model."""

    def chain(self, agent: str) -> tuple[str, ...]:  # noqa: ARG002 - the port's shape
        return ()

    async def ask(self, call: ModelCall[AnswerT]) -> ModelAnswer[AnswerT]:  # noqa: ARG002 - the port's shape
        return ModelAnswer(failure=Failure.NOT_CONFIGURED, detail="no model is configured")
