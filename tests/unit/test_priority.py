"""Queues start with the money that is most likely to come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.category import Category
from recoup.policy import Escalations
from recoup.priority import RECOVERABILITY, priority

THRESHOLDS = Escalations()


def test_every_category_has_its_place() -> None:
    assert RECOVERABILITY.keys() == set(Category)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((10000, "USD", Category.FUNDS), (1000, "USD", Category.FUNDS)),
        ((4900, "USD", Category.FUNDS), (4900, "USD", Category.NEVER)),
        ((4900, "USD", Category.TECHNICAL), (4900, "USD", Category.NEW_DATA)),
    ],
)
def test_more_money_and_better_chances_come_first(first: tuple[int, str, Category], second: tuple[int, str, Category]) -> None:
    assert priority(*first, THRESHOLDS) > priority(*second, THRESHOLDS)


def test_what_is_much_in_its_currency_weighs_the_same_in_all() -> None:
    dollars, yen = priority(100_000, "USD", Category.FUNDS, THRESHOLDS), priority(150_000, "JPY", Category.FUNDS, THRESHOLDS)
    assert dollars == pytest.approx(yen)


@given(st.integers(0, 10**12), st.sampled_from(["USD", "JPY", "KWD"]), st.sampled_from(Category))
def test_it_stays_between_nothing_and_one(amount: int, currency: str, category: Category) -> None:
    assert 0 <= priority(amount, currency, category, THRESHOLDS) < 1
