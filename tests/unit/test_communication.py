"""The words only: which template, which invoices, and what may never be written."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from agents import communication, prioritization
from agents.wording import problem_with
from prompts.render import Template, load, templates
from recoup.actions import MessageArgs, make_action, typed_args
from recoup.case import CaseStatus
from recoup.category import Category
from recoup.facts import CaseFacts
from recoup.invoice import DeclineCodes
from recoup.proposal import Proposal
from tests.factories import (
    FAILED_AT,
    action_facts,
    attempt_facts,
    case_info,
    credential_facts,
    invoice_facts,
    make_facts,
    on_ladder,
    open_invoice,
)

POLICY = on_ladder()
CUSTOMER_TEMPLATES = [name for name in templates() if name.startswith("payment_failed") or name == "receipt"]


def written(facts: CaseFacts) -> tuple[Proposal, Proposal]:
    """The plan and its words."""
    numbers = count(1)
    plan = prioritization.propose(facts, POLICY, lambda: f"act_{next(numbers)}")
    words = communication.propose(facts, POLICY, plan)
    assert communication.check(words, words, facts, POLICY).refused is None
    return plan, words


def message(facts: CaseFacts) -> MessageArgs:
    return typed_args(written(facts)[1].actions[0].action, MessageArgs)


def failed(category: Category, **changes: Any) -> Any:
    return attempt_facts(category=category, reason=category.value, **changes)


KINDS = [
    (Category.FUNDS, "soft"),
    (Category.GENERIC, "soft"),
    (Category.NEW_DATA, "update_method"),
    (Category.CUSTOMER_ACTION, "authenticate"),
    (Category.NEVER, "neutral"),
    (Category.POLICY, "neutral"),
]
BY_PERMISSION: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("lost_card", "51", {}, "neutral"),
    ("expired_card", "51", {}, "update_method"),
    ("authentication_required", "51", {}, "authenticate"),
    ("insufficient_funds", None, {"country": "IN"}, "authenticate"),
    ("generic_decline", "57", {}, "soft"),
]
STAGES = [(0.1, "first"), (3.1, "reminder"), (7.1, "reminder"), (14.1, "final")]


@pytest.mark.parametrize(("category", "kind"), KINDS)
@pytest.mark.parametrize(("day", "stage"), STAGES)
def test_the_words_follow_the_cause_and_the_step(category: Category, kind: str, day: float, stage: str) -> None:
    facts = make_facts(now=FAILED_AT + timedelta(days=day), attempts=(failed(category),))
    assert [typed_args(p.action, MessageArgs).template for p in written(facts)[1].actions] == [f"payment_failed_{kind}_{stage}"]


@pytest.mark.parametrize(("code", "network_code", "card", "kind"), BY_PERMISSION, ids=str)
def test_the_words_fit_what_may_be_done_with_the_method(code: str, network_code: str | None, card: dict[str, Any], kind: str) -> None:
    failure = attempt_facts(codes=DeclineCodes(processor="stripe", decline_code=code, network_decline_code=network_code))
    facts = make_facts(attempts=(failure,), credential=credential_facts(**card))
    assert message(facts).template == f"payment_failed_{kind}_first"


def test_a_token_that_must_be_set_up_anew_is_not_called_outdated_details() -> None:
    advised = DeclineCodes(processor="stripe", decline_code="generic_decline", network_advice_code="04")
    method = credential_facts(brand="mastercard")
    later = make_facts(now=FAILED_AT + timedelta(days=3.1), attempts=(attempt_facts(codes=advised),), credential=method)
    assert message(later).template == "payment_failed_neutral_reminder"


def test_of_a_death_nothing_is_written_even_where_the_plan_is_asked() -> None:
    died = attempt_facts(codes=DeclineCodes(processor="sepa", decline_code="MD07"))
    numbers = count(1)
    plan = prioritization.propose(make_facts(attempts=(died,)), POLICY, lambda: f"act_{next(numbers)}")
    assert plan.actions == ()


def test_the_words_of_every_category_exist_for_every_stage() -> None:
    for kind in {*communication.WORDS_FOR.values(), "no_link"}:
        for stage in ("first", "reminder", "final"):
            assert load(f"payment_failed_{kind}_{stage}")


def test_a_message_lists_all_open_invoices_of_the_account() -> None:
    facts = make_facts(other_open_invoices=(open_invoice(), open_invoice(id="inv_3")))
    assert message(facts).invoice_ids == ("inv_1", "inv_2", "inv_3")


def test_without_a_payment_page_the_customer_is_asked_to_answer() -> None:
    assert message(make_facts(invoice=invoice_facts(payment_link=False))).template == "payment_failed_no_link_first"
    assert "update_link" not in load("payment_failed_no_link_first").slots


def test_an_unusable_method_is_spoken_of_neutrally() -> None:
    facts = make_facts(credential=credential_facts(is_usable=False))
    assert message(facts).template == "payment_failed_neutral_first"


def test_words_change_neither_what_nor_when_nor_to_whom() -> None:
    plan, words = written(make_facts())
    assert [(p.id, p.action.name, p.action.args["step"], p.action.args["channel"]) for p in words.actions] == [
        (p.id, p.action.name, p.action.args["step"], p.action.args["channel"]) for p in plan.actions
    ]


def test_a_receipt_keeps_its_words_and_its_one_invoice() -> None:
    facts = make_facts(
        case=case_info(status=CaseStatus.RECOVERED),
        actions=(action_facts(step=0),),
        other_open_invoices=(open_invoice(),),
    )
    assert (message(facts).template, message(facts).invoice_ids) == ("receipt", ("inv_1",))


@pytest.mark.parametrize("name", CUSTOMER_TEMPLATES)
def test_what_customers_get_is_fit_for_them(name: str) -> None:
    assert problem_with(load(name)) is None


UNFIT = [
    "We suspect fraud on your account, {first_name}, so please choose another payment method as soon as you can.",
    "Your card was reported stolen, {first_name}, so please choose another payment method as soon as you can, thank you.",
    "Pay now, {first_name}, or we will take legal action and send our lawyers to you as soon as they have some time.",
    "Please pay $49.00 here, {first_name}: we could not collect it for your subscription, which is a pity, thank you.",
    "Please pay at https://pay.example/x, {first_name}: we could not collect your payment, which is a pity, thank you.",
    "Please pay, {full_name}: we could not collect the payment for your subscription with us, which is a pity, thank you.",
    "Please pay, {first_name: we could not collect the payment for your subscription with us, which is a pity, thank you.",
    "Your bank answered insufficient funds, {first_name}, so we could not collect the payment for your subscription.",
    "Pay.",
    "Please pay, {first_name}. " * 100,
]


@pytest.mark.parametrize("body", UNFIT)
def test_what_is_unfit_is_found(body: str) -> None:
    assert problem_with(Template(name="x", purpose="x", subject="Your payment to {company}", body=body))


@pytest.mark.parametrize(
    "change",
    [{"template": "call_script"}, {"template": "no_such_words"}, {"step": 1}, {"invoice_ids": ("inv_of_someone",)}, {"channel": "sms"}],
    ids=str,
)
def test_a_revision_may_change_words_only_and_only_to_fit_ones(change: dict[str, Any]) -> None:
    facts = make_facts()
    _, draft = written(facts)
    first = draft.actions[0]
    args = MessageArgs.model_validate(first.action.args | change)
    revised = draft.model_copy(update={"actions": (first.model_copy(update={"action": make_action(first.action.name, args)}),)})
    checked = communication.check(draft, revised, facts, POLICY)
    assert checked.proposal == draft
    assert checked.refused


def test_a_revision_to_other_fit_words_is_taken() -> None:
    facts = make_facts()
    _, draft = written(facts)
    first = draft.actions[0]
    args = MessageArgs.model_validate(first.action.args | {"template": "payment_failed_neutral_first"})
    revised = draft.model_copy(update={"actions": (first.model_copy(update={"action": make_action(first.action.name, args)}),)})
    assert communication.check(draft, revised, facts, POLICY).proposal == revised
