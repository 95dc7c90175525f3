"""The communication agent's turn with a model, through the whole graph: what it is told, what it costs, what becomes of its answer."""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph.build import build_graph
from graph.state import actions_of, start_state, verdicts_of
from recoup.actions import MessageArgs, RiskClass, typed_args
from recoup.category import Category
from recoup.drafts import KeptDraft, NoDrafts, Situation
from recoup.facts import CaseFacts
from recoup.model_books import OpenBooks
from recoup.model_port import Model, ModelUse, NoModel
from recoup.policy import Mode, Policy
from recoup.proposal import Answer
from tests.drafts import GOOD
from tests.factories import FAILED_AT, account_facts, attempt_facts, invoice_facts, make_facts
from tests.models import MODEL, models_on
from tests.vendors.model_server import ModelServer, Reply, Reset, answers, one_by_one
from tests.worlds import World, thread


class DraftsInMemory(NoDrafts):
    """Keeps drafts as long as the test."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Situation, str], KeptDraft] = {}

    async def find(self, situation: Situation, models: Any) -> KeptDraft | None:
        return next((found for model in models if (found := self.kept.get((situation, model)))), None)

    async def keep(self, situation: Situation, kept: KeptDraft) -> None:
        self.kept.setdefault((situation, kept.model), kept)


class Desk:
    """A model's server, kept drafts, and the graph on them."""

    def __init__(self, server: ModelServer) -> None:
        self.server, self.drafts, self.books = server, DraftsInMemory(), OpenBooks()
        self.model: Model = models_on(server, self.books)

    async def decide(self, facts: CaseFacts, policy: Policy | None = None) -> Any:
        deps = replace(World(facts, policy).deps(), model=self.model, drafts=self.drafts)
        return await build_graph(deps, InMemorySaver()).ainvoke(start_state("case_1"), thread("dec_1"), durability="exit")


@pytest.fixture
def desk() -> Generator[Desk]:
    with ModelServer(says(GOOD["en"])).running() as server:
        yield Desk(server)


def says(*drafts: Any) -> Any:
    return one_by_one(*(answers(draft.model_dump()) for draft in drafts))


def message(state: Any) -> MessageArgs:
    [args] = [typed_args(p.action, MessageArgs) for p in actions_of(state) if p.action.risk is RiskClass.CONTACT]
    return args


def turns(state: Any) -> list[ModelUse]:
    return [ModelUse.model_validate(asked) for asked in state.get("asked", [])]


OUTREACH = make_facts(account=account_facts(locale="en-GB"))
SOFT_DECLINE = make_facts(now=FAILED_AT + timedelta(hours=1), attempts=(attempt_facts(category=Category.TECHNICAL, reason="technical"),))


async def test_a_plain_soft_decline_costs_no_call(desk: Desk) -> None:
    state = await desk.decide(SOFT_DECLINE)
    assert not [p for p in actions_of(state) if p.action.risk is RiskClass.CONTACT]
    assert (desk.server.asked, turns(state)) == ([], [])


async def test_an_outreach_costs_one_call_and_the_next_in_the_same_situation_none(desk: Desk) -> None:
    first = await desk.decide(OUTREACH)
    second = await desk.decide(OUTREACH)

    assert len(desk.server.asked) == 1
    assert [(use.usage.calls, use.kept) for state in (first, second) for use in turns(state)] == [(1, False), (0, True)]
    for state in (first, second):
        words = message(state).words
        assert words is not None
        assert (words.subject, words.body) == (GOOD["en"].subject, GOOD["en"].body + "\n")


async def test_without_a_model_everything_is_as_before(desk: Desk) -> None:
    desk.model = NoModel()
    state = await desk.decide(OUTREACH)
    assert message(state).words is None
    assert "words" not in actions_of(state)[0].action.args
    assert (turns(state), desk.server.asked) == ([], [])


@pytest.mark.parametrize(
    ("locale", "language", "written_as"), [("de-DE", "de", "de-DE"), ("fr", "fr", "fr"), ("pt_BR", "pt", "pt_BR"), ("nl-NL", "en", "en")]
)
async def test_the_customer_is_written_to_in_their_own_language_where_it_can_be_checked(
    desk: Desk, locale: str, language: str, written_as: str
) -> None:
    desk.server.script = says(GOOD[language])
    state = await desk.decide(make_facts(account=account_facts(locale=locale)))
    args = message(state)
    assert args.words is not None
    assert args.locale == written_as
    names = {"de": "German", "fr": "French", "pt": "Portuguese", "en": "English"}
    assert f"Language: {names[language]}" in desk.server.asked[0].texts[1]


async def test_words_in_another_language_are_not_taken_and_not_paid_for_twice(desk: Desk) -> None:
    german = make_facts(account=account_facts(locale="de-DE"))
    states = [await desk.decide(german) for _ in range(2)]
    assert len(desk.server.asked) == 1
    for state in states:
        assert message(state).words is None
        [use] = turns(state)
        assert "not in the language de" in (use.refused or "")
    assert any("the draft of the rules stands" in line for said in states[0]["trace"] for line in said["lines"])


