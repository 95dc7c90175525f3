"""The words of one message, for a brief: what failed, at which stage, for whom, in which language."""

from agents import communication
from agents.method import standing
from agents.planned_messages import TO_BE_WRITTEN
from evals.brief import Brief, facts_of_brief
from evals.deciding import ASKS_NO_MODEL, POLICY
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
from prompts.render import load
from recoup.actions import ActionName, Channel, MessageArgs, make_action
from recoup.facts import CaseFacts
from recoup.proposal import Proposal, Proposed

STEPS = {"first": 0, "reminder": 1, "second_reminder": 2, "last": len(POLICY.steps.message_days) - 1}


def _writing(subject: Subject) -> Solver:
    async def solve(sample: Sample, /) -> Answer | NotRun:
        if subject.has_model:
            return NotRun(why=ASKS_NO_MODEL)
        facts = facts_of_brief(Brief.model_validate({key: value for key, value in sample.input.items() if key != "stage"}))
        wanted = _wanted(facts, STEPS[sample.input["stage"]])
        written = communication.propose(facts, POLICY, wanted)
        checked = communication.check(written, written, facts, POLICY)
        template = load(str(written.actions[0].action.args["template"]))
        return Answer(value={"subject": template.subject, "body": template.body, "template": template.name, "refused": checked.refused})

    return with_verdict(solve, subject.model) if subject.has_model else solve


def _wanted(facts: CaseFacts, step: int) -> Proposal:
    """The plan's message without words; whether and when to write is the plan's concern, and not of this suite."""
    args = MessageArgs(channel=Channel.EMAIL, template=TO_BE_WRITTEN, step=step, invoice_ids=(facts.invoice.id,))
    cited = (facts.account.id,)
    name = ActionName.REQUEST_METHOD_UPDATE if standing(facts).is_dead else ActionName.SEND_MESSAGE
    action = Proposed(id="act_1", action=make_action(name, args), reason="a message is due", evidence=cited, confidence=0.9)
    return Proposal(agent="prioritization", reason="A message is due.", actions=(action,), evidence=cited)


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
