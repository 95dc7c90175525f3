"""What answers a sample: an answer, a reason why nothing could be run, or a failure, each as a value."""

from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from evals.sample import Sample
from recoup.record import Record

NEEDS_MODEL = "needs a model"


class Usage(Record):
    """What a sample cost."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Both ways together."""
        return self.input_tokens + self.output_tokens


class Answer(Record):
    """``value`` is what scorers look at. ``trajectory``: the steps that were taken, in their order."""

    kind: Literal["answer"] = "answer"
    value: dict[str, Any]
    trajectory: tuple[str, ...] = ()
    usage: Usage = Usage()


class NotRun(Record):
    """Nothing was asked, so nothing is scored: neither passed nor failed."""

    kind: Literal["not_run"] = "not_run"
    why: str


class Failed(Record):
    """The solver broke. It counts as a failure of the sample, and the run goes on."""

    kind: Literal["failed"] = "failed"
    error: str


Outcome = Annotated[Answer | NotRun | Failed, Field(discriminator="kind")]


class Solver(Protocol):
    """Answers one sample."""

    async def __call__(self, sample: Sample, /) -> Answer | NotRun:
        """What it raises becomes ``Failed``."""
        ...


async def needs_model(sample: Sample, /) -> NotRun:  # noqa: ARG001 - a solver's signature
    """The solver of whatever the rules cannot do: reading what people write, for one."""
    return NotRun(why=NEEDS_MODEL)
