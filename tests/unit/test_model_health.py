"""The breaker of a model and the budgets, as tables."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from recoup.model_books import Ending
from recoup.model_budget import Budget, Spend, exhausted
from recoup.model_health import OUTAGES_TO_OPEN, Health, asked, ended, refusal
from recoup.model_port import Failure

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
OUTAGE = Ending(failure=Failure.UNAVAILABLE, is_outage=True)
ANSWER = Ending(answer={})


def after(*endings: Ending, health: Health | None = None) -> Health:
    """The health after these endings, all at NOW."""
    seen = health or Health()
    for ending in endings:
        seen = ended(seen, ending, NOW)
    return seen


@pytest.mark.parametrize(
    ("outages", "state", "rest_seconds"),
    [(0, "closed", 0), (4, "closed", 0), (5, "open", 15), (6, "open", 30), (11, "open", 600), (60, "open", 600)],
)
def test_a_model_rests_after_five_outages_in_a_row_and_longer_with_each_more(outages: int, state: str, rest_seconds: float) -> None:
    health = after(*[OUTAGE] * outages)
    assert health.state(NOW) == state
    assert health.rests_until == (NOW + timedelta(seconds=rest_seconds) if rest_seconds else None)


def test_after_the_rest_one_call_at_a_time_tries() -> None:
    later = NOW + timedelta(seconds=15)
    health = after(*[OUTAGE] * OUTAGES_TO_OPEN)
    assert "left alone" in (refusal(health, NOW) or "")
    assert refusal(health, later) is None
    trying = asked(health, later, 30)
    assert "trying" in (refusal(trying, later) or "")
    assert refusal(trying, later + timedelta(seconds=30)) is None
    assert ended(trying, ANSWER, later) == Health()


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.FILTERED, Failure.TOO_LONG])
def test_a_model_that_answers_badly_is_there(failure: Failure) -> None:
    assert after(*[OUTAGE] * 4, Ending(failure=failure)) == Health()


@pytest.mark.parametrize(("asked_for", "kept"), [(20, 20), (86_400, 600)])
def test_a_silence_that_is_asked_for_is_kept_within_bounds(asked_for: float, kept: float) -> None:
    health = after(Ending(failure=Failure.RATE_LIMITED, is_outage=True, silent_seconds=asked_for))
    assert health.rests_until == NOW + timedelta(seconds=kept)
    assert after(OUTAGE, health=health).rests_until == health.rests_until


def test_a_budget_takes_what_fits_to_the_last_token_and_names_what_does_not() -> None:
    budget = Budget(calls=3, tokens=1_000, usd=Decimal("0.01"))
    spend = Spend(scope="case", key="case_1", calls=2, tokens=400, cost_usd_micro=9_000)
    assert exhausted(spend, budget, 600, 1_000) is None
    assert "600 of 1000 tokens left" in (exhausted(spend, budget, 601, 1_000) or "")
    assert "US dollars" in (exhausted(spend, budget, 600, 1_001) or "")
    assert exhausted(spend, budget, 600, None) is None
    assert "3 calls are used up" in (exhausted(spend.model_copy(update={"calls": 3}), budget, 1, 0) or "")
