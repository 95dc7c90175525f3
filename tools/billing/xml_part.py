"""Typed reading of a vendor's XML: what is there has its type, what is missing, empty or nil is None, and what is wrong is named."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from recoup.errors import Malformed
from tools.billing.json_part import BIGGEST, clean_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_DIGITS = 19


@dataclass(frozen=True)
class XmlPart:
    """One element, or none at all. ``path`` is where it stands, for the message of Malformed."""

    element: "Element | None"
    path: str

    def text(self, tag: str) -> str | None:
        """The text of a child. ``nil="true"`` means None, even where some text is left in it."""
        child = self._child(tag)
        if child is None or child.get("nil") == "true" or not (child.text or "").strip():
            return None
        return clean_text((child.text or "").strip())

    def need_text(self, tag: str) -> str:
        """The text of a child that must be there."""
        value = self.text(tag)
        if value is None:
            raise Malformed(f"{self._at(tag)} is missing")
        return value

    def integer(self, tag: str) -> int | None:
        """A whole number of at most 64 bits."""
        value = self.text(tag)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(digits) > MOST_DIGITS or int(digits) >= BIGGEST:
            raise Malformed(f"{self._at(tag)} is not an integer")
        return int(value)

    def flag(self, tag: str) -> bool | None:
        """A boolean."""
        value = self.text(tag)
        if value is not None and value not in {"true", "false"}:
            raise Malformed(f"{self._at(tag)} is not a boolean")
        return None if value is None else value == "true"

    def time(self, tag: str) -> datetime | None:
        """An ISO 8601 time; UTC where it does not say its zone."""
        value = self.text(tag)
        if value is None:
            return None
        try:
            read = datetime.fromisoformat(value)
        except ValueError as exc:
            raise Malformed(f"{self._at(tag)} is not a time") from exc
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)

    def part(self, tag: str) -> "XmlPart":
        """A child with children of its own."""
        return XmlPart(self._child(tag), self._at(tag))

    def first_text(self, tags: Iterable[str]) -> str | None:
        """The first of these children that has a text."""
        return next((value for value in map(self.text, tags) if value is not None), None)

    def first_time(self, tags: Iterable[str]) -> datetime | None:
        """The first of these children that has a time."""
        return next((value for value in map(self.time, tags) if value is not None), None)

    def __bool__(self) -> bool:
        return self.element is not None

    def _child(self, tag: str) -> "Element | None":
        return None if self.element is None else self.element.find(tag)

    def _at(self, tag: str) -> str:
        return f"{self.path}.{tag}"


def parse_document(payload: str) -> XmlPart:
    """The root element; raises Malformed for what is no XML, and for any DTD or entity: they can read files and fill the memory."""
    try:
        root: Element = fromstring(payload, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as exc:
        raise Malformed("the XML has a DTD or entities, which are refused") from exc
    except (ParseError, ValueError) as exc:
        raise Malformed("the body is not valid XML") from exc
    return XmlPart(root, root.tag)
