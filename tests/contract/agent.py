"""What every agent that proposes actions must do. Subclass it, give it a ``bench``, and run it: see test_agents.py."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, product
from typing import Any

from agents.bounds import Checked
from recoup.actions import ActionName, NoteArgs, WriteOffArgs, make_action
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus
from recoup.policy import Policy
from recoup.proposal import Proposal, Proposed
from tests.factories import (
    FAILED_AT,
    account_facts,
    action_facts,
    attempt_facts,
    case_info,
    credential_facts,
    invoice_facts,
    make_facts,
    on_ladder,
)

POLICY = on_ladder()
STRANGER = "att_of_another_case"
NewId = Callable[[], str]


@dataclass(frozen=True)
class AgentBench:
    """What an agent's author supplies: its name, the actions it may propose, its two functions, and which cases it is asked about."""

    name: str
    allowed: frozenset[ActionName]
    propose: Callable[[CaseFacts, Policy, NewId], Proposal]
    check: Callable[[Proposal, Proposal, CaseFacts, Policy], Checked]
    takes: Callable[[CaseFacts], bool] = lambda _: True

    def drafts(self) -> Iterator[tuple[CaseFacts, Proposal]]:
        """Its proposal for each of the cases that it takes."""
        for facts in all_sorts_of_facts():
            if self.takes(facts):
                yield facts, self.draft(facts)

    def draft(self, facts: CaseFacts) -> Proposal:
        numbers = count(1)
        return self.propose(facts, POLICY, lambda: f"act_new_{next(numbers)}")


class AgentContract:
    """The suite. A subclass supplies the fixture ``bench``."""

    def test_it_proposes_something_for_every_case_it_takes_and_its_own_check_agrees(self, bench: AgentBench) -> None:
        proposed = 0
        for facts, draft in bench.drafts():
            assert draft.agent == bench.name
            assert draft.reason
            assert bench.check(draft, draft, facts, POLICY) == Checked(proposal=draft)
            proposed += len(draft.actions)
        assert proposed, "it never proposed an action"

    def test_the_same_facts_give_the_same_proposal_and_stay_as_they_are(self, bench: AgentBench) -> None:
        for facts, draft in bench.drafts():
            before = facts.model_dump_json()
            assert bench.draft(facts) == draft
            assert facts.model_dump_json() == before

    def test_every_action_is_its_own_to_propose_with_reason_and_rows_that_exist(self, bench: AgentBench) -> None:
        for facts, draft in bench.drafts():
            assert set(draft.evidence) <= facts.row_ids()
            for action in draft.actions:
                assert action.action.name in bench.allowed
                assert action.reason
                assert action.evidence
                assert set(action.evidence) <= facts.row_ids()
                assert 0 < action.confidence <= 1

    def test_a_revision_with_evidence_of_another_case_is_refused(self, bench: AgentBench) -> None:
        for facts, draft in bench.drafts():
            _refuses(bench, draft, draft.model_copy(update={"evidence": (*draft.evidence, STRANGER)}), facts)

    def test_a_revision_with_an_action_that_is_not_its_own_is_refused(self, bench: AgentBench) -> None:
        write_off = make_action(ActionName.WRITE_OFF, WriteOffArgs(amount_minor=1, currency="USD"))
        note = make_action(ActionName.WRITE_NOTE, NoteArgs(text="a note"))
        foreign = [action for action in (write_off, note) if action.name not in bench.allowed]
        assert foreign, "an agent may not write debts off and write notes: that is two agents"
        for facts, draft in bench.drafts():
            extra = Proposed(id="act_x", action=foreign[0], reason="why not", evidence=(facts.invoice.id,), confidence=0.9)
            _refuses(bench, draft, draft.model_copy(update={"actions": (*draft.actions, extra)}), facts)

    def test_a_revision_that_waits_beyond_the_plan_or_invents_a_signal_is_refused(self, bench: AgentBench) -> None:
        for facts, draft in bench.drafts():
            late = {"until": facts.now + timedelta(days=400), "reason": "later"}
            for change in ({"wait": late}, {"signals": (*draft.signals, "weather")}):
                _refuses(bench, draft, Proposal.model_validate(draft.model_dump() | change), facts)

    def test_a_revision_that_says_one_thing_twice_or_says_no_reason_is_refused(self, bench: AgentBench) -> None:
        for facts, draft in bench.drafts():
            for action in draft.actions:
                unexplained = action.model_copy(update={"reason": ""})
                for actions in ((action, action), (unexplained,)):
                    _refuses(bench, draft, draft.model_copy(update={"actions": actions}), facts)


def _refuses(bench: AgentBench, draft: Proposal, revised: Proposal, facts: CaseFacts) -> None:
    """The draft stands, and somebody can read why."""
    checked = bench.check(draft, revised, facts, POLICY)
    assert checked.refused, revised
    assert checked.proposal == draft


def all_sorts_of_facts() -> Iterator[CaseFacts]:
    """Three hundred cases in every standing, the same in every run."""
    world = product(
        (CaseStatus.OPEN, CaseStatus.OPEN, CaseStatus.RECOVERED, CaseStatus.EXPIRED),
        ((), (), (), (Hold.PERSON,), (Hold.DISPUTE,), (Hold.DECEASED, Hold.REPLY)),
        (None, *Category),
        (0, 0.5, 3.2, 14, 22, 27.9, 60),
        (("email",), ()),
        (True, False),
    )
    for status, holds, category, day, reachable, has_card in random.Random(7).sample(list(world), 300):
        at, settled = FAILED_AT + timedelta(days=day, hours=1), status is CaseStatus.RECOVERED
        attempts: list[Any] = [attempt_facts(category=category, reason=category.value, code_known=True)] if category else []
        if settled:
            attempts += [attempt_facts(id=f"att_{n}", status=AttemptStatus.SUCCEEDED, category=None, codes=None) for n in (2, 3)]
        yield make_facts(
            now=at,
            account=account_facts(reachable=reachable, plan_tier="premium" if day > 20 else None),
            case=case_info(status=status, holds=holds, overpaid_minor=4900 if settled else 0),
            invoice=invoice_facts(remaining_minor=0 if settled else 4900, paid_minor=4900 if settled else 0),
            credential=credential_facts() if has_card else None,
            backups=(credential_facts(id="crd_2", vendor_id="pm_2"),) if day == 14 else (),
            attempts=tuple(attempts),
            actions=(action_facts(step=0, at=FAILED_AT),) if day > 1 else (),
        )
