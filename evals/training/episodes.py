"""Every retry of a history as an example: the situation exactly as it was known just before, and whether the charge was approved."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from math import isnan
from typing import NamedTuple

import numpy as np

from agents.planner.situation import DAY, Past, Situation, Tried, Written
from evals.backtest.situations import JUST_BEFORE
from evals.training.records import CHANNELS, EVENTS, KINDS, Records
from evals.training.treated import CATEGORIES

ATTEMPT, MESSAGE, EVENT = (KINDS.index(kind) for kind in ("attempt", "message", "event"))
UPDATED, REPLIED = EVENTS.index("method_updated"), EVENTS.index("replied")
OVER = frozenset(EVENTS.index(event) for event in ("paid_by_link", "cancelled", "disputed"))


@dataclass(frozen=True, slots=True)
class Example:
    """A retry at ``situation.now``. ``case`` and ``account`` are codes of the history, ``bucket`` the customer's."""

    situation: Situation
    approved: bool
    case: int
    account: int
    bucket: int


def examples_of(records: Records) -> Iterator[Example]:
    """The retries, by customer, invoice and time, of each invoice whose first charge failed: those after it that a merchant made.

    Once an invoice is paid or the debt is gone, nothing that follows is an example.
    """
    account = records.columns.account
    starts = [*np.flatnonzero(np.diff(account, prepend=-1)).tolist(), len(account)]
    for begin, end in pairwise(starts):
        yield from _of_customer(_Rows(records, begin, end), records)


class _Opened(NamedTuple):
    """What holds for a whole case."""

    failed_at: float
    past: tuple[Past, ...]
    usual_amount_minor: float | None


class _Rows:
    """The rows of one customer as plain lists: reading single numbers of arrays is slow."""

    def __init__(self, records: Records, begin: int, end: int) -> None:
        columns = records.columns.taken(slice(begin, end))
        self.columns = columns
        self.at: list[float] = columns.at.tolist()
        self.kind: list[int] = columns.kind.tolist()
        self.invoice: list[int] = columns.invoice.tolist()
        self.approved: list[bool] = columns.approved.tolist()
        self.by_customer: list[bool] = columns.by_customer.tolist()
        self.category: list[int] = columns.category.tolist()
        self.credential: list[int] = columns.credential.tolist()
        self.amount: list[float] = columns.amount_minor.tolist()
        self.event: list[int] = columns.event.tolist()
        self.channel: list[int] = columns.channel.tolist()


def _of_customer(rows: _Rows, records: Records) -> Iterator[Example]:
    charges = sorted((row for row, kind in enumerate(rows.kind) if kind == ATTEMPT), key=lambda row: rows.at[row])
    seen: set[int] = set()
    past: list[Past] = []
    for row in charges:
        category = CATEGORIES[rows.category[row]] if not rows.approved[row] else None
        past.append(Past(rows.at[row], rows.approved[row], rows.invoice[row] in seen, category))
        seen.add(rows.invoice[row])
    times = [one.at for one in past]
    for _, group in groupby(range(len(rows.at)), key=lambda row: rows.invoice[row]):
        of_invoice = list(group)
        tried = [row for row in of_invoice if rows.kind[row] == ATTEMPT]
        if len(tried) > 1 and not rows.approved[tried[0]]:
            before = bisect_left(times, rows.at[tried[0]])
            amounts = sorted(rows.amount[row] for row in charges[:before])
            usual = amounts[len(amounts) // 2] if amounts else None
            yield from _of_invoice(rows, records, of_invoice, tried, _Opened(rows.at[tried[0]], tuple(past[:before]), usual))


def _of_invoice(rows: _Rows, records: Records, of_invoice: list[int], tried: list[int], opened: _Opened) -> Iterator[Example]:
    columns = rows.columns
    for row in tried[1:]:
        now = rows.at[row]
        earlier = [r for r in of_invoice if rows.at[r] < now]
        if any(rows.approved[r] or rows.event[r] in OVER for r in earlier):
            return
        is_first = all(rows.kind[r] != ATTEMPT for r in earlier)
        if rows.by_customer[row] or is_first or (records.only_logged and not columns.is_logged[row]):
            continue
        yield Example(
            _known(rows, records, row, of_invoice, opened),
            rows.approved[row],
            case=rows.invoice[row],
            account=int(columns.account[row]),
            bucket=int(columns.bucket[row]),
        )


def _updated_at(rows: _Rows, of_invoice: list[int], now: float, opened: _Opened) -> float | None:
    """When the method was last changed since the failure; just before the charge where it was tried at that very instant."""
    told = [rows.at[r] for r in of_invoice if rows.event[r] == UPDATED and opened.failed_at <= rows.at[r] <= now]
    if not told:
        return None
    is_tried_then = any(rows.kind[r] == ATTEMPT and rows.at[r] == told[-1] < now for r in of_invoice)
    at = datetime.fromtimestamp(told[-1], UTC)
    return (at - JUST_BEFORE if is_tried_then else at).timestamp()


def _known(rows: _Rows, records: Records, row: int, of_invoice: list[int], opened: _Opened) -> Situation:
    """What was known when ``row`` was charged: what the invoice's earlier rows told, and what was on file."""
    columns, now = rows.columns, rows.at[row]
    earlier = [r for r in of_invoice if rows.at[r] < now]
    before = [r for r in earlier if rows.kind[r] == ATTEMPT]
    last = before[-1]
    updated_at = _updated_at(rows, of_invoice, now, opened)
    if rows.credential[row] != rows.credential[last] and (updated_at is None or updated_at < rows.at[last]):
        updated_at = rows.at[last]  # another method is charged, and nobody told since when: since the last charge at the latest
    replies = [rows.at[r] for r in earlier if rows.event[r] == REPLIED]
    written = tuple(Written(rows.at[r], CHANNELS[rows.channel[r]]) for r in earlier if rows.kind[r] == MESSAGE)
    since, months, share = float(columns.since[row]), float(columns.valid_months[row]), float(columns.issuer_share[row])
    brand, funding = int(columns.brand[row]), int(columns.funding[row])
    return Situation(
        now=now,
        failed_at=opened.failed_at,
        amount_minor=rows.amount[row],
        category=CATEGORIES[rows.category[last]],
        tries=tuple(Tried(rows.at[r], CATEGORIES[rows.category[r]]) for r in before),
        past=opened.past,
        written=written,
        offset_hours=float(columns.offset_hours[row]),
        updated_at=updated_at,
        needs_customer=bool(columns.needs_customer[last]),
        usual_amount_minor=opened.usual_amount_minor,
        tenure_days=None if isnan(since) else (now - since) / DAY,
        valid_months=None if isnan(months) else months,
        funding=records.fundings[funding] if funding >= 0 else None,
        brand=records.brands[brand] if brand >= 0 else None,
        # Half of the customers come without, so that the trees know both: not everybody who decides knows other customers' charges.
        issuer_share=None if isnan(share) or int(columns.bucket[row]) % 2 else share,
        replied_at=replies[-1] if replies else None,
    )
