"""Chance without a stream: every draw is a hash of what it is about, so no order of events and no restart changes an outcome."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
SCALE = float(1 << 53)


class Dice:
    """Draws for one seed. The same words always give the same number, whoever asks and whenever."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._prefix = f"{seed}\x1f"

    def draw(self, *about: object) -> float:
        """A number in [0, 1) that depends on the seed and on ``about`` alone."""
        text = self._prefix + "\x1f".join(map(str, about))
        return (int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 11) / SCALE

    def happens(self, share: float, *about: object) -> bool:
        """True in ``share`` of all cases."""
        return self.draw(*about) < share

    def whole(self, low: int, high: int, *about: object) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self.draw(*about) * (high - low + 1))

    def choose(self, weighted: Sequence[tuple[T, float]], *about: object) -> T:
        """One of the values, each as likely as its weight says."""
        total = 0.0
        for _, weight in weighted:
            total += weight
        at = self.draw(*about) * total
        for value, weight in weighted:
            at -= weight
            if at < 0:
                return value
        return weighted[-1][0]

    def order(self, items: Sequence[T], *about: object) -> list[T]:
        """The items in an order of their own."""
        return [item for _, _, item in sorted((self.draw(*about, place), place, item) for place, item in enumerate(items))]
