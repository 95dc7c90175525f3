"""Finds exact words, codes and ids in the chunks of tickets: BM25, held in memory and filled from the vector store.

An embedding blurs ``R01`` and ``INV-2024-0081`` into "some code"; here each is a word of its own. What is kept is how often each chunk has
each word. Texts are read from the store when a chunk was found, so a chunk that is gone there is found here for nothing.
"""

import re
import unicodedata
from array import array
from collections import Counter

import numpy as np

from memory.ticket_shelf import Allows
from recoup.tickets import AccountRef

SATURATION, LENGTH_WEIGHT = 1.2, 0.75  # k1 and b, as everybody has them
STEM_CHARS = 6  # endings are cut off: a stemmer for every language at once, and for none well
LONG_NUMBER = 5
_TOKEN = re.compile(r"[^\W_]+(?:[-_./:][^\W_]+)*")
_PARTS = re.compile(r"[-_./:]")


def words(text: str) -> list[str]:
    """The words of a text as they are compared: without case and accents, long ones cut, a compound code also in its parts."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
    found: list[str] = []
    for token in _TOKEN.findall(plain):
        parts = _PARTS.split(token)
        found += [token] if is_code(token) or len(parts) > 1 else []
        found += [part for part in map(_stem, parts) if len(parts) > 1 or not is_code(token)]
    return found


def is_code(word: str) -> bool:
    """Whether it is a code or an id, of which every character counts."""
    return any(char.isdigit() for char in word) or "_" in word


def is_exact(word: str) -> bool:
    """Whether a word can be nothing but a code or an id: a plain number may also be an amount or a day."""
    digits = sum(char.isdigit() for char in word)
    return "_" in word or digits >= LONG_NUMBER or 0 < digits < sum(char.isalnum() for char in word)


def _stem(word: str) -> str:
    return word if is_code(word) else word[:STEM_CHARS]


class KeywordIndex:
    """Chunks by their words. Not for several threads at once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # chunk id: its newest number
        self._ids: list[str] = []
        self._owners: dict[AccountRef, int] = {}
        self._owner_of = array("I")
        self._lengths = array("I")  # 0: replaced or removed
        self._postings: dict[str, tuple[array[int], array[int]]] = {}  # word: numbers of chunks, and how often in each

    def __len__(self) -> int:
        return len(self._numbers)

    def put(self, chunk_id: str, owner: AccountRef, text: str) -> None:
        """Adds or replaces a chunk."""
        self.remove(chunk_id)
        number = self._numbers[chunk_id] = len(self._ids)
        self._ids.append(chunk_id)
        self._owner_of.append(self._owners.setdefault(owner, len(self._owners)))
        counted = Counter(words(text))
        self._lengths.append(max(1, counted.total()))
        for word, count in counted.items():
            numbers, counts = self._postings.setdefault(word, (array("I"), array("H")))
            numbers.append(number)
            counts.append(min(count, 0xFFFF))

    def remove(self, chunk_id: str) -> None:
        """Takes a chunk out, if it is there."""
        number = self._numbers.pop(chunk_id, None)
        if number is not None:
            self._lengths[number] = 0

    def knows_code(self, query: str) -> bool:
        """Whether the query names a code that some chunk has, whosever it is."""
        return any(is_exact(word) and word in self._postings for word in words(query))

    def search(self, query: str, allows: Allows, limit: int) -> list[tuple[str, float]]:
        """The best chunks among those whose owner is allowed, with their scores, best first; none that has no word of the query."""
        lengths = np.frombuffer(self._lengths, dtype=np.uint32).astype(np.float64) if self._ids else np.zeros(0)
        is_open = np.array([allows(owner) for owner in self._owners], dtype=bool)
        scores = np.zeros(len(self._ids))
        if not len(self) or not is_open.any():
            return []
        mean = lengths.sum() / len(self)
        for word in set(words(query)):
            if word in self._postings:
                numbers, counts = (np.array(column) for column in self._postings[word])
                counts, numbers = counts[lengths[numbers] > 0], numbers[lengths[numbers] > 0]
                rarity = np.log1p((len(self) - len(numbers) + 0.5) / (len(numbers) + 0.5))
                norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * lengths[numbers] / mean)
                scores[numbers] += rarity * counts * (SATURATION + 1) / (counts + norm)
        scores[~is_open[np.frombuffer(self._owner_of, dtype=np.uint32)]] = 0.0
        best = np.argsort(-scores, kind="stable")[:limit]
        return [(self._ids[number], float(scores[number])) for number in best if scores[number] > 0]
