"""A merchant's own history of failed payments, read from a file into columns: what models are trained on and policies replayed on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.history_check import Columns, Notes, check, columns_of
from evals.history_columns import ABSENT, Coded, carried_forward
from evals.history_files import read_raw
from evals.history_row import ACCOUNT_FACTS, COLUMNS, TEXTS, HistoryRow, Problem
from recoup.errors import Malformed

MOST_BAD = 0.10
SHOWN_PROBLEMS = 10
# What makes two rows the same event told twice.
IDENTITY = ("account_id", "invoice_id", "kind", "credential_id", "channel", "message_kind", "event")


@dataclass(frozen=True)
class History:
    """The good rows, sorted by account, invoice and time; all arrays are of one length.

    ``words`` has each column of text by its name (``history.words["decline_code"]``). ``at`` and ``customer_since`` are epoch seconds;
    ``amount_minor`` is 0 and ``approved`` false on what is no attempt; ``customer_since`` and ``propensity`` are NaN where nobody told.
    Facts of the account (country, timezone, segment, plan_tier, customer_since) stand on every row from the first one on that told them,
    never before: a row knows nothing that came later. ``lines``: where each row stood in the file. ``problems``: what was left out.
    """

    lines: NDArray[np.int64]
    at: NDArray[np.float64]
    amount_minor: NDArray[np.int64]
    approved: NDArray[np.bool_]
    customer_since: NDArray[np.float64]
    propensity: NDArray[np.float64]
    words: Mapping[str, Coded]
    problems: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def is_attempt(self) -> NDArray[np.bool_]:
        """Where a row is a charge."""
        return self.words["kind"].is_word("attempt")

    @property
    def invoice_starts(self) -> NDArray[np.intp]:
        """The first row of each invoice, in order."""
        return np.flatnonzero(_changes(self.words["account_id"].codes, self.words["invoice_id"].codes))

    @property
    def account_starts(self) -> NDArray[np.intp]:
        """The first row of each account, in order."""
        return np.flatnonzero(_changes(self.words["account_id"].codes))

    def row(self, index: int) -> HistoryRow:
        """One row as a value."""
        is_attempt = self.words["kind"].at(index) == "attempt"
        values: dict[str, Any] = {name: self.words[name].at(index) for name in TEXTS}
        values["at"] = datetime.fromtimestamp(float(self.at[index]), UTC)
        values["amount_minor"] = int(self.amount_minor[index]) if is_attempt else None
        values["approved"] = bool(self.approved[index]) if is_attempt else None
        since, propensity = float(self.customer_since[index]), float(self.propensity[index])
        values["customer_since"] = None if np.isnan(since) else datetime.fromtimestamp(since, UTC)
        values["propensity"] = None if np.isnan(propensity) else propensity
        return HistoryRow(**{name: values[name] for name in COLUMNS})

    def rows(self) -> Iterator[HistoryRow]:
        """All of them."""
        return map(self.row, range(len(self)))


def read_history(path: Path) -> History:
    """The file's good rows, and its bad ones by line. Raises Malformed for one that is no history, and where more than a tenth is bad."""
    raw = read_raw(path)
    columns = columns_of(raw)
    notes = check(columns)
    order = _in_order(columns, notes)
    strangers = [Problem(1, f"column {name!r} is not one of a history file and was left out") for name in raw.strangers]
    problems = (*strangers, *sorted((*raw.problems, *notes.problems()), key=lambda problem: problem.line))
    bad, all_rows = len(notes.by_row) + len(raw.problems), int((~columns.is_blank()).sum()) + len(raw.problems)
    if all_rows == 0:
        raise Malformed(f"{path.name} has no rows")
    if bad > MOST_BAD * all_rows:
        raise Malformed(_too_many(path.name, bad, all_rows, problems))
    return _with_account_facts(_history(columns, order, problems))


