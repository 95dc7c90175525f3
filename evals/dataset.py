"""Reads datasets: JSON lines, the first of which says what it is, where it comes from and which version."""

import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from evals.sample import Sample, Split
from recoup.digest import digest
from recoup.errors import Malformed, NotFound
from recoup.record import Record

RecordT = TypeVar("RecordT", bound=Record)

SHIPPED = files("evals").joinpath("datasets")


class Header(Record):
    """``version`` grows whenever a sample is added, removed or changed. ``provenance``: who wrote it, from what, and what it is not."""

    dataset: str
    version: int
    written: str
    provenance: str


class Dataset(Record):
    """A header and its samples."""

    header: Header
    samples: tuple[Sample, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all samples: two runs are compared with care where it differs."""
        return digest([sample.model_dump(mode="json") for sample in self.samples])


def shipped_dataset(name: str) -> Dataset:
    """A dataset that comes with Recoup; raises NotFound."""
    file = SHIPPED.joinpath(f"{name}.jsonl")
    if not file.is_file():
        raise NotFound(f"there is no dataset {name}")
    return parse_dataset(file.read_text(encoding="utf-8"), name)


def read_dataset(path: Path) -> Dataset:
    """A dataset of one's own, such as one made of people's decisions."""
    return parse_dataset(path.read_text(encoding="utf-8"), path.name)


def parse_dataset(text: str, name: str) -> Dataset:
    """Raises Malformed and says which line is wrong, or which ids, customers or splits do not fit together."""
    # Only a line feed ends a line: hostile texts hold the other signs that Python would split at.
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise Malformed(f"dataset {name} is empty")
    header = _line(Header, lines[0], name, 1)
    samples = tuple(_line(Sample, line, name, number) for number, line in enumerate(lines[1:], start=2))
    problem = _twice(sample.id for sample in samples) or _leak(samples)
    if problem:
        raise Malformed(f"dataset {name}: {problem}")
    return Dataset(header=header, samples=samples)


def dataset_text(dataset: Dataset) -> str:
    """The dataset as JSON lines; ``parse_dataset`` reads it back. What no reader would see in it (marks of direction, joiners of no width)
    stands there as an escape."""
    records = (dataset.header, *dataset.samples)
    lines = (json.dumps(record.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False) for record in records)
    return "".join(f"{_seen(line)}\n" for line in lines)


def _seen(line: str) -> str:
    return "".join(char if char == " " or char.isprintable() else json.dumps(char)[1:-1] for char in line)


def _line(kind: type[RecordT], line: str, name: str, number: int) -> RecordT:
    try:
        return kind.model_validate_json(line)
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Malformed(f"dataset {name}, line {number}: {place}: {first['msg']}") from exc


def _twice(ids: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            return f"there are two samples {one}"
        seen.add(one)
    return None


def _leak(samples: Iterable[Sample]) -> str | None:
    """A customer in both splits would let what a prompt was tuned on decide whether it ships."""
    split_of: dict[str, Split] = {}
    for sample in samples:
        if split_of.setdefault(sample.customer, sample.split) is not sample.split:
            return f"customer {sample.customer} is in both splits"
    return None
