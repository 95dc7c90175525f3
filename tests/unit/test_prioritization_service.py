"""Late in the plan, and after its end: grace, suspension, receipt, reinstatement."""

from typing import Any

import pytest

from recoup.actions import ActionName, RiskClass
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.facts import ActionFacts
from recoup.invoice import Initiator
from recoup.policy import Steps
from tests.factories import (
    account_facts,
    action_facts,
    case_info,
    connection_facts,
    invoice_facts,
    make_facts,
    on_ladder,
)
from tests.plans import GRACE, SUSPEND, WRITE, at, did, failed, names, propose, wakes, wrote

DONE_WRITING = tuple(wrote(step) for step in range(4))
PREMIUM = account_facts(plan_tier="premium")


def late(day: float, *actions: ActionFacts, **changes: Any) -> list[ActionName]:
    """What is proposed on a late day, when all retries have failed and all messages are out."""
    attempts = (failed(Category.FUNDS), failed(Category.FUNDS, 12, id="att_2", initiator=Initiator.RECOUP))
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
    proposal = propose(make_facts(now=at(22), actions=DONE_WRITING), on_ladder(steps=Steps(suspend_day=None)))
    assert SUSPEND not in names(proposal)


def test_people_get_the_case_a_day_before_it_ends_without_the_money() -> None:
    suspended = did(SUSPEND, 21)
    told = action_facts(name=ActionName.CREATE_TASK, risk=RiskClass.INTERNAL, step=None, channel=None, queue="collections", at=at(27))
    assert late(26.9, suspended) == []
    assert late(27, suspended) == [ActionName.CREATE_TASK]
    assert late(27.5, suspended, told) == []


def test_a_policy_may_let_the_case_end_by_itself() -> None:
    proposal = propose(make_facts(now=at(27.5), actions=(*DONE_WRITING, did(SUSPEND, 21))), on_ladder(steps=Steps(after_last="nothing")))
    assert ActionName.CREATE_TASK not in names(proposal)


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