def _too_many(name: str, bad: int, all_rows: int, problems: tuple[Problem, ...]) -> str:
    shown = "\n".join(f"  {problem}" for problem in problems[:SHOWN_PROBLEMS])
    more = f"\n  and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    return (
        f"{name}: {bad} of {all_rows} rows are bad, more than {MOST_BAD:.0%}, and what is left would not be your history."
        f" Mend these lines, or the export that made them, by docs/history.md, and try again:\n{shown}{more}"
    )


def _in_order(columns: Columns, notes: Notes) -> NDArray[np.intp]:
    """The good rows by account, invoice and time. Notes rows that tell an event again and those whose currency is another than before."""
    is_bad = columns.is_blank()
    is_bad[list(notes.by_row)] = True
    rows = np.flatnonzero(~is_bad)
    at = columns.numbers["at"].values
    account, invoice, *rest = (columns.words[name].codes for name in IDENTITY)
    # The last key sorts first. Lines come last, so that the first telling of an event is the one that is kept.
    order = rows[np.lexsort([key[rows] for key in (columns.lines, *rest, at, invoice, account)])]
    is_new = _changes(*(key[order] for key in (account, invoice, at, *rest)))
    for place in np.flatnonzero(~is_new).tolist():
        first = int(columns.lines[order[place - 1]])
        notes.by_row[int(order[place])].append(f"tells the same as line {first} again")
    order = order[is_new]
    return order[_keeps_currency(columns, order, notes)]


def _keeps_currency(columns: Columns, order: NDArray[np.intp], notes: Notes) -> NDArray[np.bool_]:
    currency = columns.words["currency"].taken(order)
    starts = _changes(columns.words["account_id"].codes[order], columns.words["invoice_id"].codes[order])
    # The invoice's currency is that of its first row that tells one.
    told = np.flatnonzero(currency.is_told)
    invoice = np.cumsum(starts)
    heads, places = np.unique(invoice[told], return_index=True)
    first = np.full(len(order) + 1, ABSENT, np.int64)
    first[heads] = told[places]
    anchor = first[invoice]
    is_mixed = currency.is_told & (currency.codes != currency.codes[anchor])
    for place in np.flatnonzero(is_mixed).tolist():
        line, before = int(columns.lines[order[anchor[place]]]), currency.at(int(anchor[place]))
        notes.by_row[int(order[place])].append(f"currency {currency.at(place)!r}, but line {line} of the same invoice is in {before!r}")
    return ~is_mixed


def _history(columns: Columns, order: NDArray[np.intp], problems: tuple[Problem, ...]) -> History:
    values = {name: column.values[order] for name, column in columns.numbers.items()}
    words = {name: column.taken(order) for name, column in columns.words.items()}
    is_attempt = words["kind"].is_word("attempt")
    return History(
        lines=columns.lines[order],
        at=values["at"],
        amount_minor=np.where(is_attempt, np.nan_to_num(values["amount_minor"]), 0).astype(np.int64),
        approved=is_attempt & (values["approved"] == 1),
        customer_since=values["customer_since"],
        propensity=values["propensity"],
        words=words,
        problems=problems,
    )


def _with_account_facts(history: History) -> History:
    """What was told of an account on one row holds for its later rows, by time, whichever invoice they are about."""
    account = history.words["account_id"].codes
    by_time = np.lexsort((history.lines, history.at, account))
    starts = _changes(account[by_time])

    def known(values: NDArray[Any], is_told: NDArray[np.bool_]) -> NDArray[Any]:
        filled = np.empty_like(values)
        filled[by_time] = carried_forward(values[by_time], is_told[by_time], starts)
        return filled

    words = dict(history.words)
    for name in ACCOUNT_FACTS:
        if name in words:
            words[name] = Coded(known(words[name].codes, words[name].is_told), words[name].words)
    since = known(history.customer_since, ~np.isnan(history.customer_since))
    kept: dict[str, Any] = {name: value for name, value in vars(history).items() if name not in {"words", "customer_since"}}
    return History(**kept, words=words, customer_since=since)


def _changes(*keys: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a row differs from the one before in any key; the first row does."""
    changed = np.ones(len(keys[0]), np.bool_)
    if len(changed):
        changed[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return changed
