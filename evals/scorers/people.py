"""Would people agree: is what they approved proposed again, what they changed as they wanted it, and what they rejected not at all?"""

from typing import Any

from evals.sample import Sample
from evals.solver import Answer


def keeps_what_people_approved(sample: Sample, answer: Answer) -> float | None:
    """The share of approved actions that are proposed again as they were."""
    return _share([one["final"] for one in sample.expected["labels"] if one["said"] == "approved"], answer)


def learns_from_edits(sample: Sample, answer: Answer) -> float | None:
    """The share of edited actions that are proposed as the person wanted them: the best label there is."""
    return _share([one["final"] for one in sample.expected["labels"] if one["said"] == "edited"], answer)


def avoids_what_people_rejected(sample: Sample, answer: Answer) -> bool | None:
    """None of the rejected actions is proposed again."""
    rejected = [one["proposed"] for one in sample.expected["labels"] if one["said"] == "rejected"]
    return not any(one in _proposed(answer, one) for one in rejected) if rejected else None


def what_people_said(sample: Sample, answer: Answer) -> str:  # noqa: ARG001 - a scorer's signature
    """Approved, edited or rejected; mixed where it was several."""
    said = {one["said"] for one in sample.expected["labels"]}
    return said.pop() if len(said) == 1 else "mixed"


def _share(wanted: list[dict[str, Any]], answer: Answer) -> float | None:
    return sum(one in _proposed(answer, one) for one in wanted) / len(wanted) if wanted else None


def _proposed(answer: Answer, like: dict[str, Any]) -> list[dict[str, Any]]:
    """What was proposed, cut down to the arguments that a label keeps."""
    return [
        {"name": action["name"], "args": {key: value for key, value in action["args"].items() if key in like["args"]}}
        for action in answer.value["actions"]
    ]
