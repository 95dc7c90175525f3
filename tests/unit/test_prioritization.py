"""What is done about a case and when: one table a day of the plan, and the rules that keep it sane."""

from datetime import timedelta

import pytest

from recoup.actions import ActionName, ChargeArgs, MessageArgs, RiskClass, typed_args
from recoup.category import Category
from recoup.invoice import AttemptStatus, CredentialSlot, Initiator
from tests.factories import (
    account_facts,
    attempt_facts,
    contact_facts,
    credential_facts,
    invoice_facts,
    make_facts,
)
from tests.plans import ASK, BACKUP, POLICY, RETRY, SUSPEND, WRITE, at, did, failed, names, propose, wakes, wrote

HOUR = 1 / 24
FIRST_DECISION: list[tuple[Category, list[ActionName], float]] = [
    (Category.FUNDS, [WRITE], 1),
    (Category.GENERIC, [WRITE], 1),
    (Category.TECHNICAL, [], HOUR),
    (Category.NEW_DATA, [ASK], 3),
    (Category.NEVER, [ASK], 3),
    (Category.CUSTOMER_ACTION, [WRITE], 3),
]


@pytest.mark.parametrize(("category", "expected", "next_day"), FIRST_DECISION, ids=[row[0] for row in FIRST_DECISION])
def test_the_first_decision_on(category: Category, expected: list[ActionName], next_day: float) -> None:
    failure = failed(category)
    proposal = propose(make_facts(now=at(0.01), attempts=(failure,), ledger=(failure.as_ledger_entry(),)))
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
    ledger = tuple(a.as_ledger_entry() for a in attempts)
    before = propose(make_facts(now=due - timedelta(minutes=1), attempts=attempts, ledger=ledger, actions=(wrote(0),)))
    after = propose(make_facts(now=due, attempts=attempts, ledger=ledger, actions=(wrote(0),)))
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


def test_a_later_denial_does_not_hide_a_charge_that_is_on_its_way() -> None:
    actions = (wrote(0), did(RETRY, 3, "started"), did(RETRY, 3.05, "denied"))
    assert names(propose(make_facts(now=at(3.1), actions=actions))) == []


def test_nothing_is_charged_or_written_where_nothing_remains() -> None:
    assert names(propose(make_facts(now=at(3), invoice=invoice_facts(remaining_minor=0)))) == []
