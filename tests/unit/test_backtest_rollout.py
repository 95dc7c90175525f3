"""One policy on one case: the rules are asked before each charge, news are heard in time, and everything is counted."""

from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest

from agents.planner.model import cold_model
from evals.backtest.baselines import LADDERS, baseline
from evals.backtest.outcome import Ending
from evals.backtest.recoup import Recoup
from evals.backtest.rollout import Move, Policy, Seen
from evals.backtest.situations import situation_of
from tests.scripted import (
    CARD,
    FAILED_AT,
    FUNDS,
    NEW_CARD,
    STOLEN,
    Script,
    Told,
    charge,
    day,
    failed_invoice,
    message,
    played_by,
)
from tools.sandbox.protocol import COSTS, Decline

POLICIES: list[Policy] = [Recoup(cold_model()), *(one for name in (*LADDERS, "by-code", "never") if (one := baseline(name)))]


def test_a_charge_that_goes_through_ends_the_case() -> None:
    policy = Told([charge(2, expected=0.3), charge(4, expected=0.4), charge(6)])
    outcome, world = played_by(policy, Script(pays=(3.0, 9.0)))
    assert world.done == [(2, "attempt", "card"), (4, "attempt", "card")]
    assert (outcome.ending, outcome.days, outcome.by_retry, outcome.recovered) == ("recovered", 4, True, True)
    assert [(deed.at, deed.approved, deed.expected) for deed in outcome.deeds] == [(day(2), False, 0.3), (day(4), True, 0.4)]
    assert outcome.costs_minor == 2 * COSTS.attempt_minor
    assert outcome.net_minor == 4900 - 2 * COSTS.attempt_minor
    assert (outcome.attempts, outcome.messages, outcome.breaches) == (2, 0, 0)


def test_where_nothing_works_the_case_stays_open_to_the_last_day() -> None:
    outcome, world = played_by(Told([charge(2), message(59), charge(61)]))
    assert world.done == [(2, "attempt", "card"), (59, "email", "reminder")]
    assert (outcome.ending, outcome.days, outcome.recovered) == ("open", None, False)
    assert outcome.net_minor == -outcome.costs_minor == -(COSTS.attempt_minor + COSTS.message_minor["email"])


@pytest.mark.parametrize(("kind", "ending"), [("paid_by_link", "recovered"), ("cancelled", "cancelled"), ("disputed", "disputed")])
def test_what_ends_a_case_from_without_keeps_a_planned_charge_from_being_made(kind: Any, ending: Ending) -> None:
    assert ending in get_args(Ending)
    outcome, world = played_by(Told([charge(2), charge(5)]), Script(events=[(4.9, kind)]))
    assert [at for at, _, _ in world.done] == [2]
    assert (outcome.ending, outcome.by_retry) == (ending, False)
    assert outcome.days == (pytest.approx(4.9) if ending == "recovered" else None)


def test_a_payment_after_the_window_is_counted_as_late() -> None:
    outcome, _ = played_by(Told([]), Script(events=[(40, "paid_by_link")]))
    assert (outcome.ending, outcome.days, outcome.recovered, outcome.net_minor) == ("recovered", 40, False, 0)


def test_a_message_reaches_the_customer_by_its_channel_with_what_it_is_about() -> None:
    script = Script(answers=[(1.5, "paid_by_link")], invoice=failed_invoice(channels=("email", "sms")))
    outcome, world = played_by(Told([message(1, channel="sms", about="update_method"), charge(9)]), script)
    assert world.done == [(1, "sms", "update_method")]
    assert (outcome.ending, outcome.days, outcome.by_retry, outcome.messages) == ("recovered", 2.5, False, 1)
    assert outcome.costs_minor == COSTS.message_minor["sms"]


def test_news_are_heard_within_hours_and_the_policy_is_asked_again() -> None:
    policy = Told([charge(9)])
    played_by(policy, Script(events=[(2.1, "method_updated"), (3.1, "replied")]))
    first, updated, replied = policy.saw[:3]
    assert (first.now, first.credential, first.is_fresh) == (FAILED_AT, CARD, False)
    assert day(2.1) <= updated.now <= day(2.35)
    assert (updated.credential, updated.updated_at, updated.is_fresh) == (NEW_CARD, day(2.1), True)
    assert replied.replied_at == day(3.1)
    assert policy.saw[-1].tried[0].at == day(9)


