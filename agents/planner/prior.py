"""What is believed before there is data: the published figures of prior.toml as numbers ready for use, and what data have moved in them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from agents.planner.paydays import KINDS, Floats, calendars
from recoup.category import Category

TRUTHS = ("paydays", "moods", "gone", "passing", "good")
GROUPS = ("funds", "generic", "technical", "other", "fresh")
GROUP_OF = {
    Category.FUNDS: "funds",
    Category.GENERIC: "generic",
    Category.UNKNOWN_OUTCOME: "generic",
    Category.TECHNICAL: "technical",
}


def group_of(category: Category, *, is_fresh: bool) -> str:
    """Which line of [truths] speaks of a decline."""
    return "fresh" if is_fresh else GROUP_OF.get(category, "other")


@dataclass(frozen=True)
class Prior:
    """``truths``: for each group the weights of TRUTHS. ``ways``: of each pay calendar and each length that money lasts, together 1.
    ``moods``: of their levels. The rest stands in ``numbers`` as the file has it."""

    truths: Mapping[str, Floats]
    ways: Floats
    moods: Floats
    numbers: Mapping[str, Any]

    def moved(self, truths: Mapping[str, Floats], ways: Floats | None = None, moods: Floats | None = None) -> "Prior":
        """With the weights that data speak for."""
        return Prior(
            truths={**self.truths, **truths},
            ways=self.ways if ways is None else ways,
            moods=self.moods if moods is None else moods,
            numbers=self.numbers,
        )


@lru_cache(maxsize=1)
def published() -> Prior:
    """The prior of a cold start."""
    numbers = tomllib.loads(files("agents.planner").joinpath("prior.toml").read_text(encoding="utf-8"))
    pay, found = numbers["paydays"], calendars()
    share: Floats = np.array([float(pay[kind]) for kind in KINDS]) / np.bincount(found.kind)
    return Prior(
        truths={group: np.array([float(numbers["truths"][group][truth]) for truth in TRUTHS]) for group in GROUPS},
        ways=(share[found.kind][:, None] * np.array(pay["lasts_weights"], dtype=np.float64)).ravel(),
        moods=np.array(numbers["moods"]["weights"], dtype=np.float64),
        numbers=numbers,
    )
