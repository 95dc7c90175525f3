"""Whole decisions without a database: facts go in, a verdict comes out, and a person's answer is applied to the world as it is then."""

from datetime import timedelta
from typing import Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import ValidationError

from graph.build import RECURSION_LIMIT, DecisionGraph, build_graph
from graph.state import (
    FLOW_VERSION,
    Settled,
    actions_of,
    proposals_of,
    request_of,
    settled_of,
    signals_of,
    start_state,
    verdicts_of,
    wake_of,
)
from prompts.render import prompts_digest
from recoup.case import CaseStatus, Hold
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.invoice import AttemptStatus, DeclineCodes
from recoup.policy import Mode, Policy
from recoup.proposal import Answer
from tests.factories import (
    FAILED_AT,
    NOW,
    account_facts,
    action_facts,
    attempt_facts,
    case_info,
    contact_facts,
    invoice_facts,
    make_facts,
    on_ladder,
)
from tests.worlds import World, thread

APPROVE = {"type": "approve"}
REJECT = {"type": "reject", "message": "not this customer"}
RETRY_DUE = NOW + timedelta(days=1)


class Run:
    """One decision on one thread."""

    def __init__(self, facts: CaseFacts, policy: Policy | None = None) -> None:
        self.world = World(facts, policy)
        self.graph: DecisionGraph = build_graph(self.world.deps(), InMemorySaver())

    async def start(self) -> Any:
        return await self.graph.ainvoke(start_state("case_1"), thread("dec_1"), durability="exit")

    async def answer(self, *decisions: dict[str, Any]) -> Any:
        question = (await self.graph.aget_state(thread("dec_1"))).interrupts[0].id
        return await self.graph.ainvoke(Command(resume={question: {"decisions": list(decisions)}}), thread("dec_1"), durability="exit")


def nodes(state: Any) -> list[str]:
    return [said["node"] for said in state["trace"]]


def settled(state: Any) -> list[tuple[str, str]]:
    return [(one.action.name.value, one.answer) for one in settled_of(state)]


def both_due() -> CaseFacts:
    """A day after the failure: the first message was not sent yet, and the first retry is due."""
    return make_facts(now=RETRY_DUE)


CATEGORIES = [
    (Category.FUNDS, ["retry_payment", "send_message"]),
    (Category.GENERIC, ["retry_payment", "send_message"]),
    (Category.TECHNICAL, ["retry_payment"]),
    (Category.NEW_DATA, ["request_method_update"]),
    (Category.NEVER, ["request_method_update"]),
    (Category.CUSTOMER_ACTION, ["send_message"]),
    (Category.MANDATE_STOPPED, ["create_task"]),
    (Category.POLICY, ["create_task"]),
    (Category.UNKNOWN_OUTCOME, ["create_task"]),
]


def test_the_table_has_every_category() -> None:
    assert {row[0] for row in CATEGORIES} == set(Category)


@pytest.mark.parametrize(("category", "expected"), CATEGORIES, ids=[row[0] for row in CATEGORIES])
async def test_a_decision_on(category: Category, expected: list[str]) -> None:
    failure = attempt_facts(category=category, reason=category.value)
    state = await Run(make_facts(now=RETRY_DUE, attempts=(failure,), ledger=())).start()
    assert [p.action.name.value for p in actions_of(state)] == expected
    assert [v.action_id for v in verdicts_of(state)] == [p.id for p in actions_of(state)]
    outward = expected != ["create_task"]
    assert (request_of(state) is not None) is outward
    assert state["done"] is not outward


async def test_a_run_is_stamped_and_leaves_a_trace_of_every_node() -> None:
    state = await Run(both_due()).start()
    assert nodes(state) == ["load_facts", "orchestrate", "prioritize", "communicate", "gate"]
    assert (state["flow_version"], state["prompts_digest"], state["policy_version"]) == (FLOW_VERSION, prompts_digest(), 1)


async def test_words_are_skipped_where_nobody_is_written_to() -> None:
    state = await Run(make_facts(now=RETRY_DUE, actions=(action_facts(step=0),))).start()
    assert "communicate" not in nodes(state)


async def test_the_question_shows_each_asked_action_with_its_words() -> None:
    state = await Run(both_due()).start()
    request = request_of(state)
    assert request is not None
    assert [r.name for r in request.action_requests] == ["retry_payment", "send_message"]
    assert request.action_requests[1].args["template"] == "payment_failed_soft_first"
    assert request.action_ids == tuple(p.id for p in actions_of(state))


