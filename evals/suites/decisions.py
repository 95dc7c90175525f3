"""What people answered, made into samples by ``recoup evals from-decisions``: would the agents propose what people wanted?"""

from evals.deciding import ASKS_NO_MODEL, POLICY, answer_of, decide
from evals.sample import Sample
from evals.scorers.citations import cites_rows_of_the_case
from evals.scorers.people import avoids_what_people_rejected, keeps_what_people_approved, learns_from_edits, what_people_said
from evals.scorers.policy import account_actions_wait_for_a_person, proposes_known_actions_only
from evals.solver import Answer, NotRun, Solver
from evals.subject import Subject
from evals.suite import Suite
from recoup.facts import CaseFacts
from recoup.policy import HouseRules, Steps


def _deciding_again(subject: Subject) -> Solver:
    async def solve(sample: Sample, /) -> Answer | NotRun:
        if subject.has_model:
            return NotRun(why=ASKS_NO_MODEL)
        facts = CaseFacts.model_validate(sample.input["facts"])
        steps, house = (kind.model_validate(sample.input["policy"][key]) for kind, key in ((Steps, "steps"), (HouseRules, "house")))
        return answer_of(await decide(facts, POLICY.model_copy(update={"steps": steps, "house": house}), subject.model), facts)

    return solve


SUITE = Suite(
    name="decisions",
    about="Decisions that people answered: is what they approved and edited proposed, and what they rejected left out?",
    solver=_deciding_again,
    safety=(cites_rows_of_the_case, proposes_known_actions_only, account_actions_wait_for_a_person),
    quality=(keeps_what_people_approved, learns_from_edits, avoids_what_people_rejected, what_people_said),
)
