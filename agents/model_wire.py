"""One call on the wire: a chat completion asked for as a stream, and everything that can go wrong with it as a cause.

What the client library makes of an answer is not believed where it mends: it closes brackets that a model left open, gives a stream that
broke off like one that ended, and drops a streamed refusal. So the arguments are read as they came, and the finish reason is asked for.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from recoup.model_port import Failure
from recoup.record import Record

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk
    from langchain_openai import ChatOpenAI
    from openai import APIStatusError

Json = dict[str, Any]
CONNECT_SECONDS = 5.0
# An answer that is longer than its tokens can be is cut off, whatever the server thinks of the bound.
CHARS_A_TOKEN = 16
SLACK_CHARS = 2_000
NOTHING = (0, 0)
# No call takes more; whoever says so has miscounted.
MOST_TOKENS = 10_000_000
# A NUL, and halves of surrogate pairs: no database keeps them, and no answer needs them.
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
FINISHED = frozenset({"stop", "tool_calls", "function_call"})


class Asked(Record):
    """A tool call as it came: ``args`` is the model's own text."""

    name: str
    args: str


class Spoken(Record):
    """What a model said, whole. ``tokens``: of input and output; None where the server does not tell."""

    calls: tuple[Asked, ...]
    content: str
    tokens: tuple[int, int] | None


@dataclass(frozen=True)
class Failed:
    """No use can be made of it. ``is_outage``: of the other side or the way there, whatever was asked. ``silent_seconds``: what it asked
    for. ``tokens``: None where nobody knows what was used up."""

    failure: Failure
    detail: str
    is_outage: bool = False
    silent_seconds: float | None = None
    tokens: tuple[int, int] | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where the models are. ``call_seconds``: the longest that one call may take."""

    base_url: str | None
    api_key: str
    call_seconds: float


class Wire:
    """The connection to one endpoint: one client a model, made when it is first asked, kept as long as the process."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.call_seconds = endpoint.call_seconds
        self._endpoint = endpoint
        self._clients: dict[str, ChatOpenAI] = {}

    async def speak(
        self, model: str, messages: Sequence[Json], tools: Sequence[Json], output_tokens: int, seconds: float
    ) -> Spoken | Failed:
        """One completion in which the model must call one of ``tools``, within ``seconds``."""
        # Who may call only one tool is told so by name: some servers know no other way to demand it.
        only = {"type": "function", "function": {"name": tools[0]["function"]["name"]}}
        choice = only if len(tools) == 1 else "required"
        most_chars = output_tokens * CHARS_A_TOKEN + SLACK_CHARS
        heard = _Heard()
        try:
            stream = self._client(model).astream(list(messages), tools=list(tools), tool_choice=choice, max_tokens=output_tokens)
            async with asyncio.timeout(seconds), aclosing(cast("AsyncGenerator[AIMessageChunk]", stream)) as pieces:
                async for piece in pieces:
                    heard.add(piece)
                    if heard.chars > most_chars:
                        return Failed(Failure.TOO_LONG, f"cut off after {heard.chars} characters")
        except Exception as exc:  # noqa: BLE001 - whatever the client broke on, there is no answer, and the cause is told
            return _failure_of(exc, seconds)
        return _read(heard)

    def _client(self, model: str) -> "ChatOpenAI":
        if model not in self._clients:
            self._clients[model] = _chat_class()(
                model=model,
                base_url=self._endpoint.base_url,
                api_key=SecretStr(self._endpoint.api_key),
                timeout=(CONNECT_SECONDS, self.call_seconds, self.call_seconds, self.call_seconds),
                # Whoever keeps the books decides on another try; the client's own would be neither counted nor limited.
                max_retries=0,
                streaming=True,
                stream_usage=True,
            )
        return self._clients[model]


@lru_cache(maxsize=1)
def _chat_class() -> "type[ChatOpenAI]":
    # Loaded when a model is first asked: it takes a second and a half to import.
    from langchain_openai import ChatOpenAI

    class ChatThatTellsRefusals(ChatOpenAI):
        """Keeps a streamed refusal, which its base class drops."""

        def _convert_chunk_to_generation_chunk(self, chunk: Json, default_chunk_class: type, base_generation_info: Json | None) -> Any:
            generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
            choices: list[Json] = chunk.get("choices") or []
            delta: Json = (choices[0].get("delta") or {}) if choices else {}
            if generation is not None and delta.get("refusal"):
                generation.message.additional_kwargs["refusal"] = delta["refusal"]
            return generation

    return ChatThatTellsRefusals