async def test_approved_actions_stand_as_they_were_shown() -> None:
    run = Run(both_due())
    shown = actions_of(await run.start())
    state = await run.answer(APPROVE, APPROVE)
    assert (state["done"], state["outcome"]) == (True, "finished")
    assert [one.action for one in settled_of(state)] == [p.action for p in shown]
    assert nodes(state)[-2:] == ["recheck", "finish"]


async def test_a_rejected_action_is_refused_and_the_other_stands() -> None:
    run = Run(both_due())
    await run.start()
    state = await run.answer(REJECT, APPROVE)
    assert settled(state) == [("retry_payment", "reject"), ("send_message", "approve")]
    rejected: Settled = settled_of(state)[0]
    assert (rejected.verdict.answer, rejected.message) == (Answer.DENY, "not this customer")


def edited(state: Any, index: int, **changes: Any) -> dict[str, Any]:
    action = actions_of(state)[index].action
    return {"type": "edit", "edited_action": {"name": action.name.value, "args": action.args | changes}}


async def test_an_edited_action_goes_through_the_gate_again_and_stands_as_edited() -> None:
    run = Run(both_due())
    state = await run.answer(APPROVE, edited(await run.start(), 1, template="payment_failed_neutral_first"))
    assert settled(state) == [("retry_payment", "approve"), ("send_message", "edit")]
    assert settled_of(state)[1].action.args["template"] == "payment_failed_neutral_first"


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (0, {"amount_minor": 9999}),
        (0, {"credential_id": "crd_of_someone_else"}),
        (1, {"channel": "sms"}),
        (1, {"invoice_ids": ["inv_of_someone_else"]}),
        (1, {"template": "no_such_words"}),
    ],
    ids=str,
)
async def test_an_edit_that_a_rule_denies_voids_the_answer(index: int, changes: dict[str, Any]) -> None:
    run = Run(both_due())
    decisions = [APPROVE, APPROVE]
    decisions[index] = edited(await run.start(), index, **changes)
    state = await run.answer(*decisions)
    assert (state["outcome"], settled_of(state)) == ("superseded", ())


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("the customer paid", {"case": case_info(status=CaseStatus.RECOVERED)}, "the case is recovered now"),
    ("the customer paid a part", {"invoice": invoice_facts(remaining_minor=900, paid_minor=4000)}, "the amount that remains"),
    ("a dispute came", {"case": case_info(holds=(Hold.DISPUTE,))}, "the holds on the case changed"),
    ("an attempt was made", {"attempts": (attempt_facts(), attempt_facts(id="att_2"))}, "another attempt was made"),
    ("an attempt changed", {"attempts": (attempt_facts(status=AttemptStatus.PROCESSING),)}, "the facts that it rests on"),
    ("the method went", {"credential": None}, "the facts that it rests on"),
    ("the customer opted out", {"account": account_facts(reachable=())}, "the facts that it rests on"),
    ("the kill switch was pulled", {"kill_switch": True}, "may not be done now"),
]


@pytest.mark.parametrize(("what", "change", "says"), CHANGES, ids=[row[0] for row in CHANGES])
async def test_an_approval_is_void_when(what: str, change: dict[str, Any], says: str) -> None:
    run = Run(both_due())
    await run.start()
    run.world.facts = run.world.facts.model_copy(update=change)
    state = await run.answer(APPROVE, APPROVE)
    assert (state["done"], state["outcome"], settled_of(state)) == (True, "superseded", ())
    assert says in state["superseded_because"]
    assert nodes(state)[-2:] == ["recheck", "superseded"]


async def test_an_approval_given_at_night_stands_and_the_message_goes_out_in_the_morning() -> None:
    run = Run(make_facts())
    await run.start()
    run.world.clock.at = NOW + timedelta(hours=14)
    state = await run.answer(APPROVE)
    assert state["outcome"] == "finished"
    assert [one.verdict.postponed_until for one in settled_of(state)] == [NOW + timedelta(hours=21)]
    assert "send_message: approve, it goes out at 08:00 local time" in "".join(state["trace"][-2]["lines"])


async def test_what_was_asked_at_night_and_is_approved_by_day_goes_out_at_once() -> None:
    night = NOW.replace(hour=7)
    run = Run(make_facts(now=night, case=case_info(opened_at=night)))
    await run.start()
    run.world.clock.at = NOW
    assert [one.verdict.postponed_until for one in settled_of(await run.answer(APPROVE))] == [None]


async def test_an_approval_is_void_once_the_policy_went_to_shadow() -> None:
    run = Run(both_due())
    await run.start()
    run.world.policy = on_ladder(mode=Mode.SHADOW)
    assert (await run.answer(APPROVE, APPROVE))["outcome"] == "superseded"


