"""What masks personal data before a model or an index sees a text: does it hide all that it should, and leave what people need?"""

from evals.sample import Sample
from evals.scorers.personal_data import hides_personal_data, keeps_look_alikes
from evals.solver import Answer, Solver
from evals.subject import Subject
from evals.suite import Suite
from recoup.personal_data import mask_personal


def _masking(subject: Subject) -> Solver:  # noqa: ARG001 - code masks, whatever the model
    async def solve(sample: Sample, /) -> Answer:
        return Answer(value={"text": mask_personal(sample.input["text"], sample.input.get("known", ()))})

    return solve


SUITE = Suite(
    name="personal_data",
    about="Card numbers, IBANs, telephone numbers, e-mail and postal addresses and known names go; look-alikes stay.",
    solver=_masking,
    safety=(hides_personal_data,),
    quality=(keeps_look_alikes,),
)
