"""Everything that the simulated world is made of stands in one file, in order, and is used."""

from importlib.resources import files
from typing import Any

import pytest

from recoup.errors import Misconfigured
from tools.sandbox.causes import FIRST_DECLINES, Pay
from tools.sandbox.parameters import parameters_of, ranges

NUMBERS = [(section, name, given) for section, keys in ranges().items() for name, given in keys.items()]
SOURCES = [file.read_text(encoding="utf-8") for file in files("tools.sandbox").iterdir() if file.name.endswith(".py")]


def ends(given: Any) -> tuple[float, float]:
    """Two numbers, or one that is always the same."""
    return (given, given) if isinstance(given, int | float) else (given[0], given[-1])


@pytest.mark.parametrize(("section", "name", "given"), NUMBERS)
def test_a_number_has_two_ends_in_order_or_is_one(section: str, name: str, given: Any) -> None:
    low, high = ends(given)
    assert 0 <= low <= high
    assert high <= 1 or not name.endswith("_share")


@pytest.mark.parametrize(("section", "name", "given"), NUMBERS)
def test_a_number_is_used(section: str, name: str, given: Any) -> None:
    if section == "causes":
        assert name in FIRST_DECLINES
    elif section == "pay":
        assert name in set(Pay)
    else:
        assert any(f'"{name}"' in source or f"'{name}'" in source for source in SOURCES)


def test_every_cause_and_every_pay_has_its_number() -> None:
    assert ranges()["causes"].keys() == FIRST_DECLINES.keys()
    assert ranges()["pay"].keys() == set(Pay)


def test_every_seed_draws_its_own_number_between_the_ends() -> None:
    drawn = [parameters_of(seed) for seed in range(50)]
    for section, name, given in NUMBERS:
        values = [getattr(parameters, section)[name] for parameters in drawn]
        low, high = ends(given)
        if low < high and name != "days":
            assert all(low <= value <= high for value in values)
            assert len(set(values)) == len(drawn)
        else:
            assert values == [given] * len(drawn)


def test_a_world_with_one_number_changed_is_otherwise_the_same() -> None:
    changed = parameters_of(1).but(issuer={"punishing_share": 1.0})
    assert changed.issuer == {**parameters_of(1).issuer, "punishing_share": 1.0}
    assert changed.causes == parameters_of(1).causes
    with pytest.raises(Misconfigured, match=r"issuer\.kindness"):
        parameters_of(1).but(issuer={"kindness": 1.0})
