"""Columns of text taken for what they mean: words as codes into a sorted vocabulary, and times, amounts, claims and shares as numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSENT = -1
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()
MOST_MINOR = 10**15
CLAIMS = {"true": 1.0, "1": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "no": 0.0}


@dataclass(frozen=True)
class Coded:
    """A column of words: row ``i`` holds ``words[codes[i]]``, or nothing where the code is -1. ``words`` are sorted, each there once."""

    codes: NDArray[np.int32]
    words: tuple[str, ...]

    def at(self, row: int) -> str | None:
        """The row's word."""
        code = int(self.codes[row])
        return None if code == ABSENT else self.words[code]

    def taken(self, rows: NDArray[np.intp]) -> "Coded":
        """The same vocabulary, some rows in some order."""
        return Coded(self.codes[rows], self.words)

    def is_word(self, word: str) -> NDArray[np.bool_]:
        """Where this word stands."""
        return self.codes == self.words.index(word) if word in self.words else np.zeros(len(self.codes), np.bool_)

    @property
    def is_told(self) -> NDArray[np.bool_]:
        """Where there is any."""
        return self.codes != ABSENT


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, NaN where there is none; ``told`` is what stood there, to be quoted."""

    values: NDArray[np.float64]
    told: Coded

    @property
    def is_unreadable(self) -> NDArray[np.bool_]:
        """Where something stood that is no such number."""
        return self.told.is_told & np.isnan(self.values)


def coded(column: Any, length: int, normal: Callable[[str], str] = str.strip) -> Coded:
    """A column of text, or None for one that the file has not; two spellings that ``normal`` makes equal are one word."""
    codes, given = _encoded(column, length)
    spelled = [normal(word) for word in given]
    words = tuple(sorted({word for word in spelled if word}))
    place = {word: code for code, word in enumerate(words)}
    codes_of = np.fromiter((place.get(word, ABSENT) for word in [*spelled, ""]), np.int32, len(spelled) + 1)
    return Coded(codes_of[codes], words)


def numbers(column: Any, length: int, parse: Callable[[str], float]) -> Numbers:
    """A column of numbers; ``parse`` gives NaN for what is none."""
    codes, given = _encoded(column, length)
    spelled = [word.strip() for word in given]
    values = np.fromiter((parse(word) if word else math.nan for word in [*spelled, ""]), np.float64, len(spelled) + 1)
    told = np.fromiter((place if word else ABSENT for place, word in enumerate([*spelled, ""])), np.int32, len(spelled) + 1)
    return Numbers(values[codes], Coded(told[codes], tuple(spelled)))


def parse_instant(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time with a zone, or of epoch seconds between 2000 and 2100."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return math.nan
        if at.tzinfo is None:
            return math.nan
        seconds = at.timestamp()
    return seconds if EARLIEST <= seconds < LATEST else math.nan


def parse_since(text: str) -> float:
    """An instant, or a day, which begins in UTC."""
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() if day else parse_instant(text)


def parse_amount(text: str) -> float:
    """A whole number of minor units, negative ones too; a fraction is none."""
    try:
        amount = float(text)
    except ValueError:
        return math.nan
    return amount if abs(amount) <= MOST_MINOR and amount == int(amount) else math.nan


def parse_claim(text: str) -> float:
    """1 or 0."""
    return CLAIMS.get(text.lower(), math.nan)


def parse_share(text: str) -> float:
    """A probability above 0."""
    try:
        share = float(text)
    except ValueError:
        return math.nan
    return share if 0 < share <= 1 else math.nan


def carried_forward(values: NDArray[Any], is_told: NDArray[np.bool_], starts: NDArray[np.bool_]) -> NDArray[Any]:
    """Each untold value is the last one told before it since the last start; where there is none it stays as it is."""
    place = np.arange(len(values))
    begun = np.maximum.accumulate(np.where(starts, place, 0))
    last = np.maximum.accumulate(np.where(is_told, place, -1))
    return np.where(last >= begun, values[np.maximum(last, 0)], values)


def _encoded(column: Any, length: int) -> tuple[NDArray[np.int64], Sequence[str]]:
    """Where in the words each row's is; behind the last one for a row that has none."""
    if column is None:
        return np.zeros(length, np.int64), ()
    array = column.combine_chunks().dictionary_encode()
    words: list[str] = array.dictionary.to_pylist()
    return array.indices.fill_null(len(words)).to_numpy(zero_copy_only=False).astype(np.int64), words
