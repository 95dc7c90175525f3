"""The lists of wording.toml as patterns, one entry a language; read once."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

from pydantic import TypeAdapter

from recoup.record import Record


class WordLists(Record):
    """What stands in the file for one language."""

    never: tuple[str, ...]
    offers: tuple[str, ...]
    common: tuple[str, ...]


class Language:
    """One language's lists, ready to search a text with."""

    def __init__(self, lists: WordLists) -> None:
        self.never = _any_of(lists.never)
        self.offers = _any_of(lists.offers)
        self.common = frozenset(lists.common)


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Language]:
    """By ISO 639-1 code: those that a model may write in."""
    text = files("agents").joinpath("wording.toml").read_text(encoding="utf-8")
    found = TypeAdapter(dict[str, WordLists]).validate_python(tomllib.loads(text))
    return {code: Language(lists) for code, lists in found.items()}


def language_of(locale: str) -> str | None:
    """The language of a locale such as ``pt-BR``; None where no lists are kept for it."""
    code = re.split(r"[-_]", locale.lower(), maxsplit=1)[0]
    return code if code in languages() else None


def spoken_in(text: str) -> Mapping[str, int]:
    """How many of each language's common words stand in the text."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    return {code: sum(word in language.common for word in words) for code, language in languages().items()}


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    parts = (re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for word in words)
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE)
