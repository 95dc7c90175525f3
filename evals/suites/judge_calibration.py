"""How far a model that judges drafts agrees with people; under a kappa of 0.6 its verdicts count for nothing."""

from evals.judge import agrees_with_people, judging
from evals.solver import Solver
from evals.subject import Subject
from evals.suite import Suite


def _judging(subject: Subject) -> Solver:
    return judging(subject.model)


SUITE = Suite(
    name="judge_calibration",
    about="Drafts that a person judged fit or unfit: does the model that judges say the same?",
    solver=_judging,
    quality=(agrees_with_people,),
)
