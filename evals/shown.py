"""Hostile text as a person may look at it: nothing in it becomes markup, and nothing in it stays unseen."""

import difflib
import html
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(text: str) -> str:
    """Safe in HTML, in elements and in quoted attributes. What turns, hides or ends a line stands there by its number."""
    return "".join(char if char == "\n" or not _is_hidden(char) else f"⟦U+{ord(char):04X}⟧" for char in html.escape(text, quote=True))


def readable(value: object) -> str:
    """Nested values as lines for people: a text that has lines of its own keeps them."""
    return "\n".join(_lines(value, ""))


def side_by_side(a: str, b: str) -> tuple[str, str]:
    """Both texts as HTML, with the lines marked that the other has not."""
    left, right = a.split("\n"), b.split("\n")
    marked = [[shown(line) for line in lines] for lines in (left, right)]
    for tag, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag != "equal":
            _mark(marked[0], range(a_from, a_to))
            _mark(marked[1], range(b_from, b_to))
    return "\n".join(marked[0]), "\n".join(marked[1])


def _mark(lines: list[str], places: Iterable[int]) -> None:
    for place in places:
        lines[place] = f"<mark>{lines[place]}</mark>"


def _lines(value: object, indent: str) -> Iterator[str]:
    parts = _parts(value)
    if parts is None:
        yield from (indent + line for line in str(value).split("\n"))
        return
    for mark, part in parts:
        if _parts(part) is None and "\n" not in str(part):
            yield f"{indent}{mark} {part}"
        else:
            yield f"{indent}{mark}"
            yield from _lines(part, indent + "  ")


def _parts(value: object) -> list[tuple[str, object]] | None:
    if isinstance(value, Mapping):
        return [(f"{key}:", part) for key, part in cast("Mapping[str, object]", value).items()]
    if isinstance(value, list | tuple):
        return [("-", part) for part in cast("list[object]", value)]
    return None


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in HIDDEN
