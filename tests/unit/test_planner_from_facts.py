"""The same history, once as the product's facts and once as a backtest sees it, is the same situation and the same plan."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from agents.method import standing
from agents.planner.from_facts import situation_from, terms_from
from agents.planner.plan import make_plan
from agents.planner.situation import Situation
from agents.planner.terms import Terms
from evals.backtest.rollout import Seen, Sent, Tried
from evals.backtest.situations import situation_of
from evals.backtest.standing import Standing
from recoup.actions import RECEIPT_TEMPLATE
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.invoice import Initiator
from recoup.network import Denied
from recoup.policy import HouseRules, PlanRules, Policy
from tests.factories import (
    CODE_OF,
    FAILED_AT,
    account_facts,
    action_facts,
    attempt_facts,
    contact_facts,
    credential_facts,
    invoice_facts,
    ledger_entry,
    make_facts,
)
from tests.plans import RETRY, did, wrote
from tests.situations import COLD
from tools.sandbox.protocol import Credential, Decline, FailedInvoice, PastAttempt

DAY = timedelta(days=1)
POLICY = Policy()
EMAIL = ("email",)
PAST = ((-60.0, None), (-30.0, Category.FUNDS), (-27.0, None), (-2.0, Category.TECHNICAL))


def at(day: float) -> datetime:
    return FAILED_AT + day * DAY


def decline(category: Category) -> Decline:
    return Decline(CODE_OF[category])


def facts_of(
    *,
    now: float = 0.0,
    failed: tuple[Category, ...] = (Category.FUNDS,),
    days: tuple[float, ...] = (0.0,),
    written: tuple[float, ...] = (),
    new_card_on: float | None = None,
    **changes: Any,
) -> CaseFacts:
    """In the product: attempts, the card's ledger, actions; what was tried since ``new_card_on`` was tried on another card."""
    attempts = tuple(
        attempt_facts(
            id=f"att_{number}",
            category=category,
            occurred_at=at(day),
            initiator=Initiator.RECOUP if number else Initiator.PLATFORM,
            credential_id="crd_1" if new_card_on is None or day < new_card_on else "crd_2",
        )
        for number, (category, day) in enumerate(zip(failed, days, strict=True))
    )
    card = credential_facts() if new_card_on is None else credential_facts(id="crd_2", vendor_id="pm_2", changed_at=at(new_card_on))
    past = [
        ledger_entry(
            id=f"old_{number}",
            at=at(day),
            state="failed" if category else "succeeded",
            category=category,
            own_case=False,
            invoice_id="inv_old" if -31 < day < -26 else f"inv_{number}",
        )
        for number, (day, category) in enumerate(PAST)
    ]
    own = [attempt.as_ledger_entry() for attempt in attempts if attempt.credential_id == card.id]
    values: dict[str, Any] = {
        "now": at(now),
        "attempts": attempts,
        "credential": card,
        "ledger": (*own, *past),
        "actions": tuple(wrote(step, at=at(day)) for step, day in enumerate(written)),
        "account": account_facts(),
    }
    return make_facts(**(values | changes))


def seen_of(
    *,
    now: float = 0.0,
    failed: tuple[Category, ...] = (Category.FUNDS,),
    days: tuple[float, ...] = (0.0,),
    written: tuple[float, ...] = (),
    new_card_on: float | None = None,
) -> Seen:
    """In a backtest."""
    card = Credential("card", brand="visa", funding="debit", country="US", expires="2029-12")
    past = [
        PastAttempt(at(day), "old" if -31 < day < -26 else f"{day}", 4900, "card", decline(category) if category else None)
        for day, category in PAST
    ]
    invoice = FailedInvoice(
        case="case",
        account="account",
        amount_minor=4900,
        currency="USD",
        failed_at=FAILED_AT,
        decline=decline(failed[0]),
        credential=card,
        country="US",
        timezone="America/New_York",
        history=tuple(past),
    )
    book = Standing(invoice)
    seen = Seen(invoice, at(now), card, book.category, book)
    for category, day in list(zip(failed, days, strict=True))[1:]:
        if new_card_on is not None and seen.updated_at is None and day >= new_card_on:
            _renew(seen, new_card_on)
        seen.tried.append(Tried(at(day), decline(category)))
        seen.category = book.declined(at(day), decline(category))
    if new_card_on is not None and seen.updated_at is None:
        _renew(seen, new_card_on)
    seen.sent = [Sent(at(day), "email") for day in written]
    seen.barred = isinstance(book.permit(at(now)), Denied)
    return seen


