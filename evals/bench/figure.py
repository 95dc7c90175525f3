"""A figure: a measure beside its yardstick, in repeats that take turns, so that what else the machine does falls on both."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any

from pydantic import Field

from recoup.record import Record

MeasureOnce = Callable[[], Awaitable[float]]


class Figure(Record):
    """``ratio`` is the median of the ratios of neighbouring repeats, ``spread`` their least and greatest. ``holds`` is None where nothing
    is promised; ``extra`` goes into the line as it is."""

    name: str
    ratio: float
    spread: tuple[float, float]
    floor: float | None = None
    ceiling: float | None = None
    extra: dict[str, Any] = Field(default_factory=dict[str, Any])

    @property
    def holds(self) -> bool | None:
        """Whether the promise is kept."""
        if self.floor is not None:
            return self.ratio >= self.floor
        return None if self.ceiling is None else self.ratio <= self.ceiling

    def line(self) -> dict[str, Any]:
        """The figure as one flat object."""
        bound = {"floor": self.floor} if self.ceiling is None else {"ceiling": self.ceiling}
        least, greatest = self.spread
        shown = {"name": self.name, "ratio": round(self.ratio, 3), "spread": [round(least, 3), round(greatest, 3)]}
        return shown | bound | {"holds": self.holds} | self.extra


def compare(
    name: str,
    measured: Sequence[float],
    yardstick: Sequence[float],
    *,
    floor: float | None = None,
    ceiling: float | None = None,
    **extra: Any,
) -> Figure:
    """The figure of repeats that took turns: the n-th of one stands beside the n-th of the other."""
    ratios = [one / other for one, other in zip(measured, yardstick, strict=True)]
    return Figure(name=name, ratio=median(ratios), spread=(min(ratios), max(ratios)), floor=floor, ceiling=ceiling, extra=extra)


async def take_turns(repeats: int, *measures: MeasureOnce) -> tuple[list[float], ...]:
    """Measures A B A B …, after one round that nobody counts: caches fill, statements are prepared."""
    rounds: list[list[float]] = []
    for _ in range(repeats + 1):
        rounds.append([await measure() for measure in measures])
        tell(" / ".join(f"{value:.4g}" for value in rounds[-1]) + ("" if len(rounds) > 1 else " (not counted)"))
    return tuple([values[place] for values in rounds[1:]] for place in range(len(measures)))


def tell(progress: str) -> None:
    """Says on stderr how far it is; stdout is for figures."""
    sys.stderr.write(f"  {progress}\n")
    sys.stderr.flush()
