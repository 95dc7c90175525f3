"""What Recoup is compared with: each ladder on its own days, and events answered as well as we answer them."""

from datetime import UTC, datetime, timedelta

import pytest

from evals.backtest.baselines import LADDERS, MESSAGE_DAYS, baseline
from evals.backtest.rollout import Policy
from tests.scripted import AWAY, EXPIRED, FAILED_AT, FUNDS, STOLEN, Script, failed_invoice, played_by
from tools.sandbox.protocol import Decline

NAMES = (*LADDERS, "by-code", "never")
SCA = Decline("authentication_required")


def of(name: str) -> Policy:
    found = baseline(name)
    assert found is not None
    return found


def charges(name: str, script: Script | None = None) -> list[float]:
    return [at for at, deed, _ in played_by(of(name), script)[1].done if deed == "attempt"]


def messages(name: str, script: Script | None = None) -> list[tuple[float, str]]:
    return [(at, about) for at, deed, about in played_by(of(name), script)[1].done if deed != "attempt"]


@pytest.mark.parametrize(("name", "days"), LADDERS.items(), ids=list(LADDERS))
def test_a_ladder_charges_and_writes_on_its_days_whatever_the_decline(name: str, days: tuple[float, ...]) -> None:
    for decline in (FUNDS, AWAY):
        script = Script(invoice=failed_invoice(decline=decline), declines=[decline])
        assert charges(name, script) == list(days)
        assert messages(name, script) == [(at, "reminder") for at in MESSAGE_DAYS]


def test_the_ladders_are_as_their_names_say() -> None:
    assert LADDERS["fixed-1-3-5-7"] == (1, 3, 5, 7)
    assert LADDERS["kill-bill-8-8-8"] == (8, 8 + 8, 8 + 8 + 8)
    assert LADDERS["polar-2-5-7-7"] == (2, 2 + 5, 2 + 5 + 7, 2 + 5 + 7 + 7)
    assert len(LADDERS["stripe-like-8-in-14"]) == 8
    assert max(LADDERS["stripe-like-8-in-14"]) == 14


def test_by_code_tries_a_bank_that_is_away_within_hours_and_do_not_honor_over_days() -> None:
    assert charges("by-code", Script(invoice=failed_invoice(decline=AWAY), declines=[AWAY])) == [0.05, 0.25, 1, 3]
    generic = Decline("generic_decline")
    assert charges("by-code", Script(invoice=failed_invoice(decline=generic), declines=[generic])) == [1, 4, 8, 14]


def test_by_code_waits_for_the_mornings_of_usual_paydays_where_the_customer_lives() -> None:
    """The 15th and the 1st, and Fridays of every other week, at nine in New York: clocks have just gone forward there."""
    found = charges("by-code", Script(invoice=failed_invoice(timezone="America/New_York")))
    paydays = [datetime(2026, month, date, 13, tzinfo=UTC) for month, date in ((3, 15), (3, 20), (4, 1), (4, 3))]
    assert found == pytest.approx([(at - FAILED_AT) / timedelta(days=1) for at in paydays], abs=1e-3)


@pytest.mark.parametrize(("decline", "about"), [(EXPIRED, "update_method"), (STOLEN, "update_method"), (SCA, "confirm_payment")])
def test_by_code_says_what_is_needed_and_the_ladders_only_remind(decline: Decline, about: str) -> None:
    script = Script(invoice=failed_invoice(decline=decline), declines=[decline])
    assert messages("by-code", script) == [(at, about) for at in MESSAGE_DAYS]
    assert messages("fixed-1-3-5-7", script) == [(at, "reminder") for at in MESSAGE_DAYS]
    assert not charges("by-code", script)
    assert not charges("fixed-1-3-5-7", script)


@pytest.mark.parametrize("name", NAMES)
def test_everybody_charges_a_new_card_at_once(name: str) -> None:
    script = Script(events=[(2.25, "method_updated")], pays=(2.2, 2.6), invoice=failed_invoice(decline=EXPIRED))
    outcome, world = played_by(of(name), script)
    assert (outcome.recovered, outcome.days) == (True, 2.25)
    assert world.done[-1] == (2.25, "attempt", "new")


def test_a_new_card_that_declines_too_is_tried_on_the_days_that_are_left() -> None:
    assert charges("fixed-1-3-5-7", Script(events=[(3.5, "method_updated")])) == [1, 3, 3.5, 5, 7]
    assert charges("never", Script(events=[(3.5, "method_updated")])) == [3.5]


def test_never_writes_to_nobody() -> None:
    assert not messages("never")


def test_there_are_no_others() -> None:
    assert baseline("recoup") is baseline("oracle") is baseline("hope") is None
