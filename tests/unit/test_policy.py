"""The policy as people write it: the default text is the default policy, and what is wrong is named."""

import tomllib
from datetime import time

import pytest

from recoup.category import Category
from recoup.errors import Misconfigured
from recoup.policy import Policy, default_policy_text, parse_policy


def test_the_default_text_says_exactly_the_defaults() -> None:
    assert parse_policy(default_policy_text()) == Policy()


def test_the_default_text_names_every_key_so_that_people_can_find_them() -> None:
    written = tomllib.loads(default_policy_text())
    assert set(written) == set(Policy.model_fields)
    defaults = Policy().model_dump(mode="json")
    for section in ("house", "low_risk", "escalations", "approvals", "steps", "freshness", "voids_debt"):
        assert set(written[section]) == set(defaults[section]), section


def test_a_policy_may_leave_out_what_it_does_not_change() -> None:
    policy = parse_policy('mode = "hybrid"\n[house]\nmessages_per_day = 2')
    assert (policy.mode, policy.house.messages_per_day, policy.house.messages_per_week) == ("hybrid", 2, 3)


def test_what_one_kind_of_cancellation_does_leaves_the_others_alone() -> None:
    assert parse_policy("[voids_debt]\nimmediate = false").voids_debt == Policy().voids_debt | {"immediate": False}


def test_a_cohort_reads_as_in_the_comment_of_the_default() -> None:
    text = """
        [[cohorts]]
        name = "small failures in the euro zone"
        mode = "hybrid"
        [cohorts.match]
        categories = ["funds", "technical"]
        amount_under_major = 50
        currencies = ["EUR"]
        share = 0.25
    """
    (cohort,) = parse_policy(text).cohorts
    assert cohort.match.categories == (Category.FUNDS, Category.TECHNICAL)


def test_a_suspension_can_be_ruled_out() -> None:
    assert parse_policy('[steps]\nsuspend_day = "never"').steps.suspend_day is None


WRONG = [
    ("mode = 'bold'", "mode"),
    ("[house]\nmesages_per_day = 2", "house.mesages_per_day"),
    ("holdout_share = 1.5", "holdout_share"),
    ("[house]\ncontact_hours = { start = 21:00:00, end = 08:00:00 }", "house.contact_hours"),
    ("[approvals]\nexpire_after_hours = 0", "approvals.expire_after_hours"),
    ("mode = ", "not valid TOML"),
]


@pytest.mark.parametrize(("text", "named"), WRONG, ids=[row[1] for row in WRONG])
def test_what_is_wrong_in_a_policy_is_named(text: str, named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        parse_policy(text)


def test_contact_hours_are_local_times() -> None:
    hours = parse_policy("[house]\ncontact_hours = { start = 09:30:00, end = 18:00:00 }").house.contact_hours
    assert (hours.start, hours.end) == (time(9, 30), time(18))
