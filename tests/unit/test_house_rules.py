"""Our own limits: each denies, says when time cures it, and yields to a person's override."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recoup.actions import Action, ActionName, AgencyArgs, Channel, make_action
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.house_rules import house_rules, postponement
from recoup.invoice import Initiator
from recoup.policy import HouseRules, Policy
from tests.factories import (
    FAILED_AT,
    NOW,
    account_facts,
    attempt_facts,
    contact_facts,
    credential_facts,
    ledger_entry,
    make_facts,
    make_message,
    make_note,
    make_policy,
    make_retry,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RETRY, MESSAGE = make_retry(), make_message(step=5)
RECEIPT = make_message(template="receipt")
AGENCY = make_action(ActionName.REFER_TO_AGENCY, AgencyArgs(agency="north"))
NIGHT = NOW.replace(hour=4)
RESTED: dict[str, Any] = {"ledger": (ledger_entry(at=NOW - 2 * DAY),)}


def denied_by(action: Action, facts: CaseFacts, policy: Policy | None = None) -> set[str]:
    return {hit.rule for hit in house_rules(action, facts, policy or Policy())}


def contacts(*ages: timedelta, **changes: Any) -> dict[str, Any]:
    return {"contacts": tuple(contact_facts(id=f"c{n}", at=NOW - age, step=9, **changes) for n, age in enumerate(ages))}


def own_attempts(count: int) -> dict[str, Any]:
    made = tuple(attempt_facts(id=f"a{n}", initiator=Initiator.RECOUP, occurred_at=NOW - 3 * DAY) for n in range(count))
    return {**RESTED, "attempts": made}


DENIALS: list[tuple[str, Action, dict[str, Any], str]] = [
    ("one message a day", MESSAGE, contacts(23 * HOUR), "messages-per-day"),
    ("over all invoices", MESSAGE, contacts(HOUR, case_id="case_2"), "messages-per-day"),
    ("reserved counts as sent", MESSAGE, contacts(HOUR, state="reserved"), "messages-per-day"),
    ("unknown counts as sent", MESSAGE, contacts(HOUR, state="unknown"), "messages-per-day"),
    ("three messages a week", MESSAGE, contacts(2 * DAY, 4 * DAY, 6 * DAY), "messages-per-week"),
    ("a day between attempts", RETRY, {}, "hours-between-attempts"),
    (
        "an hour after a technical failure",
        RETRY,
        {"ledger": (ledger_entry(at=NOW - HOUR / 2, category=Category.TECHNICAL),)},
        "hours-between-attempts",
    ),
    (
        "a technical failure does not shorten the rest after another",
        RETRY,
        {"ledger": (ledger_entry(at=NOW - 3 * HOUR), ledger_entry(id="b", at=NOW - 2 * HOUR, category=Category.TECHNICAL))},
        "hours-between-attempts",
    ),
    ("eight attempts a case", RETRY, own_attempts(8), "attempts-per-case"),
    (
        "fifteen attempts a card, whatever the amount",
        RETRY,
        {"ledger": tuple(ledger_entry(id=f"a{n}", amount_minor=n, at=NOW - 29 * DAY + n * DAY) for n in range(15))},
        "attempts-per-credential",
    ),
    ("only the policy's agencies", AGENCY, {}, "agency-unknown"),
]
ALLOWED: list[tuple[str, Action, dict[str, Any]]] = [
    ("late morning in New York", MESSAGE, {}),
    ("a day later", MESSAGE, contacts(DAY)),
    ("two in the week", MESSAGE, contacts(2 * DAY, 4 * DAY)),
    ("what was released was not sent", MESSAGE, contacts(HOUR, state="released")),
    ("a receipt soon after a message", RECEIPT, contacts(HOUR)),
    ("a message at midnight, which is only postponed", MESSAGE, {"now": NIGHT}),
    ("a charge at midnight", RETRY, {"now": NIGHT, "ledger": ()}),
    ("two days after the failure", RETRY, RESTED),
    ("two hours after a technical failure", RETRY, {"ledger": (ledger_entry(at=NOW - 2 * HOUR, category=Category.TECHNICAL),)}),
    ("at once after the customer changed the card", RETRY, {"credential": credential_facts(changed_at=FAILED_AT + SECOND)}),
    ("seven attempts", RETRY, own_attempts(7)),
    (
        "the customer's own tries use up nothing of ours",
        RETRY,
        {**RESTED, "attempts": tuple(attempt_facts(id=f"a{n}", initiator=Initiator.CUSTOMER) for n in range(20))},
    ),
]


@pytest.mark.parametrize(("why", "action", "changes", "rule"), DENIALS, ids=[row[0] for row in DENIALS])
def test_a_house_rule_denies(why: str, action: Action, changes: dict[str, Any], rule: str) -> None:
    assert denied_by(action, make_facts(**changes)) == {rule}


@pytest.mark.parametrize(("why", "action", "changes"), ALLOWED, ids=[row[0] for row in ALLOWED])
def test_no_house_rule_denies(why: str, action: Action, changes: dict[str, Any]) -> None:
    assert denied_by(action, make_facts(**changes)) == set()


@pytest.mark.parametrize(("why", "action", "changes", "rule"), DENIALS, ids=[row[0] for row in DENIALS])
def test_a_person_may_lift_each_house_rule_for_a_case(why: str, action: Action, changes: dict[str, Any], rule: str) -> None:
    (hit,) = house_rules(action, make_facts(**changes), Policy())
    assert hit.overridable
    assert denied_by(action, make_facts(**changes, overridden_rules=(rule,))) == set()


def test_a_policy_that_allows_no_messages_allows_none_and_time_does_not_cure_it() -> None:
    policy = make_policy(house=HouseRules(messages_per_day=0))
    (hit,) = house_rules(MESSAGE, make_facts(), policy)
    assert (hit.rule, hit.not_before) == ("messages-per-day", None)


# Contact hours: when, not whether

INDIA = account_facts(country="IN", timezone="Asia/Kolkata")
NO_ZONE = account_facts(timezone="UTC", timezone_source="default")
SMS = make_message(channel=Channel.SMS)
STRICT = make_policy(house=HouseRules(email_when_zone_unknown=False))
HOURS: list[tuple[str, Action, dict[str, Any], Policy, str | None]] = [
    ("late morning in New York", MESSAGE, {}, Policy(), None),
    ("midnight in New York", MESSAGE, {"now": NIGHT}, Policy(), "12:00"),
    ("India's hours begin an hour later", MESSAGE, {"now": NOW.replace(hour=3), "account": INDIA}, Policy(), "03:30"),
    ("the hours are lifted for the case", MESSAGE, {"now": NIGHT, "overridden_rules": ("contact-hours",)}, Policy(), None),
    ("a receipt", RECEIPT, {"now": NIGHT}, Policy(), None),
    ("a note", make_note(), {"now": NIGHT}, Policy(), None),
    ("a charge", RETRY, {"now": NIGHT}, Policy(), None),
    ("e-mail where nobody told the zone", MESSAGE, {"now": NIGHT, "account": NO_ZONE}, Policy(), None),
    ("e-mail there, where the policy is strict", MESSAGE, {"now": NIGHT, "account": NO_ZONE}, STRICT, "08:00"),
    ("an SMS where nobody told the zone", SMS, {"now": NIGHT, "account": NO_ZONE}, Policy(), "08:00"),
    ("an SMS there by day in UTC", SMS, {"account": NO_ZONE}, Policy(), None),
]


@pytest.mark.parametrize(("why", "action", "changes", "policy", "opens"), HOURS, ids=[row[0] for row in HOURS])
def test_the_hours_of_contact_postpone(why: str, action: Action, changes: dict[str, Any], policy: Policy, opens: str | None) -> None:
    hit = postponement(action, make_facts(**changes), policy)
    assert (f"{hit.not_before:%H:%M}" if hit else None) == opens
    assert hit is None or hit.overridable


def test_a_postponed_message_says_when_it_goes_out() -> None:
    hit = postponement(MESSAGE, make_facts(now=NIGHT), Policy())
    assert hit is not None
    assert hit.detail == "it goes out at 08:00 local time (allowed from 08:00 to 21:00 in America/New_York)"
    unknown = postponement(SMS, make_facts(now=NIGHT, account=NO_ZONE), Policy())
    assert unknown is not None
    assert unknown.detail == "it goes out at 08:00 UTC (allowed from 08:00 to 21:00 in UTC)"


def test_what_is_reserved_for_the_morning_keeps_others_away_until_a_day_after_it() -> None:
    morning = NOW + 12 * HOUR
    (hit,) = house_rules(MESSAGE, make_facts(contacts=(contact_facts(at=morning, state="reserved"),)), Policy())
    assert (hit.rule, hit.not_before) == ("messages-per-day", morning + DAY)


def test_what_is_reserved_and_late_counts_from_now_since_it_has_yet_to_go_out() -> None:
    late = make_facts(contacts=(contact_facts(at=NOW - 2 * DAY, state="reserved"),))
    assert denied_by(MESSAGE, late) == {"messages-per-day"}


def test_an_agency_that_the_policy_names_passes() -> None:
    assert denied_by(AGENCY, make_facts(), make_policy(agencies=("north",))) == set()


# Properties

ages = st.integers(0, 40 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def busy_facts(draw: st.DrawFn) -> CaseFacts:
    """An account that was written to and charged at any times, seen at any hour of its day."""
    zone = draw(st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"]))
    category = draw(st.sampled_from([Category.FUNDS, Category.TECHNICAL]))
    contacted, attempted = draw(st.lists(ages, max_size=6)), draw(st.lists(ages, max_size=20))
    return make_facts(
        now=NOW.replace(hour=draw(st.integers(0, 23))),
        account=account_facts(timezone=zone),
        contacts=tuple(contact_facts(id=f"c{n}", at=NOW - age, step=9) for n, age in enumerate(contacted)),
        ledger=tuple(ledger_entry(id=f"a{n}", at=NOW - age, category=category) for n, age in enumerate(attempted)),
    )


@given(busy_facts(), st.sampled_from([RETRY, MESSAGE]))
def test_a_denial_is_cured_at_its_instant_and_not_a_second_before(facts: CaseFacts, action: Action) -> None:
    for hit in house_rules(action, facts, Policy()):
        if hit.not_before is not None:
            assert hit.rule in denied_by(action, facts.model_copy(update={"now": hit.not_before - SECOND}))
            assert hit.rule not in denied_by(action, facts.model_copy(update={"now": hit.not_before}))


@given(busy_facts())
def test_a_postponed_message_is_allowed_at_its_instant_and_not_a_second_before(facts: CaseFacts) -> None:
    hit = postponement(MESSAGE, facts, Policy())
    if hit is not None:
        assert hit.not_before is not None
        assert hit.not_before > facts.now
        assert postponement(MESSAGE, facts.model_copy(update={"now": hit.not_before}), Policy()) is None
        assert postponement(MESSAGE, facts.model_copy(update={"now": hit.not_before - SECOND}), Policy()) == hit


@given(busy_facts(), ages, st.sampled_from(list(Category)))
def test_one_more_attempt_or_contact_never_allows_what_was_denied(facts: CaseFacts, age: timedelta, category: Category) -> None:
    more = facts.model_copy(
        update={
            "ledger": (*facts.ledger, ledger_entry(id="more", at=NOW - age, category=category)),
            "contacts": (*facts.contacts, contact_facts(id="more", at=NOW - age, step=9)),
        }
    )
    for action in (RETRY, MESSAGE):
        assert denied_by(action, facts) <= denied_by(action, more)
