"""One thing that is evaluated: a dataset, what answers it, and what judges the answers."""

from collections.abc import Callable
from dataclasses import dataclass

from evals.scorer import Scorer
from evals.solver import Solver
from evals.subject import Subject


@dataclass(frozen=True)
class Suite:
    """``safety``: gates of which every single one must pass, always. ``quality``: gates, measures and labels that are compared with what
    was before. ``solver`` makes what answers, for the subject under test."""

    name: str
    about: str
    solver: Callable[[Subject], Solver]
    safety: tuple[Scorer, ...] = ()
    quality: tuple[Scorer, ...] = ()

    @property
    def scorers(self) -> tuple[Scorer, ...]:
        """All of them."""
        return (*self.safety, *self.quality)
