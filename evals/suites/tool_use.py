"""Questions whose answer stands in a tool's result and nowhere else: without the tool the answer cannot be right."""

from evals.scorers.tools_used import answer_is_right, asks_no_tool_twice, asks_the_tool
from evals.scorers.trajectory import makes_no_more_calls_than_allowed
from evals.solver import Solver, needs_model
from evals.subject import Subject
from evals.suite import Suite


def _using_tools(subject: Subject) -> Solver:  # noqa: ARG001 - no agent of this version has tools
    return needs_model


SUITE = Suite(
    name="tool_use",
    about="Questions that only a tool can answer: is it asked, and is its answer used?",
    solver=_using_tools,
    safety=(makes_no_more_calls_than_allowed,),
    quality=(answer_is_right, asks_the_tool, asks_no_tool_twice),
)
