"""Hostile text as a person may look at it: nothing in it becomes markup, and nothing in it stays unseen."""

import html
import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(text: str) -> str:
    """Safe in HTML, in elements and in quoted attributes. What turns, hides or ends a line stands there by its number."""
    return "".join(char if char == "\n" or not _is_hidden(char) else f"⟦U+{ord(char):04X}⟧" for char in html.escape(text, quote=True))


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in HIDDEN
