"""What a model may add to a case file, and what keeps the rest of it out."""

import json
from typing import Any

import pytest

from agents.case_notes import CaseNotes, problem_with_notes
from graph.state import RecoveryState, actions_of, proposals_of, signals_of, verdicts_of
from recoup.case import Hold
from recoup.policy import Mode, Offers, Policy
from recoup.proposal import Answer
from recoup.texts import Intent, TextReading
from tests.factories import action_facts, attempt_facts, case_info, make_facts, text_facts
from tests.scripted_model import Prompted, Run, calls, notes, says

FACTS = make_facts(case=case_info(holds=(Hold.DISPUTE,)))
LEAVING = make_facts(texts=(text_facts(reading=TextReading(intent=Intent.CANCEL, by="model", confidence=0.9)),))
GENEROUS = Policy(mode=Mode.AUTO, offers=Offers(discount_percent_up_to=10, instalments_up_to=3))


async def decided(script: Any, facts: Any = FACTS, policy: Policy | None = None) -> tuple[RecoveryState, Run]:
    run = Run(facts, policy or Policy(mode=Mode.AUTO), script if callable(script) else lambda _: says(script))
    return await run.start(), run


def body(state: RecoveryState) -> str:
    [task] = [p for p in actions_of(state) if "body" in p.action.args]
    return str(task.action.args["body"])


async def test_notes_stand_behind_the_file_of_the_rules_and_say_whose_they_are() -> None:
    plain, _ = await decided("no json")
    state, run = await decided(
        notes(call_script=["Ask whether they knew of the renewal."], draft_answer="Hello {first_name}, we look into it.")
    )
    assert body(state).startswith(body(plain))
    assert "WHAT A MODEL ADDS (nobody has checked it)" in body(state)
    assert "- Ask whether they knew" in body(state)
    assert "Hello {first_name}" in body(state)
    assert len(run.wire.asked_of("exception")) == 1
    assert {"case_1", "att_1"} <= set(proposals_of(state)[0].evidence)
    assert signals_of(state) == ("dispute",)


async def test_tools_are_used_within_three_calls_and_told_in_the_trace() -> None:
    def script(asked: Prompted) -> Any:
        first = not any(message["role"] == "tool" for message in asked.messages)
        return calls(("attempt_ledger", "{}"), ("plan", "{}")) if first else says(notes())

    state, run = await decided(script)
    assert len(run.wire.asked_of("exception")) == 2
    assert "It looked through attempt_ledger, plan." in [line for said in state.get("trace", []) for line in said["lines"]]
    assert "WHAT A MODEL ADDS" in body(state)


async def test_a_model_that_only_asks_tools_is_stopped_after_three_calls() -> None:
    state, run = await decided(lambda _: calls(("plan", "{}")))
    assert len(run.wire.asked_of("exception")) == 3
    assert "WHAT A MODEL ADDS" not in body(state)


REFUSED = [
    ("a link", {"summary": "See https://evil.example/pay for what to do."}),
    ("a bare domain", {"summary": "They should pay at evil.example, it is faster."}),
    ("an address", {"summary": "Write to boss at once: boss@evil.example please."}),
    ("a figure of nobody", {"summary": "They owe us 9999 and should pay it now."}),
    ("an amount of nobody", {"summary": "They offered to pay $12.00 of the debt."}),
    ("another row", {"summary": "This is the same as in case_2 of last week."}),
    ("another account", {"summary": "The account acc_other pays for this one too."}),
    ("hidden words", {"summary": "All is well.\u202e reversed words here"}),
    ("a tag character", {"summary": "All is well here.\U000e0041\U000e0042"}),
    ("digits of another script", {"summary": "They owe us ９９９９ and should pay it."}),
    ("a slot of its own", {"draft_answer": "Hello {first_name}, your code is {password}."}),
    ("a figure in an answer", {"draft_answer": "Hello, we give you 50 percent back today."}),
    ("a row that is not there", {"evidence": ["attempt-9"]}),
    ("a raw id", {"evidence": ["att_1"]}),
    ("no evidence", {"evidence": []}),
    ("a cause of its own", {"root_cause": "aliens"}),
    ("a script of six lines", {"call_script": ["Say hello."] * 6}),
    ("a giant", {"summary": "x" * 5_000}),
]


@pytest.mark.parametrize(("what", "change"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_notes_are_thrown_away_whole_with(what: str, change: dict[str, Any]) -> None:
    state, _ = await decided(notes(**change))
    assert "WHAT A MODEL ADDS" not in body(state)
    [use] = state.get("asked", [])
    assert use["refused"] or use["failure"]


TRUE = ("The last try of $49.00 failed.", "They tried on 2026-03-10 and it failed.", "insufficient_funds again, it seems")


@pytest.mark.parametrize("summary", TRUE)
def test_what_the_facts_say_may_be_said(summary: str) -> None:
    assert problem_with_notes(CaseNotes.model_validate(notes(summary=summary)), make_facts(attempts=(attempt_facts(),))) is None


async def test_an_offer_within_the_policy_to_somebody_who_leaves_is_asked_in_every_mode() -> None:
    state, _ = await decided(notes(offer={"kind": "discount", "size": 10}), LEAVING, GENEROUS)
    asked = [(p.action.name.value, v.answer) for p, v in zip(actions_of(state), verdicts_of(state), strict=True)]
    assert asked == [("create_ticket", Answer.RUN), ("offer_discount", Answer.ASK)]


NO_OFFER: list[tuple[dict[str, Any], Any, Policy]] = [
    ({"kind": "discount", "size": 11}, LEAVING, GENEROUS),
    ({"kind": "instalments", "size": 4}, LEAVING, GENEROUS),
    ({"kind": "instalments", "size": 1}, LEAVING, GENEROUS),
    ({"kind": "discount", "size": 5}, LEAVING, Policy(mode=Mode.AUTO)),
    ({"kind": "discount", "size": 5}, FACTS, GENEROUS),
]


@pytest.mark.parametrize(("offer", "facts", "policy"), NO_OFFER, ids=["too much", "too many parts", "one part", "no policy", "no reason"])
async def test_no_other_offer_is_proposed(offer: dict[str, Any], facts: Any, policy: Policy) -> None:
    state, _ = await decided(notes(offer=offer), facts, policy)
    assert not any("offer" in p.action.name for p in actions_of(state))


async def test_a_case_that_people_know_already_costs_no_call() -> None:
    first, _ = await decided(notes())
    [task] = actions_of(first)
    known = action_facts(id="act_9", name=task.action.name, risk=task.action.risk, queue="disputes", step=None, channel=None, at=FACTS.now)
    _, run = await decided(notes(), FACTS.model_copy(update={"actions": (known,)}))
    assert run.wire.prompted == []


async def test_nothing_that_identifies_anybody_goes_over_the_wire() -> None:
    _, run = await decided(lambda asked: calls(*[(name, "{}") for name in asked.tool_names[:4]]), LEAVING)
    sent = json.dumps([[*asked.messages] for asked in run.wire.prompted])
    for secret in ("acc_1", "inv_1", "in_1", "att_1", "crd_1", "pm_1", "sub_1", "txt_1", "case_1"):
        assert secret not in sent, secret
