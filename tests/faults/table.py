"""The table of planted faults, and what it takes to plant one."""

import tomllib
from pathlib import Path

from recoup.record import Record

TABLE = Path(__file__).with_name("faults.toml")


class Edit(Record):
    """One text that becomes another in one file of the product."""

    file: str
    old: str
    new: str

    def count(self, root: Path) -> int:
        """How often the old text stands in its file."""
        return (root / self.file).read_text(encoding="utf-8").count(self.old)


class Fault(Record):
    """What is broken, in words and as edits, and the tests that must each fail under it, without their parameters."""

    id: str
    says: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]


class _Table(Record):
    faults: tuple[Fault, ...]


def planted_faults() -> tuple[Fault, ...]:
    """All of them, in the order of the table."""
    return _Table.model_validate(tomllib.loads(TABLE.read_text(encoding="utf-8"))).faults
