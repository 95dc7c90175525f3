"""Who works on a case: the plan, or people."""

from typing import Any

import pytest

from agents import orchestrator
from recoup.actions import ActionName, RiskClass
from recoup.case import CaseStatus, Hold
from recoup.decline import Category
from recoup.invoice import AttemptStatus
from tests.factories import (
    NOW,
    account_facts,
    action_facts,
    attempt_facts,
    case_info,
    credential_facts,
    make_facts,
)


def failed(category: Category, reason: str | None = None, **changes: Any) -> Any:
    return attempt_facts(category=category, reason=reason or category.value, **changes)


TO_PEOPLE: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("a dispute", {"case": case_info(holds=(Hold.DISPUTE,))}, ("dispute",)),
    ("a reversal", {"case": case_info(holds=(Hold.REVERSAL,))}, ("dispute",)),
    ("a death", {"case": case_info(holds=(Hold.DECEASED, Hold.DISPUTE))}, ("vulnerable",)),
    ("a reply nobody answered", {"case": case_info(holds=(Hold.REPLY,))}, ()),
    ("a sign of fraud", {"attempts": (failed(Category.NEVER, "fraudulent"),)}, ("fraud",)),
    ("a stopped mandate", {"attempts": (failed(Category.MANDATE_STOPPED),)}, ()),
    ("an unclear outcome", {"attempts": (failed(Category.UNKNOWN_OUTCOME),)}, ()),
    ("an unknown attempt", {"attempts": (failed(Category.FUNDS, status=AttemptStatus.UNKNOWN),)}, ()),
    ("too much paid", {"case": case_info(status=CaseStatus.RECOVERED, overpaid_minor=4900)}, ()),
    ("a payment that is not accepted", {"attempts": (failed(Category.POLICY),)}, ()),
    (
        "two methods refused for good",
        {"attempts": (failed(Category.NEVER), failed(Category.NEVER, id="att_2", credential_id="crd_2"))},
        ("fraud",),
    ),
    (
        "a customer who cannot be reached",
        {"attempts": (failed(Category.NEW_DATA),), "account": account_facts(reachable=())},
        (),
    ),
]


@pytest.mark.parametrize(("what", "facts", "signals"), TO_PEOPLE, ids=[row[0] for row in TO_PEOPLE])
def test_people_get(what: str, facts: dict[str, Any], signals: tuple[str, ...]) -> None:
    route = orchestrator.propose(make_facts(**facts))
    assert (route.to, route.signals) == ("handle_exception", signals)
    assert route.reason
    assert set(route.evidence) <= make_facts(**facts).row_ids()


TO_THE_PLAN: list[tuple[str, dict[str, Any]]] = [
    ("too little money", {}),
    ("no reason given", {"attempts": (failed(Category.GENERIC),)}),
    ("a technical failure", {"attempts": (failed(Category.TECHNICAL),)}),
    ("an expired card", {"attempts": (failed(Category.NEW_DATA),)}),
    ("a confirmation wanted", {"attempts": (failed(Category.CUSTOMER_ACTION),)}),
    ("a method refused for good", {"attempts": (failed(Category.NEVER, "lost_card"),)}),
    ("a hold by a person", {"case": case_info(holds=(Hold.PERSON,))}),
    ("a closed case", {"case": case_info(status=CaseStatus.RECOVERED)}),
    ("no address, but nothing that needs one", {"account": account_facts(reachable=())}),
    (
        "a payment not accepted, with another method first now",
        {"attempts": (failed(Category.POLICY),), "credential": credential_facts(id="crd_2", changed_at=NOW)},
    ),
]


@pytest.mark.parametrize(("what", "facts"), TO_THE_PLAN, ids=[row[0] for row in TO_THE_PLAN])
def test_the_plan_goes_on_with(what: str, facts: dict[str, Any]) -> None:
    assert orchestrator.propose(make_facts(**facts)).to == "prioritize"


def task(queue: str, **changes: Any) -> Any:
    values = {"name": ActionName.CREATE_TASK, "risk": RiskClass.INTERNAL, "step": None, "channel": None, "queue": queue, "at": NOW}
    return action_facts(**(values | changes))


def test_once_people_know_of_a_set_up_problem_the_customer_is_asked_for_another_method() -> None:
    facts = make_facts(attempts=(failed(Category.POLICY),), actions=(task("billing_ops"),))
    assert orchestrator.propose(facts).to == "prioritize"


def test_people_keep_a_stopped_mandate_after_they_were_told() -> None:
    facts = make_facts(attempts=(failed(Category.MANDATE_STOPPED),), actions=(task("collections"),))
    route = orchestrator.propose(facts)
    assert route.to == "handle_exception"
    assert "have been told" in route.reason


def test_a_refund_that_was_proposed_is_not_proposed_again() -> None:
    case = case_info(status=CaseStatus.RECOVERED, overpaid_minor=4900)
    refund = action_facts(name=ActionName.REFUND_DUPLICATE, risk=RiskClass.ACCOUNT, step=None, channel=None, state="rejected")
    assert orchestrator.propose(make_facts(case=case, actions=(refund,))).to == "prioritize"


def test_a_revision_may_take_a_case_to_people_but_never_away_from_them() -> None:
    ordinary, held = make_facts(), make_facts(case=case_info(holds=(Hold.DISPUTE,)))
    to_people = orchestrator.propose(ordinary).model_copy(update={"to": "handle_exception", "reason": "a threat in the ticket"})
    to_plan = orchestrator.propose(held).model_copy(update={"to": "prioritize"})

    assert orchestrator.check(orchestrator.propose(ordinary), to_people, ordinary).route == to_people
    refused = orchestrator.check(orchestrator.propose(held), to_plan, held)
    assert refused.route == orchestrator.propose(held)
    assert refused.refused == "what the rules give to people stays with people"


@pytest.mark.parametrize(
    "change",
    [{"signals": ()}, {"signals": ("dispute", "weather")}, {"evidence": ("att_of_someone_else",)}, {"reason": ""}],
    ids=str,
)
def test_a_revised_route_keeps_signals_and_evidence(change: dict[str, Any]) -> None:
    facts = make_facts(case=case_info(holds=(Hold.DISPUTE,)))
    draft = orchestrator.propose(facts)
    checked = orchestrator.check(draft, draft.model_copy(update=change), facts)
    assert checked.route == draft
    assert checked.refused
