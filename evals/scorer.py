"""What judges an answer. The type that a scorer returns says what its score means: a bool is a gate, a float a measure, a str a label."""

from collections.abc import Callable
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_type_hints

from evals.sample import Sample
from evals.solver import Answer
from recoup.errors import Defect
from recoup.record import Record

# None: the question does not arise for this sample. A float is between 0 and 1, and more is better.
Value = bool | float | str | None
Scorer = Callable[[Sample, Answer], Value]


class Kind(StrEnum):
    """What a score means."""

    GATE = "gate"
    MEASURE = "measure"
    LABEL = "label"


KINDS: dict[type, Kind] = {bool: Kind.GATE, float: Kind.MEASURE, str: Kind.LABEL}


class Broken(Record):
    """A scorer that could not judge. It passes nothing, and it stops nothing."""

    broken: str


Scored = Value | Broken


def name_of(scorer: Scorer) -> str:
    """What its scores are called."""
    return scorer.__name__


def kind_of(scorer: Scorer) -> Kind:
    """Read from its annotation, so that no score can be taken for something else."""
    hint: Any = get_type_hints(scorer).get("return")
    returned = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    if len(returned) != 1 or returned[0] not in KINDS:
        raise Defect(f"scorer {name_of(scorer)} must return bool, float or str, or one of them and None; it says {hint}")
    return KINDS[returned[0]]


def judged(scorer: Scorer, sample: Sample, answer: Answer) -> Scored:
    """The score, or why there is none: an evaluator that fails is a value too."""
    try:
        value = scorer(sample, answer)
    except Exception as exc:  # noqa: BLE001 - whatever a hostile output makes of a scorer, the other samples are still to be judged
        return Broken(broken=f"{type(exc).__name__}: {exc}"[:500])
    kind = kind_of(scorer)
    if value is not None and KINDS.get(type(value)) is not kind:
        return Broken(broken=f"it answered with a {type(value).__name__} and is a {kind}")
    if isinstance(value, float) and not 0.0 <= value <= 1.0:
        return Broken(broken=f"{value} is not between 0 and 1")
    return value