FAILING: dict[str, Reply] = {"reset": Reset(), "wrong shape": answers({"subject": "Hello"}), "no JSON": answers("{")}


@pytest.mark.parametrize("name", FAILING)
async def test_a_model_that_fails_leaves_the_template_and_its_cause_is_told(desk: Desk, name: str) -> None:
    desk.server.script = one_by_one(FAILING[name])
    state = await desk.decide(OUTREACH)
    assert message(state).template == "payment_failed_soft_first"
    assert message(state).words is None
    [use] = turns(state)
    assert use.failure is not None
    assert any(str(use.failure) in line for said in state["trace"] for line in said["lines"])
    assert desk.drafts.kept == {}


@pytest.mark.parametrize(
    ("changes", "is_another"),
    [
        ({}, False),
        ({"account": account_facts(locale="en-US")}, False),
        ({"account": account_facts(locale="de-DE")}, True),
        ({"account": account_facts(locale="en-GB", segment="enterprise")}, True),
        ({"account": account_facts(locale="en-GB", segment="Ada Lovelace, +44 20 7946 0000")}, False),
        ({"now": FAILED_AT + timedelta(days=3.1)}, True),
        ({"attempts": (attempt_facts(category=Category.NEW_DATA, reason="new_data"),)}, True),
    ],
)
async def test_words_are_shared_by_who_is_in_the_same_situation(desk: Desk, changes: dict[str, Any], is_another: bool) -> None:
    await desk.decide(OUTREACH)
    await desk.decide(make_facts(**({"account": account_facts(locale="en-GB")} | changes)))
    assert len(desk.server.asked) == 1 + is_another


async def test_a_large_amount_gets_words_of_its_own(desk: Desk) -> None:
    policy = Policy.model_validate({"escalations": {"amount_over_major": Decimal(10)}})
    await desk.decide(OUTREACH, policy)
    [situation] = [situation for situation, _ in desk.drafts.kept]
    assert situation.case_id == "case_1"
    assert "write for this one customer" in desk.server.asked[0].texts[1]


BRIEF = """Write the message for this situation.

Language: German
What happened: a charge failed, nothing is wrong with the payment method itself, and it is tried again by itself
Which message: the first one about this payment
The customer: a customer for more than two years; segment smb
Tone: light and short
What may be offered: paying now or entering another payment method behind {update_link}; an answer to this message reaches a person
Slots that the body must have: {company}, {invoices}, {update_link}

These words would be sent otherwise, in English. Keep what they ask for; say it better for this situation:

Subject: Your payment to {company} did not go through
"""


async def test_the_brief_tells_cause_stage_standing_tone_and_what_may_be_offered(desk: Desk) -> None:
    account = account_facts(locale="de-DE", segment="smb", customer_since=FAILED_AT - timedelta(days=900))
    await desk.decide(make_facts(account=account))
    system, user = desk.server.asked[0].texts
    assert user.startswith(BRIEF)
    assert "Write in German, all of it" in system
    assert "{amount}, {company}, {first_name}, {invoices}, {update_link}" in system


async def test_a_shared_brief_says_nothing_of_the_one_customer(desk: Desk) -> None:
    facts = make_facts(account=account_facts(locale="en-GB", segment="Ada Lovelace, +44 20 7946 0000"))
    await desk.decide(facts)
    sent = desk.server.asked[0].raw.decode()
    for known in (facts.account.id, facts.case.id, facts.invoice.id, facts.invoice.vendor_id, "Lovelace", "7946", "4900", "49.00"):
        assert known not in sent


@pytest.mark.parametrize(
    ("mode", "answer"), [(Mode.APPROVE, Answer.ASK), (Mode.HYBRID, Answer.ASK), (Mode.AUTO, Answer.RUN), (Mode.SHADOW, Answer.SHADOW)]
)
async def test_words_that_nobody_has_read_are_asked_for_where_templates_run_by_themselves(desk: Desk, mode: Mode, answer: Answer) -> None:
    state = await desk.decide(OUTREACH, Policy(mode=mode))
    [proposed] = [p for p in actions_of(state) if p.action.risk is RiskClass.CONTACT]
    verdict = next(v for v in verdicts_of(state) if v.action_id == proposed.id)
    assert verdict.answer is answer
    if answer is Answer.ASK:
        assert GOOD["en"].subject in state["request"]["action_requests"][0]["description"]


async def test_a_customer_without_a_payment_page_gets_no_link(desk: Desk) -> None:
    state = await desk.decide(make_facts(invoice=invoice_facts(payment_link=False), account=account_facts(locale="en-GB")))
    assert (message(state).template, message(state).words) == ("payment_failed_no_link_first", None)
    assert "{update_link}" not in "".join(desk.server.asked[0].texts)
    assert "no payment page" in (turns(state)[0].refused or "")


async def test_the_model_is_asked_for_by_name(desk: Desk) -> None:
    await desk.decide(OUTREACH)
    assert [asked.model for asked in desk.server.asked] == [MODEL]
