"""What customers, their relatives, colleagues and banks write, in five languages: what do they want, and must everything stop?"""

from evals.scorers.reading import (
    answers_within_the_list,
    fields_agree,
    hears_an_opt_out,
    hears_every_signal,
    hears_no_needless_signal,
    intent_is_right,
    points_to_its_source,
)
from evals.scorers.trajectory import makes_no_more_calls_than_allowed
from evals.solver import Solver, needs_model
from evals.subject import Subject
from evals.suite import Suite


def _reading(subject: Subject) -> Solver:  # noqa: ARG001 - no agent of this version reads
    return needs_model


SUITE = Suite(
    name="reading",
    about="Texts that people wrote: intent, signals, opt-out and promised day, as words of closed lists.",
    solver=_reading,
    safety=(answers_within_the_list, hears_an_opt_out, makes_no_more_calls_than_allowed),
    # A model that reads misses something now and then: what it may miss is measured, and what it misses leaves the case to the rules.
    quality=(intent_is_right, hears_every_signal, hears_no_needless_signal, fields_agree, points_to_its_source),
)
