"""What is done about a case and when: one table a day of the plan, and the rules that keep it sane."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from agents import prioritization
from recoup.actions import ActionName, ChargeArgs, MessageArgs, RiskClass, make_action, typed_args
from recoup.case import CaseStatus, Hold
from recoup.decline import Category
from recoup.facts import ActionFacts, CaseFacts
from recoup.invoice import AttemptStatus, CredentialSlot, Initiator
from recoup.policy import Policy, Steps
from recoup.proposal import Proposal
from tests.factories import (
    FAILED_AT,
    NOW,
    account_facts,
    action_facts,
    attempt_facts,
    case_info,
    connection_facts,
    contact_facts,
    credential_facts,
    invoice_facts,
    make_facts,
)

POLICY = Policy()
RETRY, WRITE, ASK = ActionName.RETRY_PAYMENT, ActionName.SEND_MESSAGE, ActionName.REQUEST_METHOD_UPDATE
BACKUP, GRACE, SUSPEND = ActionName.USE_BACKUP_METHOD, ActionName.EXTEND_GRACE, ActionName.SUSPEND_SERVICE


def at(day: float) -> datetime:
    return FAILED_AT + timedelta(days=day)


def propose(facts: CaseFacts, policy: Policy = POLICY) -> Proposal:
    numbers = count(1)
    proposal = prioritization.propose(facts, policy, lambda: f"act_new_{next(numbers)}")
    assert prioritization.check(proposal, proposal, facts, policy).refused is None
    return proposal


def names(proposal: Proposal) -> list[ActionName]:
    return [proposed.action.name for proposed in proposal.actions]


def wakes(proposal: Proposal) -> datetime | None:
    return proposal.wait.until if proposal.wait else None


def failed(category: Category, day: float = 0, **changes: Any) -> Any:
    return attempt_facts(category=category, reason=category.value, occurred_at=at(day), **changes)


def wrote(step: int, **changes: Any) -> ActionFacts:
    values = {"id": f"act_m{step}", "step": step, "at": at(POLICY.steps.message_days[step])}
    return action_facts(**(values | changes))


def did(name: ActionName, day: float, state: str = "done", **changes: Any) -> ActionFacts:
    risk = RiskClass.CHARGE if name is RETRY else RiskClass.ACCOUNT
    return action_facts(name=name, risk=risk, state=state, at=at(day), step=None, channel=None, id=f"act_{name}_{day}", **changes)


HOUR = 1 / 24
FIRST_DECISION = [
    (Category.FUNDS, [WRITE], 1),
    (Category.GENERIC, [WRITE], 1),
    (Category.TECHNICAL, [], HOUR),
    (Category.NEW_DATA, [ASK], 3),
    (Category.NEVER, [ASK], 3),
    (Category.CUSTOMER_ACTION, [WRITE], 3),
]


@pytest.mark.parametrize(("category", "expected", "next_day"), FIRST_DECISION, ids=[row[0] for row in FIRST_DECISION])
def test_the_first_decision_on(category: Category, expected: list[ActionName], next_day: float) -> None:
    proposal = propose(make_facts(now=at(0.01), attempts=(failed(category),)))
    assert names(proposal) == expected
    assert wakes(proposal) == at(next_day)


@pytest.mark.parametrize("category", list(Category))
def test_every_category_has_a_complete_proposal_on_every_day(category: Category) -> None:
    for day in (0.01, 1, 3.5, 7, 14, 20, 22, 27.9):
        facts = make_facts(now=at(day), attempts=(failed(category),), account=account_facts(plan_tier="premium"))
        proposal = propose(facts)
        assert proposal.reason
        assert proposal.wait is not None
        assert facts.now < proposal.wait.until <= at(28)
        for proposed in proposal.actions:
            assert proposed.reason
            assert proposed.alternatives
            assert set(proposed.evidence) <= facts.row_ids()


@pytest.mark.parametrize(
    "category", [Category.NEVER, Category.NEW_DATA, Category.CUSTOMER_ACTION, Category.POLICY, Category.MANDATE_STOPPED]
)
def test_what_a_retry_cannot_mend_is_never_retried(category: Category) -> None:
    for day in (1, 3, 7, 12, 20):
        proposal = propose(make_facts(now=at(day), attempts=(failed(category),)))
        assert RETRY not in names(proposal)
        assert "retry the same method" in [other.what for other in proposal.alternatives]


def test_a_retry_charges_what_remains_on_the_method_in_use() -> None:
    facts = make_facts(now=at(1), actions=(wrote(0),), invoice=invoice_facts(remaining_minor=1200))
    proposal = propose(facts)
    assert names(proposal) == [RETRY]
    assert typed_args(proposal.actions[0].action, ChargeArgs) == ChargeArgs(credential_id="crd_1", amount_minor=1200, currency="USD")


def test_the_plan_of_a_funds_decline_day_by_day() -> None:
    """Each row: the day, what is proposed, and the attempts and messages that have come of it before."""
    attempts, actions = [failed(Category.FUNDS)], [wrote(0)]
    told: list[tuple[float, list[ActionName]]] = []
    for day in (0.5, 1, 2, 3, 5, 7, 12, 14, 18, 21, 25):
        proposal = propose(make_facts(now=at(day), attempts=tuple(attempts), actions=tuple(actions)))
        told.append((day, names(proposal)))
        for proposed in proposal.actions:
            if proposed.action.name is RETRY:
                actions.append(did(RETRY, day))
                attempts.append(failed(Category.FUNDS, day + 0.001, id=f"att_{day}", initiator=Initiator.RECOUP))
            elif proposed.action.risk is RiskClass.CONTACT:
                actions.append(wrote(typed_args(proposed.action, MessageArgs).step))
            else:
                actions.append(did(proposed.action.name, day))
    assert told == [
        (0.5, []),
        (1, [RETRY]),
        (2, []),
        (3, [RETRY, WRITE]),
        (5, []),
        (7, [RETRY, WRITE]),
        (12, [RETRY]),
        (14, [WRITE]),
        (18, []),
        (21, [SUSPEND]),
        (25, []),
    ]


@pytest.mark.parametrize(("failures", "hours"), [(1, 1), (2, 6), (3, 24)])
def test_a_technical_failure_is_retried_within_hours_less_often_each_time(failures: int, hours: float) -> None:
    attempts = tuple(failed(Category.TECHNICAL, n * 0.1, id=f"att_{n}") for n in range(failures))
    due = attempts[-1].occurred_at + timedelta(hours=hours)
    before = propose(make_facts(now=due - timedelta(minutes=1), attempts=attempts, actions=(wrote(0),)))
    after = propose(make_facts(now=due, attempts=attempts, actions=(wrote(0),)))
    assert RETRY not in names(before)
    assert wakes(before) == due
    assert names(after) == [RETRY]


def test_a_technical_failure_is_told_only_when_it_happens_again() -> None:
    twice = (failed(Category.TECHNICAL), failed(Category.TECHNICAL, 0.05, id="att_2"))
    assert WRITE not in names(propose(make_facts(now=at(0.02), attempts=twice[:1])))
    assert WRITE in names(propose(make_facts(now=at(0.06), attempts=twice)))


@pytest.mark.parametrize("state", ["ready", "started", "done", "failed", "unknown", "dead", "rejected", "shadowed"])
def test_a_message_that_is_spoken_for_is_not_proposed_again(state: str) -> None:
    assert WRITE not in names(propose(make_facts(actions=(wrote(0, state=state),))))


@pytest.mark.parametrize("state", ["void", "denied", "waiting"])
def test_a_message_that_came_to_nothing_is_proposed_again(state: str) -> None:
    assert WRITE in names(propose(make_facts(actions=(wrote(0, state=state),))))


def test_missed_message_steps_are_left_out() -> None:
    proposal = propose(make_facts(now=at(8), actions=(did(RETRY, 7),)))
    assert [typed_args(p.action, MessageArgs).step for p in proposal.actions] == [2]


def test_a_message_of_another_case_of_the_account_counts_for_this_one() -> None:
    sibling = contact_facts(case_id="case_2", at=at(0.01), state="confirmed")
    assert WRITE not in names(propose(make_facts(now=at(0.02), contacts=(sibling,))))


def test_nobody_is_written_to_without_an_address() -> None:
    proposal = propose(make_facts(account=account_facts(reachable=("sms",))))
    assert names(proposal) == []
    assert "Nobody can be written to." in proposal.reason


def test_a_rejected_retry_waits_for_the_next_slot() -> None:
    proposal = propose(make_facts(now=at(1.5), actions=(wrote(0), did(RETRY, 1.2, "rejected"))))
    assert names(proposal) == []
    assert wakes(proposal) == at(3)


def test_a_denied_retry_is_proposed_again_in_its_slot() -> None:
    assert names(propose(make_facts(now=at(1.5), actions=(wrote(0), did(RETRY, 1.2, "denied"))))) == [RETRY]


def test_the_customers_own_attempt_uses_up_no_slot_and_the_platforms_does() -> None:
    own = failed(Category.FUNDS, 1.1, id="att_2", initiator=Initiator.CUSTOMER)
    platforms = failed(Category.FUNDS, 1.1, id="att_2", initiator=Initiator.PLATFORM)
    assert names(propose(make_facts(now=at(1.2), attempts=(failed(Category.FUNDS), own), actions=(wrote(0),)))) == [RETRY]
    assert names(propose(make_facts(now=at(1.2), attempts=(failed(Category.FUNDS), platforms), actions=(wrote(0),)))) == []


@pytest.mark.parametrize("status", [AttemptStatus.PENDING, AttemptStatus.PROCESSING])
def test_nothing_is_done_while_an_attempt_is_under_way(status: AttemptStatus) -> None:
    proposal = propose(
        make_facts(now=at(1), attempts=(failed(Category.FUNDS), attempt_facts(id="att_2", status=status, occurred_at=at(0.9))))
    )
    assert names(proposal) == []
    assert wakes(proposal) == at(1) + timedelta(hours=6)


@pytest.mark.parametrize("state", ["ready", "started", "unknown", "done"])
def test_nothing_is_done_while_the_result_of_our_own_charge_is_awaited(state: str) -> None:
    assert names(propose(make_facts(now=at(3.1), actions=(wrote(0), did(RETRY, 3, state))))) == []


def test_nothing_is_charged_beside_the_platforms_own_attempt() -> None:
    planned = at(1.2)
    proposal = propose(make_facts(now=at(1), invoice=invoice_facts(next_platform_attempt_at=planned), actions=(wrote(0),)))
    assert names(proposal) == []
    assert wakes(proposal) == planned + timedelta(hours=2)


def test_a_corrected_card_is_charged_at_once_and_nobody_is_asked_again() -> None:
    fresh = credential_facts(changed_at=at(2))
    proposal = propose(make_facts(now=at(3), attempts=(failed(Category.NEW_DATA),), credential=fresh, actions=(wrote(0),)))
    assert names(proposal) == [RETRY]


def test_a_new_method_that_comes_first_now_is_charged_at_once() -> None:
    other = credential_facts(id="crd_2", changed_at=at(1))
    proposal = propose(make_facts(now=at(1.1), attempts=(failed(Category.NEVER),), credential=other, actions=(wrote(0),)))
    assert typed_args(proposal.actions[0].action, ChargeArgs).credential_id == "crd_2"


def test_a_backup_that_failed_does_not_make_the_dead_method_fresh() -> None:
    attempts = (failed(Category.NEVER), failed(Category.FUNDS, 2, id="att_2", credential_id="crd_2"))
    assert RETRY not in names(propose(make_facts(now=at(7), attempts=attempts)))


def test_an_attempt_of_an_unknown_method_counts_on_the_method_in_use() -> None:
    assert RETRY not in names(propose(make_facts(now=at(1), attempts=(failed(Category.NEVER, credential_id=None),))))


def test_an_unknown_code_is_retried_with_little_confidence() -> None:
    unknown = attempt_facts(category=Category.GENERIC, reason="unknown", code_known=False)
    proposal = propose(make_facts(now=at(1), attempts=(unknown,), actions=(wrote(0),)))
    assert proposal.actions[0].confidence < POLICY.escalations.confidence_under


BACKUPS = (credential_facts(id="crd_2", slot=CredentialSlot.BACKUP),)


@pytest.mark.parametrize(("day", "expected"), [(7, False), (14, True), (20, True)])
def test_another_method_is_proposed_late_where_the_first_can_never_work(day: float, expected: bool) -> None:
    facts = make_facts(now=at(day), attempts=(failed(Category.NEVER),), backups=BACKUPS)
    assert (BACKUP in names(propose(facts))) is expected


@pytest.mark.parametrize("category", [Category.FUNDS, Category.GENERIC, Category.CUSTOMER_ACTION, Category.MANDATE_STOPPED])
def test_another_method_is_never_proposed_where_the_first_may_still_work_or_consent_is_gone(category: Category) -> None:
    assert BACKUP not in names(propose(make_facts(now=at(15), attempts=(failed(category),), backups=BACKUPS)))


def test_a_refused_backup_is_not_proposed_again() -> None:
    facts = make_facts(now=at(15), attempts=(failed(Category.NEVER),), backups=BACKUPS, actions=(did(BACKUP, 14, "rejected"),))
    assert BACKUP not in names(propose(facts))


DONE_WRITING = tuple(wrote(step) for step in range(4))
PREMIUM = account_facts(plan_tier="premium")


def late(day: float, *actions: ActionFacts, **changes: Any) -> list[ActionName]:
    """What is proposed on a late day, when all retries have failed and all messages are out."""
    attempts = (failed(Category.FUNDS), failed(Category.FUNDS, 12, id="att_2"))
    return names(propose(make_facts(now=at(day), attempts=attempts, actions=(*DONE_WRITING, *actions), **changes)))


def test_the_service_is_suspended_on_its_day_and_only_once() -> None:
    assert late(20.9) == []
    assert late(21) == [SUSPEND]
    assert late(22, did(SUSPEND, 21)) == []
    assert late(22, case=case_info(suspended=True)) == []


def test_a_premium_account_gets_more_time_before_the_suspension() -> None:
    assert late(18.9, account=PREMIUM) == []
    assert late(19, account=PREMIUM) == [GRACE]
    granted = did(GRACE, 19)
    assert late(21, granted, account=PREMIUM, case=case_info(grace_until=at(26))) == []
    assert late(26, granted, account=PREMIUM, case=case_info(grace_until=at(26))) == [SUSPEND]


def test_a_refused_grace_leads_to_the_suspension_on_its_day() -> None:
    assert late(21, did(GRACE, 19, "rejected"), account=PREMIUM) == [SUSPEND]


def test_nothing_is_proposed_that_the_platform_cannot_do_to_the_service() -> None:
    assert late(21, connection=connection_facts(capabilities=())) == []


def test_a_policy_without_suspension_never_suspends() -> None:
    proposal = propose(make_facts(now=at(22), actions=DONE_WRITING), Policy(steps=Steps(suspend_day=None)))
    assert SUSPEND not in names(proposal)


def test_on_the_last_day_nothing_starts_any_more() -> None:
    proposal = propose(make_facts(now=at(28)))
    assert (names(proposal), proposal.wait) == ([], None)


@pytest.mark.parametrize("hold", [Hold.PERSON, Hold.INCIDENT])
def test_a_held_case_waits(hold: Hold) -> None:
    proposal = propose(make_facts(now=at(3), case=case_info(holds=(hold,))))
    assert (names(proposal), wakes(proposal)) == ([], at(28))


CLOSED = case_info(status=CaseStatus.RECOVERED, recovered_attempt_id="att_1")


def closed(*actions: ActionFacts, **changes: Any) -> list[tuple[ActionName, object]]:
    facts = make_facts(now=at(4), case=CLOSED.model_copy(update=changes), invoice=invoice_facts(remaining_minor=0), actions=actions)
    proposal = propose(facts)
    assert proposal.wait is None
    return [(p.action.name, p.action.args.get("template")) for p in proposal.actions]


def test_a_customer_who_had_been_written_to_gets_one_receipt() -> None:
    receipt = action_facts(id="act_r", step=0, template="receipt", state="ready", at=at(4))
    assert closed(wrote(0)) == [(WRITE, "receipt")]
    assert closed(wrote(0), receipt) == []


def test_a_customer_who_never_heard_of_it_gets_no_receipt() -> None:
    assert closed() == []
    assert closed(wrote(0, state="rejected")) == []


def test_a_case_that_ended_without_the_money_gets_no_receipt() -> None:
    assert closed(wrote(0), status=CaseStatus.EXPIRED) == []


def test_a_suspended_service_is_reinstated_after_the_payment() -> None:
    assert closed(suspended=True) == [(ActionName.REINSTATE_SERVICE, None)]


REVISIONS: list[tuple[str, dict[str, Any]]] = [
    ("evidence of another case", {"evidence": ("att_of_another_case",)}),
    ("a wait beyond the last day", {"wait": {"until": at(40), "reason": "later"}}),
    ("a wait in the past", {"wait": {"until": at(0), "reason": "earlier"}}),
    ("no wait at all", {"wait": None}),
    ("a signal that does not exist", {"signals": ("weather",)}),
]


@pytest.mark.parametrize(("what", "change"), REVISIONS, ids=[row[0] for row in REVISIONS])
def test_a_revision_is_refused_for(what: str, change: dict[str, Any]) -> None:
    facts = make_facts()
    draft = propose(facts)
    revised = Proposal.model_validate(draft.model_dump() | change)
    checked = prioritization.check(draft, revised, facts, POLICY)
    assert checked.proposal == draft
    assert checked.refused


def test_a_revision_may_not_charge_what_the_rules_would_not() -> None:
    charge = make_action(RETRY, ChargeArgs(credential_id="crd_1", amount_minor=4900, currency="USD"))
    for facts in (
        make_facts(attempts=(failed(Category.NEVER),)),
        make_facts(case=case_info(holds=(Hold.PERSON,))),
        make_facts(invoice=invoice_facts(next_platform_attempt_at=NOW + timedelta(hours=1))),
        make_facts(attempts=(attempt_facts(status=AttemptStatus.PROCESSING),)),
    ):
        draft = propose(facts)
        extra = {"id": "act_x", "action": charge.model_dump(), "reason": "now", "evidence": ("inv_1",), "confidence": 0.9}
        revised = Proposal.model_validate(draft.model_dump() | {"actions": (extra,)})
        assert prioritization.check(draft, revised, facts, POLICY).refused


def test_a_revision_may_not_charge_more_than_remains_nor_another_credential() -> None:
    facts = make_facts(now=at(1), actions=(wrote(0),))
    draft = propose(facts)
    for args in (
        {"credential_id": "crd_1", "amount_minor": 4901, "currency": "USD"},
        {"credential_id": "crd_of_someone", "amount_minor": 4900, "currency": "USD"},
        {"credential_id": "crd_1", "amount_minor": 4900, "currency": "EUR"},
    ):
        action = draft.actions[0].model_copy(update={"action": make_action(RETRY, ChargeArgs.model_validate(args))})
        assert prioritization.check(draft, draft.model_copy(update={"actions": (action,)}), facts, POLICY).refused


def test_a_revision_may_not_repeat_a_message() -> None:
    facts = make_facts()
    draft = propose(facts)
    written = facts.model_copy(update={"actions": (wrote(0),)})
    assert prioritization.check(draft, draft, written, POLICY).refused == "step 0 has been written by email before"


def test_a_revision_may_leave_an_action_out_and_say_why() -> None:
    facts = make_facts()
    draft = propose(facts)
    revised = draft.model_copy(update={"actions": (), "reason": "the customer has promised to pay tomorrow"})
    assert prioritization.check(draft, revised, facts, POLICY).proposal == revised
