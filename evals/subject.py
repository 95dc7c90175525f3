"""What is under test: the rules alone, or the agents with a model."""

from dataclasses import dataclass, field

from evals.recorder import Tap
from recoup.model_port import Model, NoModel


@dataclass(frozen=True)
class Subject:
    """``name`` as RECOUP_MODEL gives it: ``rules``, or ``openai:<model>``. ``model`` is what agents ask; ``tap``: what goes over the wire
    to it, where somebody listens."""

    name: str = "rules"
    model: Model = field(default_factory=NoModel)
    tap: Tap | None = None

    @property
    def has_model(self) -> bool:
        """Whether anything but the rules answers."""
        return self.name != "rules"
