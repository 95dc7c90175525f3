"""What a revision of the plan may not do."""

from datetime import timedelta
from typing import Any

import pytest

from agents import prioritization
from recoup.actions import ChargeArgs, make_action
from recoup.case import Hold
from recoup.category import Category
from recoup.invoice import AttemptStatus
from recoup.proposal import Proposal
from tests.factories import (
    NOW,
    attempt_facts,
    case_info,
    invoice_facts,
    make_facts,
)
from tests.plans import POLICY, RETRY, at, failed, propose, wrote

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