def _renew(seen: Seen, day: float) -> None:
    seen.credential, seen.updated_at = replace(seen.credential, id="new"), at(day)
    seen.standing.update(seen.credential, at(day))


def from_facts(facts: CaseFacts, policy: Policy = POLICY) -> tuple[Situation, Terms]:
    method = standing(facts)
    return situation_from(facts, method, EMAIL), terms_from(facts, policy, method)


HISTORIES: dict[str, dict[str, Any]] = {
    "just failed": {},
    "failed and waited": {"now": 2.5},
    "a bank that is away": {"failed": (Category.TECHNICAL,), "now": 0.05},
    "do not honor": {"failed": (Category.GENERIC,), "now": 1.0},
    "tried twice": {"failed": (Category.FUNDS, Category.FUNDS, Category.GENERIC), "days": (0.0, 1.5, 4.0), "now": 5.0},
    "another decline": {"failed": (Category.FUNDS, Category.TECHNICAL), "days": (0.0, 2.0), "now": 2.1},
    "written to": {"written": (0.1, 3.2), "now": 4.0},
    "a dead card": {"failed": (Category.NEVER,), "now": 0.5},
    "an expired card": {"failed": (Category.NEW_DATA,), "written": (0.1,), "now": 1.0},
    "wants confirmation": {"failed": (Category.CUSTOMER_ACTION,)},
    "a new card": {"new_card_on": 3.0, "now": 3.1},
    "a new card after some tries": {"failed": (Category.FUNDS, Category.FUNDS), "days": (0.0, 2.0), "new_card_on": 3.0, "now": 3.1},
    "a new card that failed too": {"failed": (Category.FUNDS, Category.FUNDS), "days": (0.0, 3.5), "new_card_on": 3.0, "now": 5.0},
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_product_and_backtest_see_the_same_and_plan_the_same(history: dict[str, Any]) -> None:
    ours, terms = from_facts(facts_of(**history))
    theirs = situation_of(seen_of(**history))
    # When a card came tells nothing once something was tried since; what was tried before it does not count on either side.
    assert replace(ours, updated_at=None) == replace(theirs, updated_at=None)
    assert ours.is_fresh == theirs.is_fresh
    if ours.is_fresh:
        assert ours.updated_at == theirs.updated_at
    assert make_plan(ours, COLD, terms) == make_plan(theirs, COLD, terms)


def test_a_card_that_another_one_took_the_place_of_speaks_no_more_for_the_new_one() -> None:
    """Also where nobody told when the new one came: it is known by what was tried on which."""
    facts = facts_of(failed=(Category.FUNDS,) * 3, days=(0.0, 2.0, 4.0), new_card_on=3.0, now=5.5)
    assert facts.credential is not None
    untold = facts.model_copy(update={"credential": facts.credential.model_copy(update={"changed_at": at(-200)})})
    for told in (facts, untold):
        ours, _ = from_facts(told)
        assert not ours.is_fresh
        assert list(COLD.believe(ours).failed) == [at(4.0).timestamp()]


def test_a_card_that_failed_before_another_one_did_is_not_fresh() -> None:
    facts = facts_of(failed=(Category.FUNDS,) * 2, days=(0.0, 2.0), now=5.0)
    elsewhere = facts.attempts[1].model_copy(update={"credential_id": "crd_2"})
    ours, _ = from_facts(facts.model_copy(update={"attempts": (facts.attempts[0], elsewhere)}))
    assert not ours.is_fresh


# Limits


def test_a_charge_waits_for_the_house_s_rest_and_for_the_network() -> None:
    _, within = from_facts(facts_of(now=0.01))
    assert within.charge_from == at(1).timestamp()
    _, within = from_facts(facts_of(failed=(Category.TECHNICAL,), now=0.01))
    assert within.charge_from == (FAILED_AT + timedelta(hours=1)).timestamp()
    _, within = from_facts(facts_of(now=3.1, new_card_on=3.0))
    assert within.charge_from == at(3.1).timestamp()


def test_what_is_left_of_the_attempts() -> None:
    house = Policy(house=HouseRules(attempts_per_case=3))
    assert from_facts(facts_of(), house)[1].attempts_left == 3
    tried = facts_of(failed=(Category.FUNDS,) * 3, days=(0.0, 1.5, 3.0), now=4.0)
    made = tried.model_copy(update={"actions": (did(RETRY, 1.5), did(RETRY, 3.0))})
    assert from_facts(made, house)[1].attempts_left == 1
    refused = tried.model_copy(update={"actions": (did(RETRY, 1.5), did(RETRY, 3.0), did(RETRY, 3.5, state="rejected"))})
    assert from_facts(refused, house)[1].attempts_left == 0
    assert from_facts(facts_of(failed=(Category.NEVER,)))[1].attempts_left == 0


def test_what_a_person_refused_is_not_proposed_again_within_the_rest() -> None:
    refused = facts_of(now=2.0).model_copy(update={"actions": (did(RETRY, 1.5, state="rejected"),)})
    assert from_facts(refused)[1].charge_from == at(2.5).timestamp()


@pytest.mark.parametrize(
    ("days", "from_day"),
    [((), 3.9), ((3.0,), 4.0), ((0.0, 1.5, 3.0), 7.0), ((-5.0,), 3.9)],
    ids=["none", "one today", "three this week", "before the case"],
)
def test_messages_wait_for_the_limits_of_a_day_and_a_week(days: tuple[float, ...], from_day: float) -> None:
    _, within = from_facts(facts_of(now=3.9, written=days))
    assert within.write_from == at(from_day).timestamp()


def test_a_message_about_another_invoice_counts_and_a_receipt_does_not() -> None:
    other = contact_facts(case_id="case_2", at=at(3.5))
    receipt = action_facts(id="act_r", template=RECEIPT_TEMPLATE, at=at(3.6), step=None)
    _, within = from_facts(facts_of(now=3.9, contacts=(other,), actions=(receipt,)))
    assert within.write_from == at(4.5).timestamp()


def test_contact_hours_are_those_of_the_customer_s_country() -> None:
    def hours(**changes: Any) -> tuple[float, float]:
        within = from_facts(facts_of(account=account_facts(**changes)))[1]
        return within.contact_from_hour, within.contact_until_hour

    assert hours() == (8, 21)
    assert hours(country="IN") == (9, 21)
    assert hours(timezone="UTC", timezone_source="default") == (0, 24)


def test_days_that_policy_closes_and_holidays() -> None:
    closed = Policy(plan=PlanRules(no_retry_weekdays={"DE": ("saturday", "sunday")}))
    german = facts_of(account=account_facts(country="DE", timezone="Europe/Berlin"))
    assert from_facts(german, closed)[1].closed_weekdays == {5, 6}
    assert from_facts(facts_of(), closed)[1].closed_weekdays == frozenset()
    good_friday = (datetime(2026, 4, 3) - datetime(1970, 1, 1)).days
    assert good_friday in from_facts(german)[1].silent_days
    assert good_friday not in from_facts(facts_of())[1].silent_days
    assert not from_facts(german, Policy(plan=PlanRules(avoid_holidays=False)))[1].silent_days


@pytest.mark.parametrize(("currency", "minor"), [("USD", 10.0), ("JPY", 0.1), ("KWD", 100.0)])
def test_prices_are_in_the_minor_units_of_the_invoice(currency: str, minor: float) -> None:
    facts = facts_of().model_copy(update={"invoice": invoice_facts(currency=currency)})
    assert from_facts(facts)[1].attempt_minor == pytest.approx(minor)


def test_nothing_is_planned_after_the_last_day() -> None:
    within = from_facts(facts_of(now=27.0))[1]
    assert within.end <= within.window_end == at(28).timestamp()