@dataclass
class _Heard:
    """A stream so far. It is put together here, since the client library's own sum of two pieces parses all that came before."""

    names: dict[int, str] = field(default_factory=dict[int, str])
    args: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    content: list[str] = field(default_factory=list[str])
    chars: int = 0
    finish_reason: str | None = None
    is_refused: bool = False
    tokens: tuple[int, int] | None = None

    def add(self, piece: "AIMessageChunk") -> None:
        """One more piece."""
        for call in piece.tool_call_chunks:
            index, args = call["index"] or 0, call["args"] or ""
            self.names[index] = self.names.get(index, "") + (call["name"] or "")
            self.args.setdefault(index, []).append(args)
            self.chars += len(args)
        self.content.append(str(piece.content))
        self.chars += len(self.content[-1])
        self.finish_reason = piece.response_metadata.get("finish_reason") or self.finish_reason
        self.is_refused |= bool(piece.additional_kwargs.get("refusal"))
        if piece.usage_metadata:
            told = piece.usage_metadata
            self.tokens = (min(MOST_TOKENS, max(0, told["input_tokens"])), min(MOST_TOKENS, max(0, told["output_tokens"])))


def _read(heard: _Heard) -> Spoken | Failed:
    """What was said, where it came to a proper end."""
    calls = tuple(Asked(name=name, args="".join(heard.args[index])) for index, name in sorted(heard.names.items()))
    content, reason, tokens = "".join(heard.content), heard.finish_reason, heard.tokens
    if UNSTORABLE.search(content) or any(UNSTORABLE.search(call.name + call.args) for call in calls):
        return Failed(Failure.MALFORMED, "characters came that no text has", tokens=tokens)
    if heard.is_refused:
        return Failed(Failure.REFUSED, "the model refused", tokens=tokens)
    if reason == "content_filter":
        return Failed(Failure.FILTERED, "a content filter of the server's stopped the answer", tokens=tokens)
    if reason == "length":
        return Failed(Failure.TOO_LONG, "the answer reached its bound", tokens=tokens)
    if not calls and not content:
        return Failed(Failure.EMPTY, "nothing was answered", is_outage=reason is None, tokens=tokens)
    if reason not in FINISHED:
        return Failed(Failure.TRUNCATED, "the answer broke off", is_outage=True, tokens=tokens)
    return Spoken(calls=calls, content=content, tokens=tokens)


def _failure_of(exc: Exception, seconds: float) -> Failed:
    """The cause behind what the client raised. Its messages are not repeated: they may quote what was sent."""
    import openai

    match exc:
        case TimeoutError() | openai.APITimeoutError():
            return Failed(Failure.TIMEOUT, f"no answer within {seconds:.1f} seconds", is_outage=True)
        case openai.APIConnectionError():
            return Failed(Failure.CONNECTION, "the connection failed or was reset", is_outage=True)
        case openai.RateLimitError():
            return Failed(Failure.RATE_LIMITED, "HTTP 429", is_outage=True, silent_seconds=_silence(exc), tokens=NOTHING)
        case openai.APIStatusError() if exc.status_code >= 500:
            return Failed(Failure.UNAVAILABLE, f"HTTP {exc.status_code}", is_outage=True, silent_seconds=_silence(exc), tokens=NOTHING)
        case openai.APIStatusError():
            return Failed(Failure.REJECTED, f"HTTP {exc.status_code}", is_outage=True, tokens=NOTHING)
        case openai.APIError():
            return Failed(Failure.UNAVAILABLE, "an error came in the middle of the answer", is_outage=True)
        case json.JSONDecodeError():
            return Failed(Failure.MALFORMED, "what came is no JSON", is_outage=True)
        case _:
            return Failed(Failure.EMPTY, f"nothing was answered that can be read ({type(exc).__name__})", is_outage=True)


def _silence(exc: "APIStatusError") -> float | None:
    """Retry-After in seconds; None where it is not told, or told as a date."""
    told = exc.response.headers.get("retry-after", "")
    return float(told) if SECONDS.fullmatch(told) else None
