"""The numbers that one seed's world is made of, drawn from the ranges of parameters.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from recoup.errors import Misconfigured
from tools.sandbox.draws import Dice

NOT_DRAWN = frozenset({"updater.days"})


@dataclass(frozen=True)
class Parameters:
    """One value for each key of the file, by section; see its comments for meaning, unit and source."""

    causes: Mapping[str, float]
    pay: Mapping[str, float]
    balance: Mapping[str, float]
    issuer: Mapping[str, float]
    updater: Mapping[str, Any]
    by_themselves: Mapping[str, float]
    messages: Mapping[str, float]

    def but(self, **sections: Mapping[str, Any]) -> "Parameters":
        """The same world with some numbers of some sections changed: ``but(issuer={"punishing_share": 1.0})``. Raises Misconfigured for
        a number that there is none of."""
        changed = dict(vars(self))
        for section, values in sections.items():
            strangers = values.keys() - changed[section].keys()
            if strangers:
                raise Misconfigured(f"the world has no {section}.{min(strangers)}")
            changed[section] = {**changed[section], **values}
        return Parameters(**changed)


@lru_cache(maxsize=64)
def parameters_of(seed: int) -> Parameters:
    """The numbers of one seed."""
    dice = Dice(seed)
    return Parameters(
        **{section: {name: _drawn(dice, section, name, at) for name, at in keys.items()} for section, keys in ranges().items()}
    )


@lru_cache(maxsize=1)
def ranges() -> Mapping[str, Mapping[str, Any]]:
    """What the file says: two ends, or one number that is always the same."""
    return tomllib.loads(files("tools.sandbox").joinpath("parameters.toml").read_text(encoding="utf-8"))


def _drawn(dice: Dice, section: str, name: str, given: Any) -> Any:
    if isinstance(given, int | float) or f"{section}.{name}" in NOT_DRAWN:
        return given
    low, high = given
    return low + (high - low) * dice.draw("parameter", section, name)
