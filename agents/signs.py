"""Plain words that make a person look: the floor under every reading, so that no model can talk a sign away."""

import re
import tomllib
import unicodedata
from functools import lru_cache
from importlib.resources import files

from recoup.record import Record
from recoup.texts import Intent, Signal, TextReading

INVISIBLE = frozenset({"Cf", "Co", "Cn", "Cs", "Mn", "Me"})


class _Document(Record):
    signals: dict[Signal, tuple[str, ...]]
    opt_out: dict[str, tuple[str, ...]]


def read_by_rules(text: str) -> TextReading:
    """What plain words alone say of a text, in any of our languages. It never says what a text is not about."""
    seen = _folded(text)
    signals, opt_out = _patterns()
    found = tuple(signal for signal, pattern in signals.items() if pattern.search(seen))
    wants_silence = opt_out.search(seen) is not None
    return TextReading(intent=Intent.OPT_OUT if wants_silence else Intent.OTHER, signals=found, opt_out=wants_silence)


@lru_cache(maxsize=1)
def _patterns() -> tuple[dict[Signal, re.Pattern[str]], re.Pattern[str]]:
    text = files("agents").joinpath("signs.toml").read_text(encoding="utf-8")
    document = _Document.model_validate(tomllib.loads(text))
    signals = {signal: re.compile("|".join(words)) for signal, words in document.signals.items()}
    return signals, re.compile("|".join(document.opt_out["words"]), re.MULTILINE)


def _folded(text: str) -> str:
    """In lower case, without accents and without what nobody sees: tricks with characters hide no word."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if unicodedata.category(char) not in INVISIBLE).casefold()
