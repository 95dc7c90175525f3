"""The gate's answers: rules first, then the mode of the cohort, with escalations that ask in every mode."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recoup.actions import Action, ActionName, NoArgs, RiskClass, make_action
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.gate import account_share, is_low_risk, judge, mode_for
from recoup.invoice import AttemptStatus, DeclineCodes, Initiator, InvoiceStatus
from recoup.policy import Cohort, Escalations, LowRisk, Match, Mode, Policy
from recoup.proposal import Answer, Verdict
from recoup.rule_book import Strength, rule_book
from tests.factories import (
    NOW,
    account_facts,
    action_facts,
    attempt_facts,
    case_info,
    contact_facts,
    credential_facts,
    invoice_facts,
    ledger_entry,
    make_facts,
    make_message,
    make_note,
    make_policy,
    make_retry,
    proposed,
)

DAY = timedelta(days=1)
RETRY, MESSAGE, NOTE = make_retry(), make_message(), make_note()
RECEIPT = make_message(template="receipt")
SUSPEND = make_action(ActionName.SUSPEND_SERVICE, NoArgs())
FRAUDULENT = DeclineCodes(processor="stripe", decline_code="fraudulent")
BACKUP = make_retry(ActionName.USE_BACKUP_METHOD, credential_id="crd_2")
DENY, ASK, RUN, SHADOW = Answer.DENY, Answer.ASK, Answer.RUN, Answer.SHADOW


def calm(**changes: Any) -> CaseFacts:
    """The default world a day and an hour later: every rule is silent."""
    defaults: dict[str, Any] = {
        "ledger": (ledger_entry(at=NOW - DAY),),
        "backups": (credential_facts(id="crd_2", vendor_id="pm_2"),),
    }
    return make_facts(**(defaults | changes))


def paid(**changes: Any) -> CaseFacts:
    return calm(case=case_info(status=CaseStatus.RECOVERED), invoice=invoice_facts(status=InvoiceStatus.PAID, remaining_minor=0), **changes)


def answer(action: Action, facts: CaseFacts | None = None, mode: Mode = Mode.APPROVE, *signals: str, **changes: Any) -> Verdict:
    return judge(proposed(action, **changes), signals, facts or calm(), make_policy(mode=mode))


MODES = [
    # action, shadow, approve, hybrid, auto
    ("a note", NOTE, SHADOW, RUN, RUN, RUN),
    ("a message", MESSAGE, SHADOW, ASK, RUN, RUN),
    ("a low-risk retry", RETRY, SHADOW, ASK, RUN, RUN),
    ("a suspension", SUSPEND, SHADOW, ASK, ASK, ASK),
    ("a charge of the backup card", BACKUP, SHADOW, ASK, ASK, ASK),
]


@pytest.mark.parametrize(("what", "action", "shadow", "approve", "hybrid", "auto"), MODES, ids=[row[0] for row in MODES])
def test_what_each_mode_does(what: str, action: Action, shadow: Answer, approve: Answer, hybrid: Answer, auto: Answer) -> None:
    given_answers = tuple(answer(action, mode=mode).answer for mode in (Mode.SHADOW, Mode.APPROVE, Mode.HYBRID, Mode.AUTO))
    assert given_answers == (shadow, approve, hybrid, auto)


def test_a_receipt_goes_out_in_every_mode_but_shadow() -> None:
    assert [answer(RECEIPT, paid(), mode).answer for mode in Mode] == [SHADOW, RUN, RUN, RUN]


def test_without_a_policy_of_its_own_an_installation_asks() -> None:
    assert judge(proposed(RETRY), (), calm(), Policy()).answer is ASK


def test_a_denial_lists_every_rule_and_counts_under_the_first() -> None:
    verdict = answer(RETRY, calm(kill_switch=True, case=case_info(holds=(Hold.DISPUTE,)), ledger=(ledger_entry(),)), Mode.AUTO)
    assert verdict.answer is DENY
    assert [hit.rule for hit in verdict.rules] == ["kill-switch", "hold-dispute", "funds-decline", "hours-between-attempts"]
    assert verdict.not_before is None, "time cures two of the four, and not the others"


def test_a_denial_that_time_cures_says_when() -> None:
    verdict = answer(RETRY, calm(ledger=(ledger_entry(at=NOW),)), Mode.AUTO)
    assert (verdict.answer, verdict.not_before) == (DENY, NOW + DAY)


NIGHT, MORNING = NOW.replace(hour=4), NOW.replace(hour=12)
AT_NIGHT = [
    # action, mode, answer, postponed until
    (MESSAGE, Mode.APPROVE, ASK, MORNING),
    (MESSAGE, Mode.HYBRID, RUN, MORNING),
    (MESSAGE, Mode.AUTO, RUN, MORNING),
    (MESSAGE, Mode.SHADOW, SHADOW, None),
    (RECEIPT, Mode.AUTO, RUN, None),
    (NOTE, Mode.AUTO, RUN, None),
    (RETRY, Mode.AUTO, RUN, None),
]


@pytest.mark.parametrize(("action", "mode", "expected", "until"), AT_NIGHT)
def test_at_night_everything_is_asked_or_run_as_ever_and_only_messages_go_out_later(
    action: Action, mode: Mode, expected: Answer, until: datetime | None
) -> None:
    facts = paid(now=NIGHT) if action.is_receipt else calm(now=NIGHT, ledger=())
    verdict = answer(action, facts, mode)
    assert (verdict.answer, verdict.postponed_until, verdict.not_before) == (expected, until, None)
    assert [hit.rule for hit in verdict.rules] == (["contact-hours"] if until else [])
    assert ("it goes out at 08:00 local time" in verdict.reason) is (until is not None)


def test_the_rule_that_postpones_speaks_after_what_escalates() -> None:
    verdict = answer(MESSAGE, calm(now=NIGHT), Mode.AUTO, "legal")
    assert (verdict.answer, [hit.rule for hit in verdict.rules]) == (ASK, ["sign-of-trouble", "contact-hours"])


def test_a_message_that_is_denied_is_not_postponed() -> None:
    verdict = answer(MESSAGE, calm(now=NIGHT, contacts=(contact_facts(at=NIGHT - DAY / 2, step=9),)), Mode.AUTO)
    assert (verdict.answer, [hit.rule for hit in verdict.rules]) == (DENY, ["messages-per-day"])
    assert (verdict.postponed_until, verdict.not_before) == (None, NIGHT + DAY / 2)


ESCALATIONS: list[tuple[str, dict[str, Any], tuple[str, ...], str]] = [
    ("an agent saw fraud", {}, ("fraud",), "sign-of-fraud"),
    ("the issuer said fraudulent", {"attempts": (attempt_facts(codes=FRAUDULENT),)}, (), "sign-of-fraud"),
    ("a lawyer", {}, ("legal",), "sign-of-trouble"),
    ("a vulnerable customer", {}, ("vulnerable",), "sign-of-trouble"),
    ("a word nobody listed", {}, ("strange",), "sign-of-trouble"),
    ("a large amount", {"invoice": invoice_facts(remaining_minor=100_001)}, (), "amount-over"),
    (
        "repeatedly unsure",
        {"actions": tuple(action_facts(id=f"x{n}", step=7, at=NOW - n * DAY, confidence=0.4) for n in (3, 2, 1))},
        (),
        "low-scores",
    ),
]


@pytest.mark.parametrize(("what", "changes", "signals", "rule"), ESCALATIONS, ids=[row[0] for row in ESCALATIONS])
def test_an_escalation_asks_even_in_auto_mode(what: str, changes: dict[str, Any], signals: tuple[str, ...], rule: str) -> None:
    verdict = answer(MESSAGE, calm(**changes), Mode.AUTO, *signals)
    assert (verdict.answer, [hit.rule for hit in verdict.rules]) == (ASK, [rule])


def test_an_unsure_proposal_asks_even_in_auto_mode() -> None:
    assert answer(MESSAGE, mode=Mode.AUTO, confidence=0.49).rules[0].rule == "confidence-under"
    assert answer(MESSAGE, mode=Mode.AUTO, confidence=0.5).answer is RUN


def test_one_sure_decision_ends_a_row_of_unsure_ones() -> None:
    history = tuple(action_facts(id=f"x{n}", step=7, at=NOW - n * DAY, confidence=c) for n, c in ((4, 0.1), (3, 0.1), (2, 0.9), (1, 0.1)))
    assert answer(MESSAGE, calm(actions=history), Mode.AUTO).answer is RUN


UNSURE_ROWS: list[tuple[str, tuple[tuple[int, float], ...], Answer]] = [
    # days ago and confidence of each earlier action
    ("two in a row are not three", ((2, 0.1), (1, 0.1)), RUN),
    ("three are", ((3, 0.1), (2, 0.1), (1, 0.1)), ASK),
    ("two actions of one decision count once", ((2, 0.1), (1, 0.1), (1, 0.2)), RUN),
    ("a decision is as unsure as its least sure action", ((3, 0.1), (2, 0.1), (1, 0.1), (1, 0.9)), ASK),
    ("just confident enough is sure", ((3, 0.5), (2, 0.1), (1, 0.1)), RUN),
]


@pytest.mark.parametrize(("what", "earlier", "expected"), UNSURE_ROWS, ids=[row[0] for row in UNSURE_ROWS])
def test_unsure_decisions_in_a_row(what: str, earlier: tuple[tuple[int, float], ...], expected: Answer) -> None:
    history = tuple(action_facts(id=f"x{n}", step=7, at=NOW - days * DAY, confidence=c) for n, (days, c) in enumerate(earlier))
    assert answer(MESSAGE, calm(actions=history), Mode.AUTO).answer is expected


def test_all_signs_of_trouble_are_told() -> None:
    assert answer(MESSAGE, calm(), Mode.AUTO, "legal", "fraud", "vulnerable").rules[-1].detail == "signs of legal, vulnerable"


def test_amount_thresholds_are_per_currency_in_whole_units() -> None:
    policy = make_policy(mode=Mode.AUTO, escalations=Escalations(amount_over_major=Decimal(1000)))
    yen = calm(invoice=invoice_facts(currency="JPY", remaining_minor=150_000))
    more_yen = calm(invoice=invoice_facts(currency="JPY", remaining_minor=150_001))
    assert judge(proposed(MESSAGE), (), yen, policy).answer is RUN
    assert judge(proposed(MESSAGE), (), more_yen, policy).answer is ASK


# Hybrid

LOW_RISK: list[tuple[str, dict[str, Any], bool]] = [
    ("funds, a first attempt, under a hundred", {}, True),
    ("just under a hundred", {"invoice": invoice_facts(remaining_minor=9_999)}, True),
    ("a hundred", {"invoice": invoice_facts(remaining_minor=10_000)}, False),
    ("a category that is not low risk", {"attempts": (attempt_facts(category=Category.NEW_DATA),)}, False),
    ("a code that nobody knows", {"attempts": (attempt_facts(category=Category.GENERIC, code_known=False),)}, False),
    ("no failure known", {"attempts": ()}, False),
    ("the second attempt of ours", {"attempts": (attempt_facts(), attempt_facts(id="r1", initiator=Initiator.RECOUP))}, True),
    (
        "the third attempt of ours",
        {"attempts": tuple(attempt_facts(id=i, initiator=Initiator.RECOUP) for i in ("r1", "r2"))},
        False,
    ),
]


@pytest.mark.parametrize(("what", "changes", "low"), LOW_RISK, ids=[row[0] for row in LOW_RISK])
def test_which_retries_hybrid_mode_runs_by_itself(what: str, changes: dict[str, Any], low: bool) -> None:
    assert is_low_risk(RETRY, calm(**changes), LowRisk()) is low


def test_templated_messages_can_be_made_to_ask_in_hybrid_mode() -> None:
    policy = make_policy(mode=Mode.HYBRID, low_risk=LowRisk(templated_messages=False))
    assert judge(proposed(MESSAGE), (), calm(), policy).answer is ASK


# Cohorts


def cohort(mode: Mode, **match: Any) -> Policy:
    return make_policy(cohorts=(Cohort(name="c", mode=mode, match=Match(**match)),))


COHORTS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"categories": ("funds",)}, True),
    ({"categories": ("technical",)}, False),
    ({"amount_at_least_major": 49, "currencies": ("USD",)}, True),
    ({"amount_under_major": 49, "currencies": ("USD",)}, False),
    ({"currencies": ("EUR",)}, False),
    ({"segments": ("smb",)}, True),
    ({"segments": ("enterprise",)}, False),
    ({"plan_tiers": ("silver",)}, True),
    ({"plan_tiers": ("gold",)}, False),
    ({"countries": ("US", "CA")}, True),
    ({"countries": ("CA",)}, False),
    ({"share": 1.0}, True),
    ({"share": 0.0}, False),
    ({"countries": ("US",), "currencies": ("EUR",)}, False),
]


@pytest.mark.parametrize(("match", "taken"), COHORTS, ids=[str(row[0]) for row in COHORTS])
def test_a_cohort_takes_the_cases_that_meet_all_its_conditions(match: dict[str, Any], taken: bool) -> None:
    facts = calm(account=account_facts(segment="smb", plan_tier="silver"))
    assert (mode_for(facts, cohort(Mode.AUTO, **match)) is Mode.AUTO) is taken


def test_the_first_cohort_that_matches_wins() -> None:
    cohorts = tuple(Cohort(name=mode, mode=mode, match=Match()) for mode in (Mode.HYBRID, Mode.AUTO))
    assert mode_for(calm(), make_policy(cohorts=cohorts)) is Mode.HYBRID


def test_a_held_out_account_is_only_watched() -> None:
    assert mode_for(calm(account=account_facts(holdout=True)), make_policy(mode=Mode.AUTO)) is Mode.SHADOW


def test_a_share_takes_about_that_many_accounts_and_keeps_them_as_it_grows() -> None:
    accounts = [f"acc_{n}" for n in range(5000)]
    tenth = {a for a in accounts if account_share(a) < 0.1}
    quarter = {a for a in accounts if account_share(a) < 0.25}
    assert tenth < quarter
    assert 400 < len(tenth) < 600


# Properties over every action, mode and state of the world

actions = st.sampled_from([RETRY, MESSAGE, RECEIPT, NOTE, SUSPEND, BACKUP])
policies = st.builds(
    make_policy,
    mode=st.sampled_from(list(Mode)),
    cohorts=st.lists(
        st.builds(Cohort, name=st.just("c"), mode=st.sampled_from(list(Mode)), match=st.just(Match(categories=(Category.FUNDS,)))),
        max_size=1,
    ).map(tuple),
)


@st.composite
def worlds(draw: st.DrawFn) -> CaseFacts:
    """Any state of the switches, the case, the money, the attempts and the consent; mostly such that something may be done."""
    category = draw(st.sampled_from(list(Category)))
    ages = draw(st.lists(st.integers(1, 1000).map(lambda hours: timedelta(hours=hours)), max_size=25))
    holds = draw(st.sampled_from([(), (), *((hold,) for hold in Hold)]))
    status = draw(st.just(CaseStatus.OPEN) | st.sampled_from(list(CaseStatus)))
    return calm(
        kill_switch=draw(st.sampled_from([False, False, False, True])),
        case=case_info(holds=holds, status=status),
        invoice=invoice_facts(remaining_minor=draw(st.sampled_from([4900, 0, 500_000]))),
        attempts=(attempt_facts(status=draw(st.sampled_from([AttemptStatus.FAILED, AttemptStatus.PROCESSING])), category=category),),
        ledger=tuple(ledger_entry(id=f"a{n}", at=NOW - age, category=category) for n, age in enumerate(ages)),
        contacts=tuple(contact_facts(id=f"c{n}", at=NOW - age, step=9) for n, age in enumerate(ages[:3])),
        account=account_facts(suppressed=draw(st.sampled_from([(), ("email",)]))),
        overridden_rules=tuple(rule_book()) if draw(st.booleans()) else (),
    )


confidences = st.floats(0, 1)


@example(SUSPEND, calm(), make_policy(mode=Mode.AUTO), 1.0)
@example(BACKUP, calm(), make_policy(mode=Mode.AUTO), 1.0)
@given(st.sampled_from([SUSPEND, BACKUP]), worlds(), policies, confidences)
def test_an_account_action_never_runs_unasked(action: Action, facts: CaseFacts, policy: Policy, confidence: float) -> None:
    assert action.risk is RiskClass.ACCOUNT
    assert judge(proposed(action, confidence=confidence), (), facts, policy).answer is not RUN


@given(actions, worlds(), confidences)
def test_shadow_mode_never_runs_and_never_asks(action: Action, facts: CaseFacts, confidence: float) -> None:
    assert answer(action, facts, Mode.SHADOW, confidence=confidence).answer in {SHADOW, DENY}


@given(actions, worlds(), policies)
def test_no_mode_and_no_override_lifts_an_absolute_rule(action: Action, facts: CaseFacts, policy: Policy) -> None:
    verdict = judge(proposed(action), (), facts, policy)
    unlifted = judge(proposed(action), (), facts.model_copy(update={"overridden_rules": ()}), policy)
    absolute = [hit.rule for hit in unlifted.rules if rule_book()[hit.rule].strength is Strength.ABSOLUTE]
    assert absolute == [hit.rule for hit in verdict.rules if rule_book()[hit.rule].strength is Strength.ABSOLUTE]
    if absolute:
        assert verdict.answer is DENY


@given(actions, worlds(), policies, st.integers(0, 1000), st.sampled_from(list(Category)))
def test_one_more_failed_attempt_never_turns_a_denial_into_a_run(
    action: Action, facts: CaseFacts, policy: Policy, hours: int, category: Category
) -> None:
    more = (*facts.ledger, ledger_entry(id="more", at=NOW - timedelta(hours=hours), category=category))
    before = judge(proposed(action), (), facts, policy)
    after = judge(proposed(action), (), facts.model_copy(update={"ledger": more}), policy)
    if before.answer is DENY:
        assert after.answer is DENY


@given(actions, worlds(), policies)
def test_every_rule_that_speaks_is_in_the_book_and_cites_its_source(action: Action, facts: CaseFacts, policy: Policy) -> None:
    for hit in judge(proposed(action), (), facts, policy).rules:
        assert hit.source == rule_book()[hit.rule].source
        assert hit.overridable is (rule_book()[hit.rule].strength is Strength.HOUSE)


@given(actions, worlds(), policies)
def test_the_same_question_gets_the_same_answer(action: Action, facts: CaseFacts, policy: Policy) -> None:
    asked = proposed(action)
    assert judge(asked, (), facts, policy) == judge(asked, (), facts, policy)
