"""A decision as a collections person reads it."""

from datetime import timedelta
from itertools import count

from agents import communication, prioritization
from api.explain import explain_decision
from recoup.gate import judge
from tests.factories import FAILED_AT, make_facts, on_ladder


def test_a_decision_is_told_from_the_debt_to_the_next_look() -> None:
    policy, numbers = on_ladder(), count(1)
    facts = make_facts(now=FAILED_AT + timedelta(days=1))
    plan = prioritization.propose(facts, policy, lambda: f"act_{next(numbers)}")
    words = communication.propose(facts, policy, plan)
    actions = [plan.actions[0], *words.actions]
    lines = explain_decision(facts, (plan, words), [judge(p, (), facts, policy) for p in actions])
    text = "\n".join(lines)
    for expected in (
        "$49.00 of $49.00 remain on invoice inv_1; the case is open.",
        "It failed once, last on 2026-03-10 14:00 UTC: there was not enough money, or a limit was reached (code insufficient_funds).",
        "Proposed: Charge the same method again: $49.00.",
        "Proposed: Write to the customer (step 0, by email, words payment_failed_soft_first).",
        "rests on inv_1, att_1, crd_1; confidence 80%",
        "A person is asked: approve mode asks before this charge.",
        "Not chosen: name the bank's reason",
        "Looked at again on 2026-03-13 14:00 UTC",
    ):
        assert expected in text
    assert text.count("Write to the customer (step 0") == 1


def test_a_decision_that_has_not_run_says_so() -> None:
    assert explain_decision(make_facts(), None, None)[-1] == "Nothing has been proposed yet."
