"""A whole backtest on worlds of a few lines: every policy on the same cases, on however many processes, in any package's world."""

from dataclasses import replace

import pytest

from evals.backtest.run import POLICIES, Backtest, currency_of, factory_of, policies_of, run
from recoup.errors import Misconfigured
from tests.other_world import other_world
from tools.sandbox.protocol import COSTS

TINY = Backtest(cases=6, seeds=(1, 2), world="tests.scripted:two_kinds", processes=1)
OTHER = Backtest(policies=("recoup", "by-code"), cases=12, seeds=(3,), world="tests.other_world:other_world", processes=1)


def test_what_every_policy_comes_to_is_what_its_script_says() -> None:
    found = run(replace(TINY, policies=("fixed-1-3-5-7", "never", "oracle")))
    assert (found.world, found.seeds, found.cases) == ("tests.scripted:two_kinds", (1, 2), 12)
    fixed, never, oracle = (found.policies[name] for name in ("fixed-1-3-5-7", "never", "oracle"))
    # Of the half that can pay from the sixth day on, the charge of the seventh succeeds; it had two messages, the others four.
    assert (fixed.recovery_rate.value, fixed.attempts_per_case, fixed.messages_per_case, fixed.median_days) == (0.5, 4, 3, 7)
    assert fixed.net_minor == pytest.approx(6 * 4900 - 12 * 4 * COSTS.attempt_minor - 36 * COSTS.message_minor["email"])
    assert (never.recovery_rate.value, never.net_minor) == (0, 0)
    assert (oracle.recovery_rate.value, oracle.net_minor) == (0.5, 6 * 4890)
    assert found.clairvoyant_net_minor == 6 * 4890


def test_all_policies_play_the_same_cases_and_are_compared() -> None:
    found = run(TINY)
    assert found.policies.keys() == set(POLICIES)
    assert found.lift.value is not None
    assert found.best_baseline is not None
    assert {one.cap_breaches for name, one in found.policies.items() if name != "oracle"} == {0}


def test_the_best_baseline_is_picked_on_other_seeds_where_some_are_given() -> None:
    named = replace(TINY, policies=("recoup", "fixed-1-3-5-7", "kill-bill-8-8-8"))
    assert (run(named).picked_on, run(replace(named, train_seeds=(8,))).picked_on) == ("the judged seeds themselves", "training seeds")
    assert run(replace(named, train_seeds=(8,))).cases == 12


def test_a_world_of_another_package_is_played_as_it_is() -> None:
    found = run(OTHER)
    assert found.cases == 12
    assert found.policies["recoup"].cap_breaches == 0
    assert currency_of(OTHER) == "EUR"
    assert factory_of(OTHER.world) is other_world


def test_on_two_processes_it_comes_to_the_same() -> None:
    assert run(replace(OTHER, processes=2)).as_json() == run(OTHER).as_json()


def test_policies_that_act_are_made_by_name() -> None:
    assert list(policies_of(replace(TINY, policies=("never", "oracle", "recoup")))) == ["never", "recoup"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"policies": ("recoup", "hope")}, "there is no policy 'hope'; one of recoup, fixed-1-3-5-7, "),
        ({"world": "tests.scripted:nobody"}, "'tests.scripted:nobody' is no world"),
        ({"world": "nowhere"}, "'nowhere' is no world: .*; name one as package.module:factory"),
        ({"world": "tests.scripted:CARD"}, "'tests.scripted:CARD' is no factory of a world"),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_played(changes: dict[str, str], what: str) -> None:
    with pytest.raises(Misconfigured, match=what):
        run(replace(TINY, **changes))
