"""What is under test: the rules alone, or the agents with a model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """``name`` as RECOUP_MODEL gives it: ``rules``, or ``openai:<model>``."""

    name: str = "rules"

    @property
    def has_model(self) -> bool:
        """Whether anything but the rules answers."""
        return self.name != "rules"