def test_a_new_card_is_the_one_that_is_charged() -> None:
    _, world = played_by(Told([charge(1), charge(5)]), Script(events=[(3, "method_updated")]))
    assert world.done == [(1, "attempt", "card"), (5, "attempt", "new")]


@pytest.mark.parametrize("tried_on", [3, 5])
def test_once_tried_a_new_card_is_fresh_no_more_though_it_was_at_the_instant_at_which_it_came(tried_on: float) -> None:
    policy = Told([charge(tried_on)])
    played_by(policy, Script(events=[(3, "method_updated")]))
    assert [seen.is_fresh for seen in policy.saw] == [False, True, False]
    assert [situation_of(seen).is_fresh for seen in policy.saw] == [False, True, False]


def test_a_charge_waits_until_the_rules_allow_it() -> None:
    """Visa's 51 may be tried again after a day, Mastercard's advice 26 after two."""
    funds = replace(FUNDS, network_code="51")
    _, world = played_by(Told([charge(0.1)]), Script(invoice=failed_invoice(decline=funds)))
    assert world.done == [(1, "attempt", "card")]
    two_days = failed_invoice(decline=replace(funds, advice="26"), credential=replace(CARD, brand="mastercard"))
    _, world = played_by(Told([charge(0.1), charge(5)]), Script(invoice=two_days))
    assert world.done == [(2, "attempt", "card"), (5, "attempt", "card")]


@dataclass
class Stubborn:
    """Charges, unless it may never; then it writes, where it ``listens``."""

    listens: bool
    name: str = "stubborn"

    def next(self, seen: Seen) -> Move | None:
        if seen.barred and self.listens:
            return None if seen.sent else Move(seen.now, "message", about="update_method")
        return Move(max(seen.now, day(1)), "attempt")


def test_what_may_never_be_charged_is_not_and_the_policy_is_told() -> None:
    stolen = Script(invoice=failed_invoice(decline=STOLEN))
    outcome, world = played_by(Stubborn(listens=True), stolen)
    assert world.done == [(0, "email", "update_method")]
    assert (outcome.ending, outcome.attempts) == ("open", 0)
    with pytest.raises(RuntimeError, match="policy stubborn charges what may not be charged"):
        played_by(Stubborn(listens=False), stolen)


def test_a_new_card_lifts_the_bar() -> None:
    stolen = Script(invoice=failed_invoice(decline=STOLEN), answers=[(2, "method_updated")], pays=(2.0, 9.0))
    outcome, world = played_by(Stubborn(listens=True), stolen)
    assert world.done[-1] == (2, "attempt", "new")
    assert outcome.recovered


def test_what_a_later_decline_means_is_seen() -> None:
    policy = Told([charge(1), charge(3)])
    played_by(policy, Script(declines=[Decline("processing_error"), Decline("expired_card")]))
    assert [seen.category for seen in policy.saw] == ["funds", "technical", "new_data"]


def test_a_policy_that_never_stops_is_a_defect() -> None:
    with pytest.raises(RuntimeError, match="policy told did 400 things on case case0"):
        played_by(Told([message(0)] * 500))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_what_will_happen_later_changes_nothing_of_what_is_done_before(policy: Policy) -> None:
    """The same case with other futures: until they part, the same deeds on the same days."""
    parts_on = 8.0
    futures = [
        Script(),
        Script(pays=(parts_on, 60.0)),
        Script(events=[(parts_on, "method_updated"), (9.5, "replied")]),
        Script(events=[(parts_on, "paid_by_link")]),
        Script(events=[(parts_on, "cancelled")]),
    ]
    before = [[deed for deed in played_by(policy, script)[1].done if deed[0] < parts_on] for script in futures]
    assert all(one == before[0] for one in before)
    assert before[0] or policy.name == "never"
