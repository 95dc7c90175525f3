"""Shows a stranger's words to a model as data: every line is marked, nothing invisible is left, and no line can pretend to be ours."""

import unicodedata

from recoup.digest import digest

MARK_CHARS = 8
# Format, private, unassigned, surrogate and control characters: what a person would not see, a model must not read.
INVISIBLE = frozenset({"Cf", "Co", "Cn", "Cs", "Cc"})
SHOWN_INSTEAD = str.maketrans({"<": "‹", ">": "›"})


def visible(text: str) -> str:
    """The text as a person sees it: composed, without invisible characters, and without signs that are markup elsewhere."""
    composed = unicodedata.normalize("NFKC", text)
    kept = "".join(" " if char == "\t" else char for char in composed if char in "\n\t" or unicodedata.category(char) not in INVISIBLE)
    return kept.translate(SHOWN_INSTEAD)


def mark_of(text: str) -> str:
    """What stands before every line of the quote. It is made of the whole text, so that no text can hold its own mark."""
    return digest(text)[:MARK_CHARS]


def quoted(text: str, mark: str) -> str:
    """Every line of it behind the mark."""
    return "\n".join(f"{mark}| {line}" for line in visible(text).split("\n"))
