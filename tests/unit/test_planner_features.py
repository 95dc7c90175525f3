"""What the model looks at: columns that can be worked out by hand, NaN for what nobody told, and nothing that is not known yet."""

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.belief import believe
from agents.planner.features import NAMES, features
from agents.planner.prior import GROUPS, published
from agents.planner.situation import Past, Situation, Tried
from recoup.category import Category
from tests.situations import on, paid_on, situation, when

NOBODY_TOLD = (
    "amount_to_usual",
    "tenure_days",
    "past_retry_approved_share",
    "past_charges_failed_share",
    "past_days_to_recover",
    "valid_months",
    "funding",
    "brand",
    "issuer_logit",
)


def looked_at(case: Situation, *at: float) -> dict[str, list[float]]:
    """By name, a value a time."""
    table = features(believe(case, published()), np.array(at))
    return {name: table[:, number].tolist() for number, name in enumerate(NAMES)}


def of(case: Situation, at: float) -> dict[str, float]:
    return {name: column[0] for name, column in looked_at(case, at).items()}


def test_there_is_a_column_for_each_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert features(believe(situation(), published()), np.array([on(1), on(2)])).shape == (2, len(NAMES))


def test_the_weekday_and_the_date_are_the_customer_s() -> None:
    found = looked_at(situation(offset_hours=-5.0), when("2026-03-31T23:30"), when("2026-04-01T05:30"))
    assert found["weekday"] == [1, 2]  # a Tuesday and a Wednesday
    assert found["day_of_month"] == [31, 1]


def test_time_since_the_failure_and_since_the_last_try() -> None:
    found = looked_at(situation(failed=(0.0, 1.0, 3.0)), on(3.5), on(7), on(20))
    assert found["days_since_failure"] == [3.5, 7, 20]
    assert found["hours_since_try"] == [12, 96, 17 * 24]
    assert found["tries_in_5_days"] == [3, 1, 0]
    assert found["tries"] == [3, 3, 3]


def test_what_the_prior_says_is_there_as_a_logit() -> None:
    case = situation()
    expected = believe(case, published()).expected(np.array([on(4)]))[0]
    assert of(case, on(4))["prior_logit"] == pytest.approx(log(expected / (1 - expected)))


def test_days_since_payday_are_few_after_the_payday_that_the_past_tells_of() -> None:
    paid = situation(past=paid_on("2025-10-15", "2025-11-14", "2025-12-15", "2026-01-15", "2026-02-13"))
    found = looked_at(paid, when("2026-03-13T05:00"), when("2026-03-13T12:00"), when("2026-03-20T12:00"))
    before, just_after, later = found["days_since_payday"]
    assert just_after < later < before
    assert found["paydays_chance"][1] == max(found["paydays_chance"])
    assert found["payday_certainty"][0] > of(situation(), on(1))["payday_certainty"]


@pytest.mark.parametrize(
    ("category", "group"), [(Category.FUNDS, "funds"), (Category.UNKNOWN_OUTCOME, "generic"), (Category.NEW_DATA, "other")]
)
def test_the_group_is_that_of_the_newest_decline(category: Category, group: str) -> None:
    tries = (Tried(on(0), Category.TECHNICAL), Tried(on(1), category), Tried(on(2), None))
    case = situation(now=on(2), tries=tries, category=category)
    assert GROUPS[int(of(case, on(3))["group"])] == group
    assert GROUPS[int(of(replace(case, updated_at=on(2)), on(3))["group"])] == "fresh"


def test_what_the_account_did_before() -> None:
    past = (
        Past(on(-90), approved=True, is_retry=False),
        Past(on(-60), approved=False, is_retry=False, category=Category.FUNDS),
        Past(on(-57), approved=False, is_retry=True, category=Category.FUNDS),
        Past(on(-54), approved=True, is_retry=True),
        Past(on(-30), approved=True, is_retry=False),
    )
    found = of(situation(past=past), on(1))
    assert (found["past_approved"], found["past_failed"]) == (3, 2)
    assert found["past_charges_failed_share"] == pytest.approx(1 / 3)
    assert found["past_retry_approved_share"] == pytest.approx(1 / 2)
    assert found["past_days_to_recover"] == pytest.approx(6)


def test_what_is_known_of_the_card_and_the_customer() -> None:
    told: dict[str, Any] = {"usual_amount_minor": 2450.0, "tenure_days": 400.0, "valid_months": -0.5, "issuer_share": 0.9}
    found = of(situation(funding="debit", brand="mastercard", **told), on(1))
    assert found["amount_log"] == pytest.approx(log(4900))
    assert found["amount_to_usual"] == 2
    assert (found["tenure_days"], found["valid_months"]) == (400, -0.5)
    assert (found["funding"], found["brand"]) == (0, 1)
    assert found["issuer_logit"] == pytest.approx(log(9))


def test_what_nobody_told_is_nan_and_nothing_else_is() -> None:
    assert {name for name, value in of(situation(), on(1)).items() if np.isnan(value)} == set(NOBODY_TOLD)


@pytest.mark.parametrize("unheard_of", [{"funding": "charge"}, {"brand": "jcb"}])
def test_a_kind_of_card_that_is_not_looked_at_is_as_good_as_untold(unheard_of: dict[str, Any]) -> None:
    assert np.isnan(of(situation(**unheard_of), on(1))[next(iter(unheard_of))])


@given(st.lists(st.floats(0, 28), min_size=1, max_size=8).map(sorted))
def test_each_time_is_looked_at_alone(days: list[float]) -> None:
    belief, at = believe(situation(failed=(0.0,), past=paid_on("2026-02-13")), published()), np.array([on(day) for day in days])
    one_by_one = np.vstack([features(belief, at[number : number + 1]) for number in range(len(at))])
    assert np.allclose(features(belief, at), one_by_one, equal_nan=True)
    assert np.allclose(features(belief, at), features(belief, at, belief.chances(at)), equal_nan=True)
