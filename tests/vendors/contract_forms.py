"""Decodes queries and forms as vendors do: ``a[b]=1&c[]=x&d[0][e]=2`` becomes objects and lists of text."""

import re
from typing import Any
from urllib.parse import parse_qsl

# Their keys are the caller's own, so digits there do not make a list.
FREE_KEYS = frozenset({"metadata"})
TEXT = re.compile(r"^[^\[\]]+(\[[^\[\]]*\])*$")


class Undecodable(ValueError):
    """A name with brackets that do not match, or a name used both as a value and as an object."""


def decode(text: str) -> dict[str, Any]:
    """The nested value of a query or form. Raises Undecodable."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        if not TEXT.match(name):
            raise Undecodable(f"the brackets of {name!r} do not match")
        parts = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        _put(root, parts, value, name)
    return {key: _with_lists(value, key) for key, value in root.items()}


def _put(root: dict[str, Any], parts: list[str], value: str, name: str) -> None:
    node: dict[str, Any] = root
    for part in parts[:-1]:
        inner: Any = node.setdefault(part or str(len(node)), {})
        if not isinstance(inner, dict):
            raise Undecodable(f"{name!r} is both a value and an object")
        node = inner  # pyright: ignore[reportUnknownVariableType] - made above
    last = parts[-1] or str(len(node))
    if last in node:
        raise Undecodable(f"{name!r} is given twice")
    node[last] = value


def _with_lists(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return value
    inner: dict[str, Any] = {key: _with_lists(item, key) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if name not in FREE_KEYS and set(inner) == {str(n) for n in range(len(inner))}:
        return [inner[str(n)] for n in range(len(inner))]
    return inner
