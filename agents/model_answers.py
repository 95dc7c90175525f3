"""The words of the tool protocol: what a model may call, what it called, and how the next step is told of it. Nothing is mended."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from pydantic import ValidationError

from agents.model_wire import UNSTORABLE, Asked, Failed, Spoken
from recoup.model_port import AnswerT, Failure
from recoup.record import Record

Json = dict[str, Any]


@lru_cache(maxsize=256)
def schema_of(shape: type[Record]) -> Json:
    """Its JSON schema; made once."""
    return shape.model_json_schema()


def function(name: str, description: str, schema: Json) -> Json:
    """One thing that a model may call."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def parsed(asked: Asked, shape: type[AnswerT]) -> AnswerT | Failed:
    """The arguments as the model wrote them, and nothing mended."""
    try:
        value: object = json.loads(asked.args)
        if not _is_storable(value):
            return Failed(Failure.MALFORMED, "the answer has characters that no text has")
    except (ValueError, RecursionError):
        return Failed(Failure.MALFORMED, "the answer is no JSON")
    try:
        return shape.model_validate(value)
    except ValidationError as exc:
        # Fields that we know, and neither names nor values of others: those are the model's words.
        named = {str(error["loc"][0]) if error["loc"] else "answer" for error in exc.errors()}
        wrong = sorted({name if name in {*shape.model_fields, "answer"} else "a field that there is not" for name in named})
        return Failed(Failure.WRONG_SHAPE, f"the answer is not of the asked shape: {', '.join(wrong)}")


def _is_storable(value: object) -> bool:
    """Whether all texts in it can be kept."""
    match value:
        case str():
            return UNSTORABLE.search(value) is None
        case dict():
            pairs = cast("dict[str, object]", value).items()
            return all(_is_storable(key) and _is_storable(item) for key, item in pairs)
        case list():
            return all(_is_storable(item) for item in cast("list[object]", value))
        case _:
            return True


def heard(spoken: Spoken, results: Sequence[str], at: int) -> list[Json]:
    """The step as the next one is told of it. Ids are our own: a server's may be missing, or the same twice."""
    ids = [f"call_{at}_{n}" for n in range(len(spoken.calls))]
    calls = [
        {"id": name, "type": "function", "function": {"name": asked.name, "arguments": asked.args if _is_object(asked.args) else "{}"}}
        for name, asked in zip(ids, spoken.calls, strict=True)
    ]
    said: Json = {"role": "assistant", "content": spoken.content, "tool_calls": calls}
    return [said, *({"role": "tool", "tool_call_id": name, "content": told} for name, told in zip(ids, results, strict=True))]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
