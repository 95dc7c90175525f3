"""A model as judge of words: optional, asked once an answer, and believed only as far as it agrees with people."""

from importlib.resources import files
from typing import Literal

from evals.log import SuiteLog
from evals.sample import Sample
from evals.solver import NEEDS_MODEL, Answer, NotRun, Solver
from evals.statistics import kappa
from prompts.render import Template, Words, parse_template, render
from recoup.model_port import Bounds, Model, ModelCall
from recoup.record import Record

AGENT = "judge"
VERDICT = "judge_verdict"
# Under this, Landis and Koch speak of moderate agreement at best: such a judge decides nothing.
LEAST_KAPPA = 0.6
LEAST_JUDGED = 30
BOUNDS = Bounds(output_tokens=200)


class JudgeAnswer(Record):
    """What the model says of one draft."""

    verdict: Literal["fit", "unfit"]
    reason: str


class Agreement(Record):
    """How far the judge and people agree. ``kappa`` is None where chance alone explains all, or nobody judged."""

    n: int
    agreed: float | None
    kappa: float | None
    disagreements: tuple[str, ...]

    @property
    def is_enough(self) -> bool:
        """Whether the judge's word may count."""
        return self.n >= LEAST_JUDGED and self.kappa is not None and self.kappa >= LEAST_KAPPA


def question(subject: str, body: str, language: str) -> Words:
    """What the judge is asked: its task, and the draft as a quote. A row of equal signs in the draft cannot end the quote."""
    quoted = {"draft_subject": _quoted(subject), "draft_body": _quoted(body), "language": language}
    return render(_template(), quoted)


def judging(model: Model) -> Solver:
    """Answers a draft of the calibration set with the judge's verdict."""

    async def solve(sample: Sample, /) -> Answer | NotRun:
        asked = sample.input
        return await _asked(model, sample.id, question(asked["subject"], asked["body"], asked["language"]))

    return solve


def with_verdict(solver: Solver, model: Model) -> Solver:
    """A solver of drafts that also keeps what the judge says of each, so that scoring it again asks no model."""

    async def solve(sample: Sample, /) -> Answer | NotRun:
        answer = await solver(sample)
        if isinstance(answer, NotRun):
            return answer
        told = await _asked(model, sample.id, question(answer.value["subject"], answer.value["body"], sample.expected["language"]))
        return answer if isinstance(told, NotRun) else answer.model_copy(update={"value": answer.value | told.value})

    return solve


def judge_finds_it_fit(sample: Sample, answer: Answer) -> bool | None:  # noqa: ARG001 - a scorer's signature
    """The judge's verdict; the question does not arise where none was asked."""
    return answer.value[VERDICT] == "fit" if VERDICT in answer.value else None


def agrees_with_people(sample: Sample, answer: Answer) -> bool:
    """The judge's verdict is the one that a person gave."""
    return answer.value[VERDICT] == sample.expected["verdict"]


def agreement(calibration: SuiteLog) -> Agreement:
    """From a run of the calibration set."""
    judged = [(e.sample, e.outcome.value[VERDICT]) for e in calibration.entries if isinstance(e.outcome, Answer)]
    pairs = [(str(sample.expected["verdict"]), str(verdict)) for sample, verdict in judged]
    return Agreement(
        n=len(pairs),
        agreed=sum(one == other for one, other in pairs) / len(pairs) if pairs else None,
        kappa=kappa(pairs),
        disagreements=tuple(sample.id for sample, verdict in judged if verdict != sample.expected["verdict"]),
    )


async def _asked(model: Model, subject: str, asked: Words) -> Answer | NotRun:
    if not model.chain(AGENT):
        return NotRun(why=NEEDS_MODEL)
    call = ModelCall(
        agent=AGENT, case_id="eval", decision_id=subject, system=asked.subject, user=asked.body, answer=JudgeAnswer, bounds=BOUNDS
    )
    told = await model.ask(call)
    if told.value is None:
        return NotRun(why=f"the judge gave no verdict ({told.failure})")
    return Answer(value={VERDICT: told.value.verdict, "judge_reason": told.value.reason})


def _template() -> Template:
    return parse_template("judge_draft", files("evals").joinpath("judge_draft.md").read_text(encoding="utf-8"))


def _quoted(text: str) -> str:
    return text.replace("=" * 3, "= ")
