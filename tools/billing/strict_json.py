"""JSON from outside, read so that two readers can never see two different documents in it."""

import json
from typing import NoReturn

from recoup.errors import Malformed


def parse_object(payload: str) -> dict[str, object]:
    """The object that ``payload`` is; raises Malformed for anything else, a key given twice, NaN, or nesting without end."""
    try:
        value = json.loads(payload, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except Malformed:
        raise
    except RecursionError as exc:
        raise Malformed("the body is nested too deeply") from exc
    except ValueError as exc:
        raise Malformed("the body is not valid JSON") from exc
    if not isinstance(value, dict):
        raise Malformed("the body is not a JSON object")
    return value  # pyright: ignore[reportUnknownVariableType] - a JSON object


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("the body gives a key twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"the body holds {name}, which is not JSON")
