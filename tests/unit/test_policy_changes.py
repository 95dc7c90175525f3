"""What a change of policy changes, seen before it is in force."""

from datetime import timedelta
from typing import Any

from recoup.actions import Action
from recoup.gate import judge
from recoup.policy import Mode, Policy, parse_policy
from recoup.policy_changes import Judged, answer_changes, key_changes, unseen_changes
from recoup.proposal import Answer
from tests.factories import NOW, ledger_entry, make_facts, make_message, make_note, make_policy, make_retry, proposed


def judged(*actions: Action, policy: Policy | None = None, signals: tuple[str, ...] = (), **changes: Any) -> Judged:
    """A decision as the gate answered it under ``policy``."""
    facts = make_facts(**changes)
    asked = tuple(proposed(action) for action in actions)
    verdicts = tuple(judge(one, signals, facts, policy or Policy()) for one in asked)
    return Judged(decision_id="dec_1", case_id="case_1", facts=facts, actions=asked, signals=(), verdicts=verdicts)


def test_the_same_policy_changes_nothing() -> None:
    assert key_changes(Policy(), Policy()) == ()
    assert answer_changes(judged(make_message(), make_retry(), make_note()), Policy()) == ()


def test_each_changed_key_is_named_with_both_values() -> None:
    after = parse_policy('mode = "hybrid"\n[house]\nmessages_per_day = 2\n[escalations.amount_over_major_by_currency]\nEUR = 5')
    told = {change.key: (change.before, change.after) for change in key_changes(Policy(), after)}
    assert told == {
        "mode": ("approve", "hybrid"),
        "house.messages_per_day": (1, 2),
        "escalations.amount_over_major_by_currency.EUR": (None, "5"),
        "escalations.amount_over_major_by_currency.JPY": ("150000", None),
        "escalations.amount_over_major_by_currency.INR": ("80000", None),
    }


def test_a_bolder_mode_runs_what_was_asked() -> None:
    (change,) = answer_changes(judged(make_message(), make_note()), make_policy(mode=Mode.AUTO))
    assert (change.action, change.before, change.after, change.rule) == ("send_message", Answer.ASK, Answer.RUN, None)


def test_a_looser_house_rule_names_the_rule_that_falls_silent() -> None:
    strict = parse_policy("[house]\nhours_between_attempts = 48")
    old = judged(make_retry(), policy=strict, ledger=(ledger_entry(at=NOW - timedelta(hours=30)),), attempts=())
    (change,) = answer_changes(old, make_policy())
    assert (change.before, change.after, change.rule) == (Answer.DENY, Answer.ASK, "hours-between-attempts")


def test_a_stricter_house_rule_names_the_rule_that_speaks() -> None:
    stricter = parse_policy("[house]\nmessages_per_day = 0")
    (change,) = answer_changes(judged(make_message()), stricter)
    assert (change.before, change.after, change.rule) == (Answer.ASK, Answer.DENY, "messages-per-day")


def test_signs_that_somebody_saw_still_ask_under_the_new_policy() -> None:
    for signal in ("fraud", "legal"):
        old = judged(make_message(), signals=(signal,), policy=make_policy(mode=Mode.AUTO))
        assert answer_changes(old, make_policy(mode=Mode.HYBRID)) == ()


def test_no_policy_lifts_an_absolute_rule() -> None:
    old = judged(make_retry(), kill_switch=True, ledger=(ledger_entry(at=NOW),))
    assert answer_changes(old, parse_policy('mode = "auto"\n[house]\nhours_between_attempts = 0')) == ()


def test_keys_that_only_new_decisions_can_show_are_told() -> None:
    after = parse_policy('mode = "auto"\n[steps]\nlast_day = 30')
    assert unseen_changes(key_changes(Policy(), after)) == ("steps.last_day",)
