"""What is asked and what is answered belong together."""

from typing import Any

import pytest

from recoup.actions import ActionName
from recoup.approval import ApprovalRequest, approval_digest, check_answer, request_approval
from recoup.errors import Malformed
from tests.factories import make_message, make_retry, proposed

ASKED = [(proposed(make_message(), id="act_1"), "approve mode"), (proposed(make_retry(), id="act_2"), "approve mode")]
REQUEST = request_approval(ASKED, "facts")
APPROVE = {"type": "approve"}
REJECT = {"type": "reject", "message": "not this customer"}


def edit(name: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"type": "edit", "edited_action": {"name": name, "args": args}}


def test_the_request_follows_the_schema_of_human_in_the_loop() -> None:
    shown = REQUEST.model_dump(mode="json")
    assert [set(action) for action in shown["action_requests"]] == [{"name", "args", "description"}] * 2
    assert shown["review_configs"] == [
        {"action_name": "send_message", "allowed_decisions": ["approve", "edit", "reject"]},
        {"action_name": "retry_payment", "allowed_decisions": ["approve", "edit", "reject"]},
    ]
    assert ApprovalRequest.model_validate(shown) == REQUEST


def test_the_digest_is_the_same_for_what_is_read_back() -> None:
    stored = ApprovalRequest.model_validate_json(REQUEST.model_dump_json())
    assert approval_digest(stored.actions(), "facts") == REQUEST.digest


@pytest.mark.parametrize(
    ("actions", "facts"),
    [
        ([("act_1", make_message()), ("act_2", make_retry())], "other facts"),
        ([("act_2", make_retry()), ("act_1", make_message())], "facts"),
        ([("act_1", make_message())], "facts"),
        ([("act_9", make_message()), ("act_2", make_retry())], "facts"),
        ([("act_1", make_message()), ("act_2", make_retry(amount_minor=4901))], "facts"),
        ([("act_1", make_message()), ("act_2", make_retry(ActionName.USE_BACKUP_METHOD))], "facts"),
    ],
)
def test_the_digest_differs_for_anything_else(actions: Any, facts: str) -> None:
    assert approval_digest(actions, facts) != REQUEST.digest


def test_an_answer_gives_one_decision_an_action() -> None:
    answer = check_answer(REQUEST, {"decisions": [APPROVE, REJECT]})
    assert [decision.type for decision in answer.decisions] == ["approve", "reject"]


UNFIT: list[tuple[Any, str]] = [
    ({"decisions": [APPROVE]}, "2 actions were asked and 1 decisions given"),
    ({"decisions": [APPROVE, APPROVE, APPROVE]}, "3 decisions given"),
    ({"decisions": [APPROVE, {"type": "respond"}]}, "not valid"),
    ({"decisions": [APPROVE, {"type": "approve", "args": []}]}, "not valid"),
    ({}, "not valid"),
    (None, "not valid"),
    ({"decisions": [APPROVE, edit("fly_to_the_moon", {})]}, "there is no action"),
    ({"decisions": [APPROVE, edit("retry_payment", {"credential_id": "crd_1"})]}, "arguments of retry_payment"),
    ({"decisions": [APPROVE, edit("use_backup_method", make_retry().args)]}, "cannot be edited into"),
]


@pytest.mark.parametrize(("answer", "says"), UNFIT)
def test_an_answer_that_does_not_fit_is_refused_with_the_reason(answer: object, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        check_answer(REQUEST, answer)
