"""Recoup's planner as a policy of a backtest: bound by its house rules, deaf to what it cannot know, the same on the same case."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from agents.planner.model import cold_model
from evals.backtest.recoup import Recoup
from evals.backtest.rollout import Seen
from evals.backtest.standing import Standing
from recoup.policy import HouseRules
from recoup.policy import Policy as House
from tests.scripted import (
    AWAY,
    CARD,
    EXPIRED,
    FAILED_AT,
    FUNDS,
    STOLEN,
    Script,
    day,
    failed_invoice,
    played_by,
)
from tools.sandbox.protocol import Decline, PastAttempt

RECOUP = Recoup(cold_model())
SCA = Decline("authentication_required")


def charges(script: Script, policy: Recoup = RECOUP) -> list[float]:
    return [at for at, deed, _ in played_by(policy, script)[1].done if deed == "attempt"]


def house(**rules: Any) -> Recoup:
    return Recoup(cold_model(), House(house=HouseRules(**rules)))


def declined(decline: Decline) -> Script:
    return Script(invoice=failed_invoice(decline=decline), declines=[decline])


@pytest.mark.parametrize("decline", [FUNDS, AWAY, Decline("generic_decline"), Decline("do_not_honor", network_code="05")])
def test_charges_keep_the_house_rules_apart_and_no_rule_is_broken(decline: Decline) -> None:
    outcome, world = played_by(RECOUP, declined(decline))
    at = [0.0, *(at for at, deed, _ in world.done if deed == "attempt")]
    rest = 1 / 24 if decline is AWAY else 1
    assert len(at) > 2
    assert all(later - earlier >= rest - 1e-3 for earlier, later in pairwise(at))
    assert max(at) < 28
    assert outcome.breaches == 0


def test_no_more_charges_are_made_than_the_house_allows() -> None:
    assert len(charges(declined(AWAY), house(attempts_per_case=2))) <= 2
    assert len(charges(Script(), house(attempts_per_case=1))) <= 1
    assert not charges(Script(), house(attempts_per_case=0))


def test_a_longer_rest_is_kept_too() -> None:
    at = [0.0, *charges(Script(), house(hours_between_attempts=96))]
    assert all(later - earlier >= 4 - 1e-3 for earlier, later in pairwise(at))


@pytest.mark.parametrize(("decline", "about"), [(EXPIRED, "update_method"), (STOLEN, "update_method"), (SCA, "confirm_payment")])
def test_what_only_the_customer_can_mend_is_asked_for_at_once_and_not_charged(decline: Decline, about: str) -> None:
    _, world = played_by(RECOUP, declined(decline))
    assert world.done[0] == (0, "email", about)
    assert {deed for _, deed, _ in world.done} == {"email"}


def test_a_new_card_is_charged_at_once() -> None:
    outcome, world = played_by(RECOUP, Script(events=[(4.25, "method_updated")], pays=(4.2, 4.5)))
    assert world.done[-1][1:] == ("attempt", "new")
    assert outcome.recovered


def test_each_charge_says_how_likely_it_was_held_to_go_through() -> None:
    outcome, _ = played_by(RECOUP, Script())
    tried = [deed for deed in outcome.deeds if deed.kind == "attempt"]
    assert all(deed.expected is not None and 0 < deed.expected < 1 for deed in tried)
    assert all(deed.expected is None for deed in outcome.deeds if deed.kind == "message")


def test_charges_follow_the_paydays_that_the_account_s_past_tells_of() -> None:
    """Paid on the 15th, by charges that went through on it; a Sunday in March, so pay comes on Friday the 13th."""
    dates = (-208, -177, -147, -117, -86, -55, -26)  # from August 15 to February 13
    history = tuple(PastAttempt(day(at), f"invoice {at}", 4900, CARD.id) for at in dates)
    first, *_ = charges(Script(invoice=failed_invoice(history=history)))
    assert 1.7 < first < 2.5


def test_at_which_hours_charges_go_through_is_read_from_before_the_first_failure_alone() -> None:
    """Every charge at six in the morning went through and none at six in the evening, until the first failure; then it is the other way."""

    def charges_of(number: int, *, before: bool) -> tuple[PastAttempt, ...]:
        begin, good = (-200 if before else 5), (6 if before else 18)
        at = [day(begin + number).replace(hour=hour) for hour in (6, 18)]
        return tuple(PastAttempt(one, f"{one}", 4900, CARD.id, None if one.hour == good else FUNDS) for one in at)

    known = [failed_invoice(f"case {n}", history=charges_of(n, before=True)) for n in range(100)]
    later = [failed_invoice(f"later {n}", history=charges_of(n, before=False), failed_at=day(150)) for n in range(100)]
    hours = RECOUP.acquainted(known).model.hours
    assert hours.sine > 0.5
    assert RECOUP.acquainted([*known, *later]).model.hours == hours
    assert RECOUP.acquainted([]).model.hours == RECOUP.model.hours


def test_who_cannot_be_written_to_is_not() -> None:
    _, world = played_by(RECOUP, Script(invoice=failed_invoice(channels=())))
    assert {deed for _, deed, _ in world.done} == {"attempt"}


def test_the_same_case_gets_the_same_plan_and_nothing_is_kept_from_one_to_the_next() -> None:
    first = played_by(RECOUP, Script())[0]
    played_by(RECOUP, declined(AWAY))
    assert played_by(RECOUP, Script())[0] == first


def test_nothing_is_left_to_do_once_the_window_is_over() -> None:
    invoice = failed_invoice()
    standing = Standing(invoice)
    seen = Seen(invoice, FAILED_AT, invoice.credential, standing.category, standing)
    assert RECOUP.next(seen) is not None
    assert RECOUP.next(replace(seen, now=day(28))) is None
