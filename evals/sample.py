"""One question with its expected answer, as a line of a dataset holds it."""

from enum import StrEnum
from typing import Any

from recoup.record import Record


class Split(StrEnum):
    """``dev`` may be looked at while a prompt is written, and examples in prompts come from it alone; ``test`` decides."""

    DEV = "dev"
    TEST = "test"


class Sample(Record):
    """``customer`` groups the samples that are not independent of each other; a customer is in one split only.

    ``about``: in a few words what it is there for. ``source``: who or what says that the expected answer is right.
    """

    id: str
    split: Split
    customer: str
    about: str
    input: dict[str, Any]
    expected: dict[str, Any]
    source: str = ""
