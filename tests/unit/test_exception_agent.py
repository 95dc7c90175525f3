"""What people get: a case file that speaks of this case alone, what to say, and the right queue."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from agents import exception
from agents.case_file import case_file, stranger_in
from agents.trouble import HAND_OFFS, Trouble
from recoup.actions import ActionName, Queue, RefundArgs, RiskClass, TaskArgs, make_action, typed_args
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.errors import Defect
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus, DeclineCodes, InvoiceStatus
from recoup.policy import Policy
from recoup.proposal import Proposal
from tests.factories import (
    FAILED_AT,
    NOW,
    action_facts,
    attempt_facts,
    case_info,
    connection_facts,
    contact_facts,
    credential_facts,
    invoice_facts,
    make_facts,
    make_message,
    open_invoice,
)

POLICY = Policy()


def propose(facts: CaseFacts) -> Proposal:
    numbers = count(1)
    proposal = exception.propose(facts, POLICY, lambda: f"act_{next(numbers)}")
    assert exception.check(proposal, proposal, facts, POLICY).refused is None
    return proposal


def failed(category: Category, reason: str | None = None, **changes: Any) -> Any:
    return attempt_facts(category=category, reason=reason or category.value, **changes)


FRAUDULENT = failed(Category.NEVER, "fraudulent", codes=DeclineCodes(processor="stripe", decline_code="fraudulent"))
STOPPED = failed(Category.MANDATE_STOPPED, "stop_payment_order")
QUEUES = [
    ({"case": case_info(holds=(Hold.DISPUTE,))}, Queue.DISPUTES),
    ({"case": case_info(holds=(Hold.REVERSAL,))}, Queue.DISPUTES),
    ({"case": case_info(holds=(Hold.DECEASED,))}, Queue.LEGAL),
    ({"case": case_info(holds=(Hold.REPLY,))}, Queue.COLLECTIONS),
    ({"attempts": (FRAUDULENT,)}, Queue.FRAUD),
    ({"attempts": (STOPPED,)}, Queue.COLLECTIONS),
    ({"attempts": (failed(Category.UNKNOWN_OUTCOME),)}, Queue.BILLING_OPS),
    ({"attempts": (failed(Category.POLICY),)}, Queue.BILLING_OPS),
]


@pytest.mark.parametrize(("facts", "queue"), QUEUES, ids=str)
def test_one_task_goes_to_the_right_queue(facts: dict[str, Any], queue: Queue) -> None:
    proposal = propose(make_facts(**facts))
    assert [typed_args(p.action, TaskArgs).queue for p in proposal.actions] == [queue]
    assert all(p.action.risk is RiskClass.INTERNAL for p in proposal.actions)
    assert proposal.wait is not None


def test_the_case_file_names_attempts_amounts_dates_and_causes_in_plain_words() -> None:
    facts = make_facts(
        attempts=(
            failed(Category.FUNDS, "insufficient_funds"),
            STOPPED.model_copy(update={"id": "att_2", "occurred_at": NOW}),
        ),
        contacts=(contact_facts(),),
        other_open_invoices=(open_invoice(),),
    )
    text = case_file(facts, HAND_OFFS[Trouble.MANDATE_STOPPED])
    for expected in (
        "Case case_1, episode 1, opened 2026-03-10",
        "Total $49.00, paid $0.00, remaining $49.00",
        "2026-03-10 14:00 UTC, $49.00, by platform (att_1): failed, there was not enough money",
        "2026-03-10 15:00 UTC, $49.00, by platform (att_2): failed, the customer told the bank to stop these charges",
        "inv_2 ($10.00)",
        "2026-03-07 15:00 UTC by email, step 1",
        "IF YOU CALL",
        "how would you like to pay?",
    ):
        assert expected in text


A = make_facts(attempts=(STOPPED,))
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("another case", {"case": case_info(id="case_2")}),
    ("another invoice", {"invoice": invoice_facts(id="inv_2")}),
    ("another vendor invoice", {"invoice": invoice_facts(vendor_id="in_2")}),
    ("another amount", {"invoice": invoice_facts(remaining_minor=5900)}),
    ("another total", {"invoice": invoice_facts(total_minor=5900)}),
    ("another currency", {"invoice": invoice_facts(currency="EUR")}),
    ("another day", {"case": case_info(first_failed_at=FAILED_AT - timedelta(days=3), opened_at=FAILED_AT - timedelta(days=3))}),
    ("another attempt", {"attempts": (STOPPED.model_copy(update={"id": "att_9"}),)}),
    (
        "another attempt's amount",
        {"attempts": (STOPPED.model_copy(update={"amount_minor": 100}),), "invoice": invoice_facts(remaining_minor=100)},
    ),
    ("another minute", {"attempts": (STOPPED.model_copy(update={"occurred_at": FAILED_AT + timedelta(minutes=7)}),)}),
    ("another card", {"credential": credential_facts(id="crd_9")}),
    ("another card's expiry", {"credential": credential_facts(expires="2031-01")}),
]


@pytest.mark.parametrize(("what", "changes"), OTHERS, ids=[row[0] for row in OTHERS])
def test_a_case_file_of_one_case_fails_against_the_facts_of(what: str, changes: dict[str, Any]) -> None:
    other = make_facts(**({"attempts": (STOPPED,)} | changes))
    theirs = case_file(other, HAND_OFFS[Trouble.MANDATE_STOPPED])
    assert stranger_in(theirs, other) is None
    assert stranger_in(theirs, A) is not None


def test_a_proposal_with_the_swapped_file_is_refused() -> None:
    other = make_facts(case=case_info(id="case_2"), attempts=(STOPPED,))
    draft, theirs = propose(A), propose(other)
    swapped = draft.model_copy(update={"actions": (draft.actions[0].model_copy(update={"action": theirs.actions[0].action}),)})
    checked = exception.check(draft, swapped, A, POLICY)
    assert checked.proposal == draft
    assert checked.refused


@pytest.mark.parametrize("claim", ["He promised $12.00.", "Charged on 2025-01-01.", "See inv_7.", "Call +1 202 555 0100.", "Code R10."])
def test_a_claim_that_the_facts_do_not_hold_is_found(claim: str) -> None:
    text = case_file(A, HAND_OFFS[Trouble.MANDATE_STOPPED])
    assert stranger_in(f"{text}\n{claim}", A) is not None


def test_a_file_that_names_no_case_is_refused() -> None:
    assert stranger_in("The customer is fine.", A) is not None


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY", "KWD", "CHF", "INR"])
def test_every_currency_reads_well_and_checks(currency: str) -> None:
    facts = make_facts(
        invoice=invoice_facts(currency=currency, total_minor=1234567, remaining_minor=1234567),
        attempts=(STOPPED.model_copy(update={"currency": currency, "amount_minor": 1234567}),),
    )
    assert stranger_in(case_file(facts, HAND_OFFS[Trouble.MANDATE_STOPPED]), facts) is None


def test_the_longest_file_fits_into_a_task() -> None:
    long = "x" * 22
    attempts = tuple(
        failed(
            Category.NEVER,
            "previously_declined_do_not_retry",
            id=f"att_{long}{n}",
            amount_minor=99999999,
            occurred_at=FAILED_AT + timedelta(days=n),
        )
        for n in range(30)
    )
    facts = make_facts(
        attempts=attempts,
        contacts=tuple(contact_facts(id=f"rsv_{n}") for n in range(30)),
        other_open_invoices=tuple(open_invoice(id=f"inv_{long}{n}") for n in range(30)),
        invoice=invoice_facts(vendor_id="in_" + "x" * 60),
    )
    for trouble, treatment in HAND_OFFS.items():
        text = case_file(facts, treatment)
        assert len(text) <= 4000, trouble
        assert stranger_in(text, facts) is None


def told(queue: Queue, **changes: Any) -> Any:
    values = {"name": ActionName.CREATE_TASK, "risk": RiskClass.INTERNAL, "step": None, "channel": None, "queue": queue.value, "at": NOW}
    return action_facts(**(values | changes))


def test_people_are_told_once() -> None:
    proposal = propose(make_facts(attempts=(STOPPED,), actions=(told(Queue.COLLECTIONS),)))
    assert proposal.actions == ()
    assert "have been told" in proposal.reason


def test_people_are_told_again_of_a_new_attempt() -> None:
    later = STOPPED.model_copy(update={"id": "att_2", "occurred_at": NOW})
    proposal = propose(
        make_facts(now=NOW + timedelta(hours=1), attempts=(STOPPED, later), actions=(told(Queue.COLLECTIONS, at=FAILED_AT),))
    )
    assert len(proposal.actions) == 1


def paid(attempt_id: str, minutes: int) -> Any:
    at = FAILED_AT + timedelta(minutes=minutes)
    return attempt_facts(id=attempt_id, status=AttemptStatus.SUCCEEDED, category=None, reason=None, codes=None, occurred_at=at)


OVERPAID = case_info(status=CaseStatus.RECOVERED, overpaid_minor=4900, recovered_attempt_id="att_2")


def test_what_was_paid_twice_is_proposed_to_be_given_back() -> None:
    facts = make_facts(case=OVERPAID, attempts=(attempt_facts(), paid("att_2", 10), paid("att_3", 20)))
    proposal = propose(facts)
    assert [typed_args(p.action, RefundArgs) for p in proposal.actions] == [
        RefundArgs(attempt_id="att_3", amount_minor=4900, currency="USD")
    ]
    assert proposal.wait is None


def test_the_payment_that_came_last_is_given_back_also_where_it_was_heard_of_first() -> None:
    won = OVERPAID.model_copy(update={"recovered_attempt_id": "att_3"})
    proposal = propose(make_facts(case=won, attempts=(attempt_facts(), paid("att_2", 10), paid("att_3", 20))))
    assert [typed_args(p.action, RefundArgs).attempt_id for p in proposal.actions] == ["att_3"]


def test_what_was_paid_besides_by_other_means_is_given_back_from_the_one_payment_that_can_be() -> None:
    twice = invoice_facts(status=InvoiceStatus.PAID, paid_minor=9800, remaining_minor=0)
    proposal = propose(make_facts(case=OVERPAID, invoice=twice, attempts=(attempt_facts(), paid("att_2", 10))))
    assert [typed_args(p.action, RefundArgs).attempt_id for p in proposal.actions] == ["att_2"]


def test_where_nobody_can_refund_or_the_payment_is_not_known_people_look() -> None:
    both = (attempt_facts(), paid("att_2", 10), paid("att_3", 20))
    for facts in (
        make_facts(case=OVERPAID, attempts=both, connection=connection_facts(capabilities=())),
        make_facts(case=OVERPAID, attempts=both[:2]),
    ):
        assert [typed_args(p.action, TaskArgs).queue for p in propose(facts).actions] == [Queue.BILLING_OPS]


def test_suspected_fraud_stops_everything_and_tells_a_person_why() -> None:
    proposal = propose(make_facts(attempts=(FRAUDULENT,), now=FAILED_AT + timedelta(days=3)))
    [asked] = [typed_args(p.action, TaskArgs) for p in proposal.actions]
    assert asked.queue is Queue.FRAUD
    assert "The pattern is suspected fraud: an answer speaks of fraud, the last on 2026-03-10." in asked.body
    assert proposal.signals == ("fraud",)


def test_a_revision_may_not_drop_a_signal_or_use_another_agents_action() -> None:
    facts = make_facts(attempts=(FRAUDULENT,))
    draft = propose(facts)
    assert exception.check(draft, draft.model_copy(update={"signals": ()}), facts, POLICY).refused
    letter = draft.actions[0].model_copy(update={"action": make_message(template="receipt")})
    assert exception.check(draft, draft.model_copy(update={"actions": (letter,)}), facts, POLICY).refused
    unsaid = TaskArgs(queue=Queue.FRAUD, title="Look", body="Nothing is said here.")
    empty = draft.actions[0].model_copy(update={"action": make_action(ActionName.CREATE_TASK, unsaid)})
    assert exception.check(draft, draft.model_copy(update={"actions": (empty,)}), facts, POLICY).refused


def test_a_case_without_trouble_is_a_defect() -> None:
    with pytest.raises(Defect):
        propose(make_facts())
