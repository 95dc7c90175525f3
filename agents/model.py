"""Asks language models: one question, in bounded steps with tools that only read, by a chain of models where one fails.

Every call on the wire is admitted by the books before it goes out and settled after it; no transaction is open in between. What comes
back is an answer of the asked shape or the cause why there is none, so that the draft which code made stands.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from agents.model_answers import function, heard, parsed, schema_of
from agents.model_prices import Price, price_of
from agents.model_wire import Asked, Failed, Spoken, Wire
from recoup.digest import canonical_json, digest
from recoup.errors import Defect
from recoup.model_books import Books, Denied, Ending, Granted, NotNow, Replayed, Want
from recoup.model_port import AnswerT, Failure, ModelAnswer, ModelCall, ToolUse, Usage

Json = dict[str, Any]
ANSWER = "answer"
# A step in which a model asks for more tools than this is cut short; the others are told so.
TOOLS_A_STEP = 4
# A pause that is asked for is kept where it is short; after a longer one the next model is asked at once.
LONGEST_PAUSE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.25
# A token is at least one byte of UTF-8 in every tokenizer in use, and a message has a few tokens around it.
TOKENS_AROUND = 32

TRY_AGAIN = frozenset({Failure.RATE_LIMITED, Failure.UNAVAILABLE, Failure.CONNECTION})


@dataclass(frozen=True)
class Chains:
    """Which models are asked, in order: for all agents, and for those that have models of their own. Empty: rules decide alone."""

    default: tuple[str, ...]
    by_agent: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    retries: int = 1


@dataclass
class _Tally:
    """What one question has cost so far."""

    until: float
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micro: int | None = 0
    model: str | None = None
    tool_uses: list[ToolUse] = field(default_factory=list[ToolUse])

    @property
    def seconds_left(self) -> float:
        return self.until - time.monotonic()

    def add(self, model: str, tokens: tuple[int, int] | None) -> Ending:
        """Counts a call that ended, and gives what it used, for the books."""
        self.calls += 1
        if tokens is None:
            self.cost_usd_micro = None
            return Ending()
        cost = _cost(price_of(model), *tokens)
        self.input_tokens += tokens[0]
        self.output_tokens += tokens[1]
        self.cost_usd_micro = None if cost is None or self.cost_usd_micro is None else self.cost_usd_micro + cost
        return Ending(input_tokens=tokens[0], output_tokens=tokens[1], cost_usd_micro=cost)

    def answer(self, value: AnswerT | None, failure: Failure | None, detail: str) -> ModelAnswer[AnswerT]:
        return ModelAnswer(
            value=value,
            failure=failure,
            detail=detail,
            model=self.model,
            usage=Usage(calls=self.calls, input_tokens=self.input_tokens, output_tokens=self.output_tokens),
            cost_usd_micro=self.cost_usd_micro,
            tool_uses=tuple(self.tool_uses),
        )


class ChatModels:
    """The Model port over OpenAI-compatible servers."""

    def __init__(self, chains: Chains, wire: Wire, books: Books) -> None:
        self._chains, self._wire, self._books = chains, wire, books

    def chain(self, agent: str) -> tuple[str, ...]:
        """The models that are asked for this agent."""
        return self._chains.by_agent.get(agent, self._chains.default)

    async def ask(self, call: ModelCall[AnswerT]) -> ModelAnswer[AnswerT]:
        """The answer, or the cause why there is none."""
        chain = self.chain(call.agent)
        tally = _Tally(until=time.monotonic() + call.bounds.seconds)
        if not chain:
            return tally.answer(None, Failure.NOT_CONFIGURED, "no model is configured for this agent")
        asking = _Asking(call, self._wire, self._books, self._chains.retries, tally)
        for _ in range(call.bounds.steps):
            spoken = await asking.speak(chain)
            if isinstance(spoken, Failed):
                return tally.answer(None, spoken.failure, spoken.detail)
            told = await asking.hear(spoken)
            if isinstance(told, Failed):
                return tally.answer(None, told.failure, told.detail)
            if told is not None:
                return tally.answer(told, None, "answered")
        return tally.answer(None, Failure.STEPS, f"no answer within {call.bounds.steps} steps")


class _Asking(Generic[AnswerT]):
    """One question under way: what was said so far, and what may still be asked."""

    def __init__(self, call: ModelCall[AnswerT], wire: Wire, books: Books, retries: int, tally: _Tally) -> None:
        if ANSWER in {tool.name for tool in call.tools}:
            raise Defect(f"no tool may be called {ANSWER!r}: that is how a model answers")
        self._call, self._wire, self._books, self._retries, self._tally = call, wire, books, retries, tally
        self._tools = [function(tool.name, tool.description, schema_of(tool.args)) for tool in call.tools]
        self._tools.append(function(ANSWER, "Give the answer. Call it exactly once.", schema_of(call.answer)))
        self._messages: list[Json] = [{"role": "system", "content": call.system}, {"role": "user", "content": call.user}]

    async def speak(self, chain: Sequence[str]) -> Spoken | Failed:
        """What the first of the models says that can be reached."""
        failed = Failed(Failure.NOT_CONFIGURED, "no model is configured")
        for model in chain:
            self._tally.model = model
            for again in range(self._retries + 1):
                said = await self._once(model)
                if isinstance(said, Spoken):
                    return said
                failed = said
                pause = _pause(said, again)
                if said.failure not in TRY_AGAIN or again == self._retries or pause > min(LONGEST_PAUSE_SECONDS, self._tally.seconds_left):
                    break
                await asyncio.sleep(pause)
            if not (failed.is_outage or failed.failure is Failure.BUSY) or self._tally.seconds_left <= 0:
                return failed
        return failed

    async def hear(self, spoken: Spoken) -> AnswerT | Failed | None:
        """The answer in what was said; None where tools were asked for and the question goes on."""
        if not spoken.calls:
            return Failed(Failure.NO_ANSWER, "words came instead of an answer")
        for asked in spoken.calls:
            if asked.name == ANSWER:
                return parsed(asked, self._call.answer)
        known = {tool.name for tool in self._call.tools}
        if any(asked.name not in known for asked in spoken.calls):
            return Failed(Failure.UNKNOWN_TOOL, "a tool was asked for that there is not")
        results = [await self._run(asked, n) for n, asked in enumerate(spoken.calls)]
        self._messages += heard(spoken, results, len(self._messages))
        return None

    async def _once(self, model: str) -> Spoken | Failed:
        """One call on the wire, admitted and settled; or the answer to the same call that was paid for before."""
        if self._tally.seconds_left <= 0:
            return Failed(Failure.TIMEOUT, f"no answer within {self._call.bounds.seconds:.1f} seconds")
        admitted = await self._admitted(model)
        if isinstance(admitted, Failed):
            return admitted
        if isinstance(admitted, Replayed):
            self._tally.model = admitted.model
            return Spoken.model_validate(admitted.answer)
        said = await self._wire.speak(model, self._messages, self._tools, self._call.bounds.output_tokens, self._call_seconds)
        used = self._tally.add(model, said.tokens)
        await self._books.settle(admitted.call_id, used.model_copy(update=_ending(said)))
        return said

    @property
    def _call_seconds(self) -> float:
        """How long the next call may take: as long as any, and not beyond the question's own end."""
        return max(0.0, min(self._wire.call_seconds, self._tally.seconds_left))

    async def _admitted(self, model: str) -> Granted | Replayed | Failed:
        """The books' leave; waits for room as long as the question may take."""
        want = self._want(model)
        while True:
            admission = await self._books.admit(want)
            match admission:
                case Granted() | Replayed():
                    return admission
                case Denied():
                    # What one model may not any more, the next one in the chain may: a breaker is a model's own, a budget is not.
                    return Failed(admission.failure, admission.why, is_outage=admission.failure is Failure.BREAKER_OPEN)
                case NotNow():
                    if admission.wait_seconds > self._tally.seconds_left:
                        return Failed(Failure.BUSY, admission.why)
                    await asyncio.sleep(admission.wait_seconds)

    def _want(self, model: str) -> Want:
        asked = canonical_json([self._messages, self._tools])
        dearest = len(asked.encode()) + TOKENS_AROUND * len(self._messages)
        output = self._call.bounds.output_tokens
        return Want(
            model=model,
            agent=self._call.agent,
            case_id=self._call.case_id,
            decision_id=self._call.decision_id,
            question=digest([self._messages, self._tools]),
            tokens_at_most=dearest + output,
            cost_at_most_usd_micro=_cost(price_of(model), dearest, output),
            seconds=self._call_seconds,
        )

    async def _run(self, asked: Asked, number: int) -> str:
        """A tool's result for the model, bounded; what is wrong with its arguments is told, so that it can ask better."""
        if number >= TOOLS_A_STEP:
            return f"Not answered: at most {TOOLS_A_STEP} tools at once."
        tool = next(tool for tool in self._call.tools if tool.name == asked.name)
        args = parsed(asked, tool.args)
        if isinstance(args, Failed):
            return "Not answered: the arguments are not of the tool's schema."
        result = (await tool.run(args))[: self._call.bounds.tool_chars]
        self._tally.tool_uses.append(ToolUse(tool=tool.name, args=args.model_dump(mode="json"), chars=len(result)))
        return result


def _pause(failed: Failed, again: int) -> float:
    return failed.silent_seconds if failed.silent_seconds is not None else FIRST_PAUSE_SECONDS * 2**again


def _ending(said: Spoken | Failed) -> Json:
    if isinstance(said, Spoken):
        return {"answer": said.model_dump(mode="json")}
    return {"failure": said.failure, "detail": said.detail, "is_outage": said.is_outage, "silent_seconds": said.silent_seconds or 0.0}


def _cost(price: Price | None, input_tokens: int, output_tokens: int) -> int | None:
    return price.cost_usd_micro(input_tokens, output_tokens) if price else None
