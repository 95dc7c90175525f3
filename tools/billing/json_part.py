"""Typed reading of a vendor's JSON: what is there has its type, what is missing is None, and what is wrong is named by its path."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from recoup.errors import Malformed

MOST_CHARS = 2000
BIGGEST = 2**63


@dataclass(frozen=True)
class Part:
    """One object of the document. ``path`` is where it stands, for the message of Malformed."""

    values: dict[str, object]
    path: str

    def text(self, key: str) -> str | None:
        """A string; None where it is missing, null or empty."""
        value = self.values.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return clean_text(value)

    def need_text(self, key: str) -> str:
        """A string that must be there."""
        value = self.text(key)
        if value is None:
            raise Malformed(f"{self._at(key)} is missing")
        return value

    def integer(self, key: str) -> int | None:
        """An integer of at most 64 bits."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= BIGGEST:
            raise self._wrong(key, "an integer")
        return value

    def decimal(self, key: str) -> Decimal | None:
        """A number as it was written: its shortest decimal form."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= BIGGEST:
            raise self._wrong(key, "a number")
        return Decimal(str(value))

    def flag(self, key: str) -> bool | None:
        """A boolean."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(key, "a boolean")
        return value

    def time(self, key: str) -> datetime | None:
        """Unix seconds, or an ISO 8601 time with its zone."""
        value = self.values.get(key)
        if value is None:
            return None
        try:
            if isinstance(value, str):
                read = datetime.fromisoformat(value)
                return read.astimezone(UTC) if read.tzinfo else None
            return datetime.fromtimestamp(self.integer(key) or 0, UTC)
        except (ValueError, OverflowError, OSError) as exc:
            raise self._wrong(key, "a time") from exc

    def need_time(self, key: str) -> datetime:
        """A time that must be there."""
        value = self.time(key)
        if value is None:
            raise Malformed(f"{self._at(key)} is missing")
        return value

    def part(self, key: str) -> "Part":
        """An object; an empty one where it is missing, null, or only the id of one (not expanded)."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return Part({}, self._at(key))
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Part(cast("dict[str, object]", value), self._at(key))

    def parts(self, key: str) -> list["Part"]:
        """The objects of a list, or of a list object's ``data``; what in it is no object is left out."""
        value = self.values.get(key)
        if isinstance(value, dict):
            return self.part(key).parts("data")
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        items = enumerate(cast("list[object]", value))
        return [Part(cast("dict[str, object]", item), f"{self._at(key)}[{n}]") for n, item in items if isinstance(item, dict)]

    def ref(self, key: str) -> str | None:
        """The id of another object, whether it stands there as an id or expanded."""
        return self.part(key).text("id") if isinstance(self.values.get(key), dict) else self.text(key)

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.values.get(key) is not None

    def __bool__(self) -> bool:
        return bool(self.values)

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _wrong(self, key: str, expected: str) -> Malformed:
        return Malformed(f"{self._at(key)} is not {expected}")


def clean_text(value: str) -> str:
    """Text as PostgreSQL can keep it: no NUL and no half of a surrogate pair, and of a sane length."""
    return value[:MOST_CHARS].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
