"""The question to a person and the answer, in LangChain's human-in-the-loop schema, bound together by a digest."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from recoup.actions import Action, check_action
from recoup.digest import digest
from recoup.errors import Malformed
from recoup.masking import redact_text
from recoup.proposal import Proposed
from recoup.record import Record

DecisionType = Literal["approve", "edit", "reject"]
ALLOWED_DECISIONS: tuple[DecisionType, ...] = ("approve", "edit", "reject")


class ActionRequest(Record):
    """One action as it is shown: what would happen, and why."""

    name: str
    args: dict[str, object]
    description: str


class ReviewConfig(Record):
    """What may be answered to an action of this name."""

    action_name: str
    allowed_decisions: tuple[DecisionType, ...] = ALLOWED_DECISIONS


class ApprovalRequest(Record):
    """Everything a person is asked at once. ``action_ids`` go with ``action_requests`` by position; ``digest`` binds the answer."""

    action_requests: tuple[ActionRequest, ...]
    review_configs: tuple[ReviewConfig, ...]
    action_ids: tuple[str, ...]
    digest: str

    def actions(self) -> tuple[tuple[str, Action], ...]:
        """The (id, action) pairs that were shown."""
        return tuple((i, check_action(r.name, r.args)) for i, r in zip(self.action_ids, self.action_requests, strict=True))


class Approve(Record):
    """Do it as shown."""

    type: Literal["approve"] = "approve"


class EditedAction(Record):
    """The action as the person wants it."""

    name: str
    args: dict[str, object]


class Edit(Record):
    """Do this instead."""

    type: Literal["edit"] = "edit"
    edited_action: EditedAction


class Reject(Record):
    """Do not do it, and why."""

    type: Literal["reject"] = "reject"
    message: Annotated[str, Field(max_length=2000), AfterValidator(redact_text)] = ""


HumanDecision = Annotated[Approve | Edit | Reject, Field(discriminator="type")]


class ApprovalAnswer(Record):
    """One decision an action, in the order of the request."""

    decisions: tuple[HumanDecision, ...]


def approval_digest(actions: Sequence[tuple[str, Action]], facts_digest: str) -> str:
    """SHA-256 that binds an answer to the very actions (id, name, arguments) and facts that were shown."""
    shown = [{"id": action_id, "name": action.name, "args": action.args} for action_id, action in actions]
    return digest({"actions": shown, "facts": facts_digest})


def request_approval(asked: Sequence[tuple[Proposed, str]], facts_digest: str, words: Mapping[str, str] | None = None) -> ApprovalRequest:
    """The question for these actions, each with the gate's reason to ask. ``words``: by action id what a customer would be sent, slots
    unfilled, so that nobody approves a text unseen."""
    requests = tuple(
        ActionRequest(name=p.action.name, args=p.action.args, description=_description(p, why, (words or {}).get(p.id))) for p, why in asked
    )
    names = dict.fromkeys(request.name for request in requests)
    return ApprovalRequest(
        action_requests=requests,
        review_configs=tuple(ReviewConfig(action_name=name) for name in names),
        action_ids=tuple(p.id for p, _ in asked),
        digest=approval_digest([(p.id, p.action) for p, _ in asked], facts_digest),
    )


def _description(proposed: Proposed, why: str, words: str | None) -> str:
    line = f"{proposed.reason} (asks because: {why})"
    return f"{line}\n\n{words}" if words else line


def check_answer(request: ApprovalRequest, answer: object) -> ApprovalAnswer:
    """The answer, where it fits the request; raises Malformed and says what does not."""
    try:
        checked = ApprovalAnswer.model_validate(answer)
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise Malformed(f"the answer is not valid: {problems}") from exc
    asked, given = len(request.action_requests), len(checked.decisions)
    if asked != given:
        raise Malformed(f"{asked} actions were asked and {given} decisions given; give one decision an action, in order")
    for (_, shown), decision in zip(request.actions(), checked.decisions, strict=True):
        if isinstance(decision, Edit):
            _check_edit(shown, decision.edited_action)
    return checked


def _check_edit(shown: Action, edited: EditedAction) -> None:
    """An edit changes how something is done, not how dangerous it is: an approval never grows into another risk class."""
    action = check_action(edited.name, edited.args)
    if action.risk is not shown.risk:
        raise Malformed(
            f"{shown.name} is a {shown.risk} action and cannot be edited into {action.name}, which is {action.risk}; reject it instead"
        )
