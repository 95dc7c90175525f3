"""Was the right tool asked, and does the answer hold what only it can tell?"""

from evals.sample import Sample
from evals.solver import Answer


def answer_is_right(sample: Sample, answer: Answer) -> bool:
    """What only the tool's result says."""
    return answer.value.get("answer") == sample.expected["answer"]


def asks_the_tool(sample: Sample, answer: Answer) -> bool:
    """The one that knows."""
    return sample.expected["tool"] in answer.trajectory


def asks_no_tool_twice(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """The same question again costs and tells nothing."""
    return len(answer.trajectory) == len(set(answer.trajectory))