async def test_time_alone_voids_nothing() -> None:
    run = Run(both_due())
    await run.start()
    run.world.clock.at = RETRY_DUE + timedelta(hours=3)
    assert (await run.answer(APPROVE, APPROVE))["outcome"] == "finished"


async def test_the_actions_that_wait_for_the_answer_are_not_their_own_history() -> None:
    run = Run(both_due())
    shown = actions_of(await run.start())
    waiting = tuple(
        action_facts(id=p.id, name=p.action.name, risk=p.action.risk, state="waiting", step=0 if i else None, at=RETRY_DUE)
        for i, p in enumerate(shown)
    )
    run.world.facts = run.world.facts.model_copy(update={"actions": waiting})
    assert (await run.answer(APPROVE, APPROVE))["outcome"] == "finished"


async def test_the_wrong_number_of_decisions_executes_nothing() -> None:
    run = Run(both_due())
    await run.start()
    state = await run.answer(APPROVE)
    assert (state["outcome"], settled_of(state)) == ("superseded", ())


async def test_an_answer_that_is_none_leaves_the_question_open() -> None:
    run = Run(both_due())
    await run.start()
    with pytest.raises(ValidationError):
        await run.answer({"type": "shrug"})
    assert (await run.graph.aget_state(thread("dec_1"))).next == ("human_review",)
    assert (await run.answer(APPROVE, APPROVE))["outcome"] == "finished"


async def test_in_auto_mode_nobody_is_asked_for_messages_and_retries() -> None:
    state = await Run(both_due(), on_ladder(mode=Mode.AUTO)).start()
    assert [v.answer for v in verdicts_of(state)] == [Answer.RUN, Answer.RUN]
    assert (state["done"], state["outcome"], state["request"]) == (True, "finished", None)


async def test_a_sign_of_fraud_reaches_the_gate() -> None:
    failure = attempt_facts(codes=DeclineCodes(processor="stripe", decline_code="fraudulent"))
    state = await Run(make_facts(attempts=(failure,)), on_ladder(mode=Mode.AUTO)).start()
    assert signals_of(state) == ("fraud",)
    assert [p.agent for p in proposals_of(state)] == ["exception"]


async def test_a_denial_that_time_cures_wakes_the_case_when_it_is_cured() -> None:
    """The customer was written to yesterday evening, about another invoice."""
    evening = NOW - timedelta(hours=20)
    facts = make_facts(case=case_info(opened_at=NOW), contacts=(contact_facts(at=evening, case_id="case_2"),))
    state = await Run(facts).start()
    wake = wake_of(state)
    assert [v.answer for v in verdicts_of(state)] == [Answer.DENY]
    assert wake is not None
    assert wake.until == evening + timedelta(days=1)


async def test_an_open_case_is_always_looked_at_again_before_its_last_day_is_over() -> None:
    for day in (0.1, 2, 5, 13, 20, 27):
        now = FAILED_AT + timedelta(days=day)
        wake = wake_of(await Run(make_facts(now=now, ledger=())).start())
        assert wake is not None
        assert now < wake.until <= FAILED_AT + timedelta(days=28)


async def test_the_world_is_read_once_before_the_question_and_once_after_the_answer() -> None:
    run = Run(both_due())
    await run.start()
    assert run.world.reads == 1
    await run.answer(APPROVE, APPROVE)
    assert run.world.reads == 2


def test_node_names_are_pinned_since_a_renamed_node_loses_the_threads_that_wait_in_it() -> None:
    graph = build_graph(World(make_facts()).deps(), InMemorySaver())
    assert set(graph.nodes) == {
        "__start__",
        "load_facts",
        "orchestrate",
        "prioritize",
        "communicate",
        "handle_exception",
        "gate",
        "human_review",
        "recheck",
        "finish",
        "superseded",
    }


def test_a_loop_would_be_stopped() -> None:
    graph = build_graph(World(make_facts()).deps(), InMemorySaver())
    assert graph.config is not None
    assert graph.config.get("recursion_limit") == RECURSION_LIMIT


async def test_a_checkpoint_holds_plain_values_and_nothing_personal() -> None:
    run = Run(both_due())
    state = await run.start()

    def plain(value: object) -> bool:
        match value:
            case dict():
                pairs = cast("dict[object, object]", value)
                return all(isinstance(key, str) and plain(inner) for key, inner in pairs.items())
            case list():
                return all(plain(inner) for inner in cast("list[object]", value))
            case _:
                return value is None or type(value) in {str, int, float, bool}

    assert plain({key: value for key, value in state.items() if not key.startswith("__")})
    assert "ada@customer.example" not in str(state)
