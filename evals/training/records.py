"""A history's columns as training reads them: numbers only, so that slices of whole customers go to other processes cheaply."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from agents.planner.paydays import Floats
from agents.planner.situation import DAY
from evals.backtest.situations import MONTH_DAYS
from evals.history import History
from evals.history_columns import Coded
from evals.training.issuers import issuer_shares
from evals.training.treated import treated

KINDS = ("attempt", "message", "event")
EVENTS = ("method_updated", "paid_by_link", "cancelled", "replied", "disputed")
CHANNELS = ("email", "sms", "in_app", "push")
BUCKETS = 1000
CUT_SHARE = 0.75


@dataclass(frozen=True)
class Columns:
    """One entry a row, sorted by customer, invoice and time. ``kind``, ``event`` and ``channel`` are places in the tuples above, -1 for
    none; ``account``, ``invoice``, ``credential``, ``brand`` and ``funding`` are codes; ``category`` is a place in ``treated.CATEGORIES``.
    ``bucket``: of the customer, below BUCKETS, by their id alone, so that it is the same whoever else is in the file. ``is_logged``:
    whether its propensity is known. NaN: nobody told.
    """

    account: NDArray[np.int32]
    invoice: NDArray[np.int32]
    at: Floats
    kind: NDArray[np.int8]
    approved: NDArray[np.bool_]
    by_customer: NDArray[np.bool_]
    amount_minor: Floats
    category: NDArray[np.int8]
    needs_customer: NDArray[np.bool_]
    credential: NDArray[np.int32]
    brand: NDArray[np.int32]
    funding: NDArray[np.int32]
    valid_months: Floats
    offset_hours: Floats
    since: Floats
    issuer_share: Floats
    channel: NDArray[np.int8]
    event: NDArray[np.int8]
    bucket: NDArray[np.int16]
    is_logged: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)

    def taken(self, rows: slice | NDArray[Any]) -> "Columns":
        """Some of the rows."""
        return Columns(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class Records:
    """The columns, and what the codes of ``brand`` and ``funding`` stand for. ``only_logged``: learn from no other charges than those
    whose propensity is known, see ``_is_cut_by_logging``."""

    columns: Columns
    brands: tuple[str, ...]
    fundings: tuple[str, ...]
    only_logged: bool = False

    def __len__(self) -> int:
        return len(self.columns)

    def taken(self, rows: slice | NDArray[Any]) -> "Records":
        """Some of the rows."""
        return replace(self, columns=self.columns.taken(rows))

    @property
    def is_retry(self) -> NDArray[np.bool_]:
        """Charges of invoices whose first charge failed, that one left out: those that are learned from."""
        charges = np.flatnonzero(self.columns.kind == KINDS.index("attempt"))
        starts = np.flatnonzero(np.diff(self.columns.invoice[charges], prepend=-1))
        has_failed = np.repeat(~self.columns.approved[charges[starts]], np.diff([*starts.tolist(), len(charges)]))
        has_failed[starts] = False
        found = np.zeros(len(self), np.bool_)
        found[charges[has_failed]] = True
        return found & self.columns.is_logged if self.only_logged else found

    def parts(self, rows: int) -> Iterator["Records"]:
        """Slices of about so many rows that leave customers whole."""
        account = self.columns.account
        starts = np.flatnonzero(np.diff(account, prepend=-1)) if len(account) else np.zeros(0, np.intp)
        begin = 0
        while begin < len(account):
            place = int(np.searchsorted(starts, begin + rows))
            end = int(starts[place]) if place < len(starts) else len(account)
            yield self.taken(slice(begin, end))
            begin = end


def records_of(history: History) -> Records:
    """All rows of a history."""
    words, answers = history.words, treated(history)
    columns = Columns(
        account=words["account_id"].codes,
        invoice=words["invoice_id"].codes,
        at=history.at,
        kind=_places(words["kind"], KINDS),
        approved=history.approved,
        by_customer=words["initiator"].is_word("customer"),
        amount_minor=history.amount_minor.astype(np.float64),
        category=answers.category,
        needs_customer=answers.needs_customer,
        credential=words["credential_id"].codes,
        brand=words["brand"].codes,
        funding=words["funding"].codes,
        valid_months=_valid_months(words["expires"], history.at),
        offset_hours=_offset_hours(words["timezone"], history.at),
        since=history.customer_since,
        issuer_share=issuer_shares(history),
        channel=_places(words["channel"], CHANNELS),
        event=_places(words["event"], EVENTS),
        bucket=_bucket(words["account_id"]),
        is_logged=~np.isnan(history.propensity),
    )
    records = Records(columns, words["brand"].words, words["funding"].words)
    return replace(records, only_logged=_is_cut_by_logging(records))


def _is_cut_by_logging(records: Records) -> bool:
    """Whether customers seem to be in the history because some policy logged what it did with them, and their past is there only beside
    it. They stayed until then: that past, taken for a sample, would teach that cards never die."""
    account, is_retry, is_logged = records.columns.account, records.is_retry, records.columns.is_logged
    others = np.unique(account[is_retry & ~is_logged])
    share = np.isin(others, account[is_logged]).mean() if len(others) else 0.0
    return bool(share >= CUT_SHARE and (is_retry & is_logged).any())


def _places(column: Coded, known: tuple[str, ...]) -> NDArray[np.int8]:
    # Words of rows that were left out stand in the vocabulary too.
    place = np.array([*(known.index(word) if word in known else -1 for word in column.words), -1], np.int8)
    return place[column.codes]


def _bucket(accounts: Coded) -> NDArray[np.int16]:
    buckets = np.array([*(crc32(f"customer {word}".encode()) % BUCKETS for word in accounts.words), 0], np.int16)
    return buckets[accounts.codes]


def _valid_months(expires: Coded, at: Floats) -> Floats:
    """See ``situations.valid_months``."""
    told = set(np.unique(expires.codes).tolist())
    months = [int(word[:4]) * 12 + int(word[5:]) if code in told else 0 for code, word in enumerate(expires.words)]
    last = np.array([*months, 0], np.float64)[expires.codes]
    days = at.astype("datetime64[s]").astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    now = month.astype(np.int64) + 1970 * 12 + 1
    day = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
    return np.where(expires.is_told, last - now + 1 - day / MONTH_DAYS, np.nan)


def _offset_hours(zones: Coded, at: Floats) -> Floats:
    """See ``situations.offset_hours``: that of the local midnight of the UTC day."""
    days = (at // DAY).astype(np.int64)
    _, first, place = np.unique(np.stack([zones.codes.astype(np.int64), days]), axis=1, return_index=True, return_inverse=True)
    found = np.zeros(len(first))
    for number, row in enumerate(first.tolist()):
        name = zones.at(row)
        if name is not None:
            midnight = datetime.fromordinal(int(days[row]) + datetime(1970, 1, 1).toordinal()).replace(tzinfo=ZoneInfo(name))  # noqa: DTZ001
            found[number] = (midnight.utcoffset() or timedelta()).total_seconds() / 3600
    return found[place.ravel()] if len(at) else np.zeros(0)
