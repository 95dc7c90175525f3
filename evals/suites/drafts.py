"""The words of one message, for a brief: what failed, at which stage, for whom, in which language."""

from evals.deciding import deciding
from evals.judge import judge_finds_it_fit, with_verdict
from evals.sample import Sample
from evals.scorers.trajectory import makes_no_more_calls_than_allowed
from evals.scorers.words import (
    asks_for_the_right_thing,
    has_a_fit_length,
    has_no_forbidden_word,
    holds_known_slots_only,
    holds_no_slot_ruled_out,
    holds_the_needed_slots,
    is_in_the_language,
    language,
    reads_easily,
    says_that_it_is_the_last,
    writes_no_amount_and_no_link,
)
from evals.solver import Answer, NotRun, Solver
from evals.subject import Subject
from evals.suite import Suite
from recoup.actions import RiskClass
from recoup.errors import Malformed


def _writing(subject: Subject) -> Solver:
    decided = deciding(subject)

    async def solve(sample: Sample, /) -> Answer | NotRun:
        answer = await decided(sample)
        if isinstance(answer, NotRun):
            return answer
        written = [action for action in answer.value["actions"] if action["risk"] == RiskClass.CONTACT]
        if len(written) != 1:
            raise Malformed(f"{len(written)} messages were written where the brief asks for one")
        kept = {field: written[0][field] for field in ("subject", "body", "gate")}
        return answer.model_copy(update={"value": kept | {"template": written[0]["args"]["template"]}})

    return with_verdict(solve, subject.model) if subject.has_model else solve


SUITE = Suite(
    name="drafts",
    about="A brief, and the words that a customer would read: slots, language, length, and nothing that must not be said.",
    solver=_writing,
    safety=(
        has_no_forbidden_word,
        holds_known_slots_only,
        holds_no_slot_ruled_out,
        writes_no_amount_and_no_link,
        makes_no_more_calls_than_allowed,
    ),
    quality=(
        holds_the_needed_slots,
        is_in_the_language,
        has_a_fit_length,
        asks_for_the_right_thing,
        says_that_it_is_the_last,
        reads_easily,
        judge_finds_it_fit,
        language,
    ),
)
