"""Reads the parameters of a request as Stripe does: what is not known by name is refused, whatever it is."""

import re
from collections.abc import Callable
from typing import Any

from tests.vendors.stripe_errors import Refusal

Kind = Callable[[Any, str], Any]
Kinds = dict[str, Kind]


def text(value: Any, name: str) -> str:
    """Text, not empty."""
    if not isinstance(value, str):
        raise Refusal(400, f"Invalid string: {name} was given as an object.", param=name)
    if not value:
        raise Refusal(400, f"You passed an empty string for '{name}'.", code="parameter_invalid_empty", param=name)
    return value


def whole(value: Any, name: str) -> int:
    """An integer."""
    if not isinstance(value, str) or not re.fullmatch(r"-?\d+", value):
        raise Refusal(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def truth(value: Any, name: str) -> bool:
    """``true`` or ``false``."""
    if value not in {"true", "false"}:
        raise Refusal(400, f"Invalid boolean: {value}", param=name)
    return value == "true"


def metadata(value: Any, name: str) -> dict[str, str] | None:
    """Keys and values of the caller's own; an empty value unsets one, an empty text instead of them (None here) unsets all."""
    if value == "":
        return None
    if not isinstance(value, dict):
        raise Refusal(400, "Invalid hash", param=name)
    pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - a decoded form
    for key, item in pairs.items():
        if not isinstance(item, str) or len(item) > 500 or len(key) > 40:
            raise Refusal(400, f"Metadata keys have at most 40 and values at most 500 characters: {key}", param=f"{name}[{key}]")
    if len(pairs) > 50:
        raise Refusal(400, "Metadata can have at most 50 keys.", param=name)
    return pairs


def texts(value: Any, name: str) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list):
        raise Refusal(400, "Invalid array", param=name)
    items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - a decoded form
    return [text(item, name) for item in items]


def one_of(*allowed: str) -> Kind:
    """One of some words."""

    def kind(value: Any, name: str) -> str:
        if value not in allowed:
            raise Refusal(400, f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
        return value

    return kind


def nested(kinds: Kinds) -> Kind:
    """An object with known keys."""

    def kind(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Refusal(400, "Invalid object", param=name)
        return read(value, kinds, name)  # pyright: ignore[reportUnknownArgumentType] - a decoded form

    return kind


def unsettable(inner: Kind) -> Kind:
    """Something, or an empty text, which unsets it."""
    return lambda value, name: None if value == "" else inner(value, name)


def span(value: Any, name: str) -> dict[str, int]:
    """A range of time, or one instant."""
    if isinstance(value, str):
        return {"gte": whole(value, name), "lte": whole(value, name)}
    return nested({"gt": whole, "gte": whole, "lt": whole, "lte": whole})(value, name)


def limit(value: Any, name: str) -> int:
    """How many on a page: 1 to 100."""
    number = whole(value, name)
    if not 1 <= number <= 100:
        raise Refusal(400, f"This value must be between 1 and 100 (it currently is '{number}').", param=name)
    return number


PAGING: Kinds = {"limit": limit, "starting_after": text, "ending_before": text}


def read(given: dict[str, Any], kinds: Kinds, inside: str = "") -> dict[str, Any]:
    """The values of the parameters given. Raises Refusal with ``parameter_unknown`` for the others."""

    def full(name: str) -> str:
        return f"{inside}[{name}]" if inside else name

    unknown = [full(name) for name in given if name not in kinds]
    if unknown:
        names = ("s: " if len(unknown) > 1 else ": ") + ", ".join(unknown)
        raise Refusal(400, f"Received unknown parameter{names}", code="parameter_unknown", param=unknown[0])
    return {name: kinds[name](value, full(name)) for name, value in given.items()}
