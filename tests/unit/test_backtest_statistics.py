"""What a backtest says of its policies: figures by hand, pairs kept together, intervals that cover the truth as often as they claim."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evals.backtest.bootstrap import MOST_CLUSTERS, Array, clusters_of, resample
from evals.backtest.calibration import calibration
from evals.backtest.figures import FIXED, ORACLE, RECOUP, Comparison
from evals.backtest.outcome import Bound, CaseOutcome
from evals.backtest.played import Played, joined, played
from evals.backtest.statistics import compare
from recoup.errors import Defect
from tests.outcomes import STRENGTHS, attempt_deed, bounds_of, lost, message_deed, outcome, outcomes_of

KEYS = {"world", "seeds", "cases", "policies", "best_baseline", "lift", "lift_ci", "score", "score_ci", "edge", "edge_ci"}
POLICY_KEYS = {
    "recovery_rate",
    "recovery_amount_share",
    "net_minor",
    "attempts_per_recovery",
    "messages_per_case",
    "median_days",
    "cap_breaches",
    "cancel_rate",
}
BY_CODE = "by-code"


def comparison(policies: Mapping[str, list[CaseOutcome]], bounds: list[Bound] | None = None, **options: Any) -> Comparison:
    return compare("made up", {name: played(outcomes) for name, outcomes in policies.items()}, bounds or [], resamples=200, **options)


def everyone(cases: int = 200) -> dict[str, Played]:
    return {name: played(outcomes_of(name, cases=cases)) for name in STRENGTHS}


def bound(case: str, net: float, likely: float = 0.5) -> Bound:
    return Bound(1, case, f"account of {case}", "funds", 5000, net, likely, net * 2)


def test_a_policy_s_figures_are_those_that_one_counts_by_hand() -> None:
    outcomes = [
        outcome("a"),
        outcome("b", days=30.0),
        outcome("c", ending="cancelled", days=None, by_retry=False, deeds=(message_deed(1), message_deed(2)), costs_minor=0.2, breaches=1),
        outcome("d", amount_minor=15000, days=7.0, by_retry=False, deeds=(attempt_deed(1),), costs_minor=35.0),
    ]
    figures = comparison({RECOUP: outcomes}).as_json()["policies"][RECOUP]
    assert figures["recovery_rate"] == 0.5
    assert figures["recovery_amount_share"] == pytest.approx(20_000 / 30_000, abs=1e-6)
    assert figures["net_minor"] == 20_000 - 20 - 20 - 0.2 - 35
    assert figures["attempts_per_recovery"] == 2.5
    assert figures["messages_per_case"] == 0.5
    assert figures["median_days"] == 5.0
    assert figures["cap_breaches"] == 1
    assert figures["cancel_rate"] == 0.25
    assert figures["retry_share"] == 0.5
    assert figures["attempts_per_case"] == 1.25
    assert figures["recovered_by_day"] == [0.0] * 3 + [0.25] * 4 + [0.5] * 22
    assert figures["fees_minor"] == 25.0


def test_lift_score_and_edge_are_ratios_of_net() -> None:
    ours = [outcome("a", costs_minor=0.0), outcome("b", costs_minor=0.0), outcome("c", costs_minor=0.0), lost("d", costs_minor=0.0)]
    better = [*ours[:2], lost("c", costs_minor=0.0), ours[3]]
    fixed = [ours[0], lost("b", costs_minor=0.0), lost("c", costs_minor=0.0), ours[3]]
    bounds = [bound(case, 4500, 0.9) for case in "abcd"]
    found = comparison({RECOUP: ours, FIXED: fixed, BY_CODE: better}, bounds)
    assert found.best_baseline == BY_CODE
    assert found.lift.value == pytest.approx(15_000 / 10_000 - 1)
    assert found.score.value == pytest.approx((15_000 - 5_000) / (18_000 - 5_000))
    assert found.edge.value == pytest.approx((15_000 - 10_000) / (18_000 - 10_000))
    assert found.clairvoyant_net_minor == 36_000
    oracle = found.as_json()["policies"][ORACLE]
    assert (oracle["recovery_rate"], oracle["recovery_amount_share"], oracle["net_minor"]) == (0.9, 0.9, 18_000)
    assert all(oracle[name] is None for name in POLICY_KEYS - {"recovery_rate", "recovery_amount_share", "net_minor"})


def test_the_object_has_every_key_that_was_promised_and_is_json() -> None:
    found = compare("home", everyone(), bounds_of(), resamples=50).as_json()
    assert found.keys() >= KEYS
    assert found["seeds"] == [1, 2, 3]
    assert found["cases"] == 600
    assert found["policies"].keys() == {*STRENGTHS, ORACLE}
    assert all(figures.keys() >= POLICY_KEYS for figures in found["policies"].values())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_where_there_is_nothing_to_divide_by_there_is_null() -> None:
    found = comparison({RECOUP: [lost("a")], FIXED: [lost("a")]}).as_json()
    assert found["lift"] is found["lift_ci"] is found["score"] is found["edge"] is None
    assert found["policies"][RECOUP]["attempts_per_recovery"] is None
    assert found["policies"][RECOUP]["median_days"] is None


def test_a_single_account_has_no_interval() -> None:
    pair = {name: [outcome("a", account="x"), outcome("b", account="x", days=days)] for name, days in ((RECOUP, 3.0), (FIXED, None))}
    found = comparison(pair)
    assert found.lift.value == pytest.approx((10_000 - 40) / (5_000 - 40) - 1)
    assert found.lift.ci is None


@pytest.mark.parametrize("absent", [RECOUP, FIXED, ORACLE, BY_CODE])
def test_what_needs_an_absent_policy_is_null(absent: str) -> None:
    policies = {name: one for name, one in everyone().items() if name in {RECOUP, FIXED, BY_CODE} - {absent}}
    found = compare("home", policies, [] if absent == ORACLE else bounds_of(), resamples=20).as_json()
    has = {name: found[name] is not None and found[f"{name}_ci"] is not None for name in ("lift", "score", "edge")}
    assert has == {"lift": absent != RECOUP, "score": absent not in {RECOUP, FIXED, ORACLE}, "edge": absent not in {RECOUP, ORACLE}}
    assert found["best_baseline"] == (FIXED if absent == BY_CODE else BY_CODE)


def test_the_best_baseline_is_picked_by_net_on_training_seeds_and_never_an_oracle_or_nobody() -> None:
    judged = {RECOUP: [outcome("a")], FIXED: [lost("a")], BY_CODE: [outcome("a")], "never": [outcome("a", costs_minor=0.0)]}
    training = {FIXED: played([outcome("t")]), BY_CODE: played([lost("t")]), "never": played([outcome("t", costs_minor=0.0)])}
    found = comparison(judged, training=training)
    assert (found.best_baseline, found.picked_on) == (FIXED, "training seeds")
    without = comparison(judged)
    assert (without.best_baseline, without.picked_on) == (BY_CODE, "the judged seeds themselves")
    only = comparison({RECOUP: [outcome("a")], "never": [outcome("a")]})
    assert (only.best_baseline, only.picked_on) == (None, None)


def test_policies_on_different_cases_are_not_compared() -> None:
    with pytest.raises(Defect, match="not played on the same cases"):
        comparison({RECOUP: [outcome("a")], FIXED: [outcome("b")]})
    with pytest.raises(Defect, match="no bound for case"):
        comparison({RECOUP: [outcome("a")]}, [bound("b", 1)])
    with pytest.raises(Defect, match="no cases"):
        comparison({RECOUP: []})


def test_the_order_of_cases_and_the_parts_they_came_in_do_not_matter() -> None:
    policies = {name: outcomes_of(name, cases=60) for name in (RECOUP, FIXED)}
    straight = comparison(policies, bounds_of(cases=60))
    shuffled = {name: played(outcomes[::-1]) for name, outcomes in policies.items()}
    in_parts = {name: joined([played(outcomes[90:]), played(outcomes[:90])]) for name, outcomes in policies.items()}
    for other in (shuffled, in_parts):
        assert compare("made up", other, bounds_of(cases=60)[::-1], resamples=200).as_json() == straight.as_json()


def test_the_same_seed_gives_the_same_interval_and_another_nearly_the_same() -> None:
    policies = everyone()
    one, again, other = (compare("home", policies, bootstrap_seed=seed).lift.ci for seed in (0, 0, 1))
    assert one is not None
    assert other is not None
    assert one == again != other
    assert other == pytest.approx(one, abs=0.02)


def test_a_policy_against_itself_has_no_lift_and_no_doubt_about_it() -> None:
    outcomes = outcomes_of(BY_CODE)
    found = comparison({RECOUP: outcomes, BY_CODE: outcomes})
    assert found.lift.value == 0
    assert found.lift.ci == (0, 0)
    assert {one.finding for one in found.categories.values()} == {"non-inferior"}
    assert found.against[BY_CODE].attempts_ratio.ci == (1, 1)


def test_a_category_that_got_worse_is_found_and_one_too_small_to_tell_is_left_open() -> None:
    ours = outcomes_of(RECOUP, cases=400)
    worse = [replace(one, days=None) if one.category == "funds" else one for one in ours]
    found = comparison({RECOUP: worse, BY_CODE: outcomes_of(BY_CODE, cases=400)})
    assert found.categories["funds"].finding == "inferior"
    assert found.categories["generic"].finding == "non-inferior"
    assert sum(one.cases for one in found.categories.values()) == found.cases
    few = [outcome(f"c{number}", category="policy") for number in range(4)]
    beside = [*few[:2], *(lost(f"c{number}", category="policy") for number in (2, 3))]
    assert comparison({RECOUP: beside, BY_CODE: few}).categories["policy"].finding == "undecided"


def test_a_seed_alone_is_told_beside_all_of_them() -> None:
    found = compare("home", everyone(), bounds_of(), resamples=20)
    lifts = [figures["lift"] for figures in found.by_seed.values()]
    assert len(lifts) == 3
    assert all(lift is not None for lift in lifts)
    assert found.lift.value is not None
    assert min(lift for lift in lifts if lift is not None) <= found.lift.value <= max(lift for lift in lifts if lift is not None)


def drawn(dice: np.random.Generator, accounts: int) -> tuple[Mapping[str, Array], np.ndarray[Any, np.dtype[np.int64]]]:
    """Accounts of one to four cases that share a fate: half of what decides is the account's, not the case's."""
    account = np.repeat(np.arange(accounts), dice.integers(1, 5, accounts))
    fate, amount = dice.random(accounts)[account], dice.lognormal(3, 0.6, accounts)[account]
    ours = np.where(fate < 0.6, amount, 0.0) * (dice.random(len(account)) < 0.9)
    theirs = np.where(fate < 0.5, amount, 0.0) * (dice.random(len(account)) < 0.9)
    return {"ours": ours, "theirs": theirs}, account.astype(np.int64)


def covered(*, by_account: bool) -> float:
    dice, truth, hits, runs = np.random.default_rng(7), 0.6 / 0.5 - 1, 0, 400
    for run in range(runs):
        columns, account = drawn(dice, 250)
        clusters = account if by_account else np.arange(len(account))
        lift = resample(columns, clusters, run, 400).estimate(lambda t: (t["ours"] - t["theirs"], t["theirs"]))
        assert lift.ci is not None
        hits += lift.ci[0] <= truth <= lift.ci[1]
    return hits / runs


def test_intervals_cover_the_truth_as_often_as_they_claim() -> None:
    assert 0.92 <= covered(by_account=True) <= 0.98


def test_intervals_that_took_cases_of_one_account_for_independent_would_not() -> None:
    assert covered(by_account=False) < 0.90


def test_more_accounts_than_are_needed_are_put_together_and_the_interval_stays() -> None:
    columns, account = drawn(np.random.default_rng(3), MOST_CLUSTERS * 2)
    lift = resample(columns, account, 0, 200).estimate(lambda t: (t["ours"] - t["theirs"], t["theirs"]))
    assert lift.ci is not None
    net = {name: np.bincount(account, column) for name, column in columns.items()}
    residual = net["ours"] - net["theirs"] * (1 + (lift.value or 0))
    by_theory = 2 * 1.96 * np.sqrt(len(residual)) * residual.std() / net["theirs"].sum()
    assert lift.ci[1] - lift.ci[0] == pytest.approx(by_theory, rel=0.2)


def test_one_account_of_two_seeds_is_two_customers() -> None:
    clusters = clusters_of(np.array([1, 1, 2, 2]), np.array(["a", "a", "a", "b"]))
    assert clusters.tolist() == [0, 0, 1, 2]


def test_expectations_that_come_true_are_calibrated_and_boasts_are_not() -> None:
    dice = np.random.default_rng(5)
    likely = dice.uniform(0.05, 0.95, 8000)
    deeds = [attempt_deed(1, expected=float(p), approved=bool(hit)) for p, hit in zip(likely, dice.random(8000) < likely, strict=True)]
    honest = calibration(played([outcome("a", deeds=tuple(deeds))]))
    boasts = calibration(played([outcome("a", deeds=tuple(replace(d, expected=(d.expected or 0) ** 0.5) for d in deeds))]))
    assert honest is not None
    assert boasts is not None
    assert honest.error < 0.02 < 0.1 < boasts.error
    assert sum(group.attempts for group in honest.groups) == 8000
    assert all(group.approved_ci[0] <= group.approved <= group.approved_ci[1] for group in honest.groups)
    assert honest.brier < boasts.brier


def test_a_policy_without_opinions_has_no_calibration() -> None:
    assert calibration(played([lost("a", deeds=(attempt_deed(1),) * 50)])) is None
