"""The arithmetic of comparisons, against values that are known otherwise."""

import random
from math import comb

import pytest

from evals.statistics import Difference, compare_gates, compare_measures, holm, kappa, sign_flips


def width(told: Difference) -> float:
    assert told.low is not None
    assert told.high is not None
    return told.high - told.low


def mcnemar(better: int, worse: int) -> float:
    """The textbook's exact two-sided test."""
    n, least = better + worse, min(better, worse)
    return min(1.0, 2 * sum(comb(n, k) for k in range(least + 1)) / 2**n)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (0, 5), (0, 6), (3, 12), (7, 7), (20, 2)])
def test_it_is_mcnemars_exact_test_where_each_customer_changed_once(better: int, worse: int) -> None:
    pairs = [(f"c{i}", 0.0, 1.0) for i in range(better)] + [(f"d{i}", 1.0, 0.0) for i in range(worse)]
    pairs += [(f"e{i}", 1.0, 1.0) for i in range(30)]
    assert compare_gates(pairs).p == pytest.approx(mcnemar(better, worse))


def test_ten_changes_of_one_customer_are_one_change() -> None:
    clustered = [("ada", 1.0, 0.0)] * 10 + [(f"c{i}", 1.0, 1.0) for i in range(30)]
    alone = [(f"a{i}", 1.0, 0.0) for i in range(10)] + [(f"c{i}", 1.0, 1.0) for i in range(30)]
    assert compare_gates(clustered).p == 1.0
    assert compare_gates(alone).p == pytest.approx(2 / 2**10)


def test_sign_flips_weigh_what_changed_more() -> None:
    # Of the eight signs of (3, 1, 1), two reach five and none more.
    assert sign_flips([3, 1, 1]) == pytest.approx(2 / 8)
    assert sign_flips([]) == 1.0


def test_the_bootstrap_finds_a_difference_and_repeats_itself() -> None:
    draw = random.Random(7)
    pairs = [(f"c{i // 2}", a := draw.random() / 2, a + 0.2 + draw.gauss(0, 0.05)) for i in range(120)]
    told = compare_measures(pairs)
    assert told.low is not None
    assert told.high is not None
    assert told.low < told.difference < told.high
    assert told.low > 0.15
    assert told.high < 0.25
    assert told.p < 0.01
    assert told == compare_measures(pairs)


def test_the_bootstrap_finds_nothing_where_nothing_is() -> None:
    draw = random.Random(3)
    wrong = sum(compare_measures([(f"c{i}", 0.5, 0.5 + draw.gauss(0, 0.1)) for i in range(40)]).p < 0.05 for _ in range(40))
    assert wrong <= 6


def test_a_bootstrap_of_customers_is_wider_than_one_of_samples() -> None:
    draw = random.Random(5)
    shifts = [draw.gauss(0, 0.2) for _ in range(10)]
    pairs = [(f"c{i % 10}", 0.5, 0.5 + shifts[i % 10]) for i in range(100)]
    together = compare_measures(pairs)
    apart = compare_measures([(f"s{i}", a, b) for i, (_, a, b) in enumerate(pairs)])
    assert width(together) > 2 * width(apart)


def test_more_samples_detect_less() -> None:
    few = compare_gates([(f"c{i}", 1.0, float(i % 10 > 0)) for i in range(60)])
    many = compare_gates([(f"c{i}", 1.0, float(i % 10 > 0)) for i in range(600)])
    assert few.detectable is not None
    assert many.detectable is not None
    assert many.detectable < few.detectable / 2


def test_a_gate_that_never_changed_still_needs_six_flips() -> None:
    assert compare_gates([(f"c{i}", 1.0, 1.0) for i in range(60)]).detectable == pytest.approx(0.1)
    assert compare_gates([(f"c{i}", 1.0, 1.0) for i in range(5)]).detectable is None


def test_asking_many_questions_raises_what_each_must_show() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.5}) == pytest.approx({"a": 0.03, "b": 0.08, "c": 0.5})


def test_kappa_is_agreement_beyond_chance() -> None:
    # Cohen's own example of two judges: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no.
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa([]) is None
    assert kappa([("yes", "yes")] * 9) is None
