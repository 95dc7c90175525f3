"""What is under test: the rules alone, or the agents with a model."""

from dataclasses import dataclass

from evals.recorder import Tap


@dataclass(frozen=True)
class Subject:
    """``name`` as RECOUP_MODEL gives it: ``rules``, or ``openai:<model>``. ``base_url``: where the model answers, live or recorded, and
    ``tap`` what goes over that wire; both None for the rules."""

    name: str = "rules"
    base_url: str | None = None
    tap: Tap | None = None

    @property
    def has_model(self) -> bool:
        """Whether anything but the rules answers."""
        return self.base_url is not None
