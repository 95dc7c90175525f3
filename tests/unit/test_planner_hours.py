"""At which hours charges go through better: read off a merchant's own first charges, and never believed beyond what they show."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.hours import NO_HOURS, SUREST, Hours, fit_hours
from agents.planner.model import model_text, parse_model
from agents.planner.paydays import Floats
from agents.planner.situation import HOUR
from tests.situations import COLD, FAILED_AT, plan, situation, when

# A little better at six in the morning, as much worse at six in the evening.
MORNING = Hours(sine=0.1)
DAY_LONG: Floats = FAILED_AT + np.arange(24.0) * HOUR


def charged(hours: Hours, count: int, seed: int = 1, mean: float = 0.8) -> tuple[Floats, Floats]:
    """So many first charges at any hour, and which of them went through."""
    dice = np.random.default_rng(seed)
    local = dice.uniform(0, 24, count)
    return local, (dice.random(count) < mean * hours.at(local * HOUR, 0.0)).astype(np.float64)


def test_what_many_charges_show_is_found() -> None:
    found = fit_hours(*charged(MORNING, 40_000))
    assert found.sine == pytest.approx(0.1, abs=0.015)
    assert found.cosine == pytest.approx(0.0, abs=0.015)


def test_what_may_be_chance_is_hardly_believed() -> None:
    heights = [np.hypot(found.cosine, found.sine) for found in (fit_hours(*charged(NO_HOURS, 400, seed)) for seed in range(40))]
    assert np.mean(heights) < 0.02


@pytest.mark.parametrize("approved", [0.0, 1.0])
def test_where_all_charges_went_alike_there_is_nothing_to_see(approved: float) -> None:
    assert fit_hours(np.array([3.0, 9.0, 15.0]), np.full(3, approved)) == NO_HOURS
    assert fit_hours(np.empty(0), np.empty(0)) == NO_HOURS


def test_hours_are_those_of_the_customer() -> None:
    best = when("2026-03-11T06:00")
    assert MORNING.at(np.array([best]), 0.0) == pytest.approx(1.1)
    assert MORNING.at(np.array([best + 5 * HOUR]), -5.0) == pytest.approx(1.1)
    assert MORNING.at(DAY_LONG, -5.0).mean() == pytest.approx(1)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0, 1))
def test_no_hour_makes_a_chance_surer_than_sure(cosine: float, sine: float, chance: float) -> None:
    applied = Hours(cosine, sine).applied(np.full((2, 24), chance), DAY_LONG, 0.0)
    assert (applied >= 0).all()
    assert (applied <= max(chance, SUREST)).all()


def test_a_charge_is_planned_at_the_better_of_two_hours_of_a_day() -> None:
    """Nothing depends on the time of a fresh card's charge but the hour: with a bad one now it waits a little, if it costs nothing."""
    fresh = situation(now=when("2026-03-11T18:00"), updated_at=when("2026-03-11T18:00"))
    at_once, later = (plan(fresh, model=model).next for model in (COLD, replace(COLD, hours=Hours(sine=0.3))))
    assert at_once is not None
    assert later is not None
    assert at_once.at == fresh.now
    assert later.at > fresh.now
    assert later.chance > at_once.chance * 0.95


def test_they_come_back_from_the_model_s_file() -> None:
    assert parse_model(model_text(replace(COLD, hours=MORNING))).hours == MORNING
