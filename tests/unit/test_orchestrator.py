"""Who works on a case: the plan, or people."""

from datetime import timedelta
from typing import Any

import pytest

from agents import orchestrator
from recoup.actions import ActionName, RiskClass
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.invoice import AttemptStatus, DeclineCodes
from tests.factories import (
    FAILED_AT,
    NOW,
    account_facts,
    action_facts,
    attempt_facts,
    case_info,
    credential_facts,
    ledger_entry,
    make_facts,
    text_facts,
)


def failed(category: Category, reason: str | None = None, **changes: Any) -> Any:
    return attempt_facts(category=category, reason=reason or category.value, **changes)


FRAUDULENT = failed(Category.NEVER, "fraudulent", codes=DeclineCodes(processor="stripe", decline_code="fraudulent"))
SUSPECTED = DeclineCodes(processor="stripe", decline_code="generic_decline", network_decline_code="59")
REVOKED = DeclineCodes(processor="stripe", decline_code="revocation_of_authorization", network_decline_code="51")
DECEASED = DeclineCodes(processor="sepa", decline_code="MD07")
TO_PEOPLE: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("a dispute", {"case": case_info(holds=(Hold.DISPUTE,))}, ("dispute",)),
    ("a reversal", {"case": case_info(holds=(Hold.REVERSAL,))}, ("dispute",)),
    ("a death", {"case": case_info(holds=(Hold.DECEASED, Hold.DISPUTE))}, ("vulnerable",)),
    ("a reply nobody answered", {"case": case_info(holds=(Hold.REPLY,))}, ()),
    ("a sign of fraud", {"attempts": (FRAUDULENT,)}, ("fraud",)),
    ("a sign of fraud in a word of the network", {"attempts": (failed(Category.GENERIC, codes=SUSPECTED),)}, ("fraud",)),
    ("a death that a bank tells of", {"attempts": (failed(Category.NEVER, codes=DECEASED),)}, ("vulnerable",)),
    (
        "a death that a bank tells of on another invoice",
        {"ledger": (ledger_entry(id="att_x", own_case=False, codes=DECEASED),)},
        ("vulnerable",),
    ),
    ("a stopped mandate", {"attempts": (failed(Category.MANDATE_STOPPED),)}, ()),
    ("a stopped mandate that the network calls something else", {"attempts": (failed(Category.FUNDS, codes=REVOKED),)}, ()),
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


OF_FRAUD = make_facts(attempts=(FRAUDULENT,))


def test_suspected_fraud_is_told_once_however_many_attempts_follow() -> None:
    again = FRAUDULENT.model_copy(update={"id": "att_2", "occurred_at": NOW})
    facts = OF_FRAUD.model_copy(update={"attempts": (FRAUDULENT, again), "actions": (task("fraud", at=FAILED_AT),)})
    route = orchestrator.propose(facts)
    assert (route.to, route.signals) == ("handle_exception", ("fraud",))
    assert "have been told" in route.reason


def test_once_a_person_has_looked_the_plan_goes_on_and_the_signal_stays() -> None:
    looked = task("fraud", settled_at=NOW)
    route = orchestrator.propose(OF_FRAUD.model_copy(update={"actions": (looked,)}))
    assert (route.to, route.signals) == ("prioritize", ("fraud",))
    assert "A person has looked" in route.reason


def test_what_comes_after_a_person_has_looked_is_told_anew() -> None:
    again = FRAUDULENT.model_copy(update={"id": "att_2", "occurred_at": NOW + timedelta(minutes=1)})
    facts = OF_FRAUD.model_copy(update={"attempts": (FRAUDULENT, again), "actions": (task("fraud", settled_at=NOW),)})
    route = orchestrator.propose(facts)
    assert route.to == "handle_exception"
    assert "have been told" not in route.reason


def test_money_that_may_have_moved_is_told_beside_a_suspicion() -> None:
    unknown = failed(Category.FUNDS, id="att_2", status=AttemptStatus.UNKNOWN)
    facts = make_facts(attempts=(FRAUDULENT, unknown))
    assert "whose outcome we do not know" in orchestrator.propose(facts).reason
    told = facts.model_copy(update={"actions": (task("billing_ops"),)})
    assert "signs of misuse" in orchestrator.propose(told).reason
    assert orchestrator.propose(told).signals == ("fraud",)


def test_the_route_tells_the_pattern_with_its_reasons_and_rows() -> None:
    earlier = ledger_entry(id="att_x", at=FAILED_AT - timedelta(days=30), own_case=False, invoice_id="inv_2")
    route = orchestrator.propose(make_facts(ledger=(earlier, ledger_entry())))
    assert route.pattern is not None
    assert route.pattern.kind == "recurring"
    assert "recurring: payments of different invoices failed on 2 occasions" in route.reason
    assert {"att_x", "att_1"} <= set(route.evidence)


def test_a_revision_may_not_tell_another_pattern() -> None:
    facts = make_facts()
    draft = orchestrator.propose(facts)
    assert draft.pattern is not None
    harmless = draft.model_copy(update={"pattern": draft.pattern.model_copy(update={"reasons": ("a good customer",)})})
    assert orchestrator.check(draft, harmless, facts).refused


def test_a_refund_that_was_proposed_is_not_proposed_again() -> None:
    case = case_info(status=CaseStatus.RECOVERED, overpaid_minor=4900)
    refund = action_facts(name=ActionName.REFUND_DUPLICATE, risk=RiskClass.ACCOUNT, step=None, channel=None, state="rejected")
    assert orchestrator.propose(make_facts(case=case, actions=(refund,))).to == "prioritize"


def test_a_revision_may_take_a_case_to_people_but_never_away_from_them() -> None:
    ordinary, held = make_facts(texts=(text_facts(),)), make_facts(case=case_info(holds=(Hold.DISPUTE,)))
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
