"""What is wrong with the rows of a history file, line by line: an unknown word, a missing id, a time or an amount that is none."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import available_timezones

import numpy as np
from numpy.typing import NDArray

from evals.history_columns import Coded, Numbers, coded, numbers, parse_amount, parse_claim, parse_instant, parse_share, parse_since
from evals.history_files import RawColumns
from evals.history_row import TEXTS, WORDS, Problem
from recoup.errors import Malformed
from recoup.money import checked_currency

Mask = NDArray[np.bool_]
LOWER = frozenset({*WORDS, "brand", "funding"})
UPPER = frozenset({"currency", "country", "card_country"})
PARSERS: dict[str, Callable[[str], float]] = {
    "at": parse_instant,
    "amount_minor": parse_amount,
    "approved": parse_claim,
    "customer_since": parse_since,
    "propensity": parse_share,
}
EXPECTED = {
    "at": "neither an ISO 8601 time with a zone, such as 2026-03-01T09:30:00Z, nor epoch seconds between 2000 and 2100",
    "amount_minor": "not a whole number of minor units",
    "approved": "neither true nor false",
    "customer_since": "neither a day nor a time with a zone",
    "propensity": "not a probability above 0",
}


@dataclass(frozen=True)
class Columns:
    """All columns of a file, taken for what they mean, in the file's order."""

    lines: NDArray[np.int64]
    words: Mapping[str, Coded]
    numbers: Mapping[str, Numbers]

    def is_blank(self) -> Mask:
        """Lines on which nothing stands."""
        told = [column.is_told for column in self.words.values()] + [column.told.is_told for column in self.numbers.values()]
        return ~np.logical_or.reduce(told)


@dataclass
class Notes:
    """What was found wrong so far, by row."""

    columns: Columns
    by_row: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, where: Mask, what: Callable[[int], str] | str) -> None:
        """Notes it for all rows there; ``what`` is told the row."""
        for row in np.flatnonzero(where).tolist():
            self.by_row[row].append(what if isinstance(what, str) else what(row))

    def problems(self) -> Iterator[Problem]:
        """One for each bad line."""
        for row, whats in sorted(self.by_row.items()):
            yield Problem(int(self.columns.lines[row]), "; ".join(whats))


def columns_of(raw: RawColumns) -> Columns:
    """The raw columns, those that the file has not empty."""
    length = len(raw.lines)
    words = {name: coded(raw.texts.get(name), length, _normal(name)) for name in TEXTS}
    return Columns(raw.lines, words, {name: numbers(raw.texts.get(name), length, parse) for name, parse in PARSERS.items()})


def check(columns: Columns) -> Notes:
    """Everything that is wrong with single rows; duplicates and mixed currencies show only in order."""
    notes, words = Notes(columns), columns.words
    told = ~columns.is_blank()
    for name in ("kind", "account_id", "invoice_id"):
        notes.add(told & ~words[name].is_told, f"{name} is missing")
    notes.add(told & ~columns.numbers["at"].told.is_told, "at is missing")
    for name, column in columns.numbers.items():
        notes.add(column.is_unreadable, _quoting(column.told, name, EXPECTED[name]))
    for name, known in WORDS.items():
        notes.add(_none_of(words[name], set(known)), _quoting(words[name], name, f"not one of {', '.join(known)}"))
    _check_attempts(columns, notes)
    messages, events = words["kind"].is_word("message"), words["kind"].is_word("event")
    notes.add(messages & ~words["channel"].is_told, "a message needs its channel")
    notes.add(events & ~words["event"].is_told, "an event needs to say which, in the column event")
    _check_places(words, notes)
    return notes


def _check_attempts(columns: Columns, notes: Notes) -> None:
    words, attempts = columns.words, columns.words["kind"].is_word("attempt")
    amount, approved = columns.numbers["amount_minor"], columns.numbers["approved"]
    notes.add(attempts & ~amount.told.is_told, "an attempt needs its amount_minor")
    notes.add(amount.values < 0, _quoting(amount.told, "amount_minor", "negative"))
    notes.add(attempts & ~words["currency"].is_told, "an attempt needs its currency")
    notes.add(attempts & ~approved.told.is_told, "an attempt needs approved: true or false")
    has_code = words["decline_code"].is_told | words["network_code"].is_told | words["advice_code"].is_told
    notes.add(attempts & has_code & ~words["processor"].is_told, "a code says nothing without its processor")
    notes.add(attempts & (approved.values == 1) & words["decline_code"].is_told, "approved, and yet with a decline_code")
    currencies = {word for word in words["currency"].words if _is_currency(word)}
    notes.add(_none_of(words["currency"], currencies), _quoting(words["currency"], "currency", "not an ISO 4217 code"))
    months = {word for word in words["expires"].words if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", word)}
    notes.add(_none_of(words["expires"], months), _quoting(words["expires"], "expires", "not a month such as 2027-04"))


def _check_places(words: Mapping[str, Coded], notes: Notes) -> None:
    for name in ("country", "card_country"):
        known = {word for word in words[name].words if re.fullmatch(r"[A-Z]{2}", word)}
        notes.add(_none_of(words[name], known), _quoting(words[name], name, "not a country's two letters"))
    zone = words["timezone"]
    if zone.words:
        notes.add(_none_of(zone, available_timezones()), _quoting(zone, "timezone", "not an IANA time zone such as Europe/Berlin"))


def _none_of(column: Coded, known: set[str]) -> Mask:
    """Where a word stands that is not one of the known."""
    is_known = np.fromiter((word in known for word in [*column.words, "absent"]), np.bool_, len(column.words) + 1)
    return column.is_told & ~is_known[column.codes]


def _quoting(column: Coded, name: str, what: str) -> Callable[[int], str]:
    return lambda row: f"{name} {column.at(row)!r} is {what}"


def _normal(name: str) -> Callable[[str], str]:
    if name in LOWER:
        return lambda word: word.strip().lower()
    return (lambda word: word.strip().upper()) if name in UPPER else str.strip


def _is_currency(code: str) -> bool:
    try:
        checked_currency(code)
    except Malformed:
        return False
    return True
