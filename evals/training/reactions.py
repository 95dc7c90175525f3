"""What a merchant's messages did: who paid, changed the card or left soon after one, against how many do so without any.

Each figure of the published response is moved by a factor, (k + seen) / (k + expected): few messages move it little.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from agents.planner.paydays import Floats
from agents.planner.response import Response
from agents.planner.situation import DAY
from evals.training.episodes import ATTEMPT, MESSAGE, OVER
from evals.training.records import CHANNELS, EVENTS, Records
from tools.sandbox.protocol import WINDOW

FOLLOWED_DAYS = 4.0  # so long what a customer does is put down to the message
EXPECTED_MOVES, EXPECTED_LOSSES = 20.0, 10.0  # what is published counts as so many
KNOWN_DAYS = 300.0  # and the rate of all days without a message as so many of each kind
DAY_ENDS = np.array([3.0, 7.0, 14.0])
ROUNDS = 20
LEAST_DELAY = 0.05
MOVES = frozenset(EVENTS.index(event) for event in ("method_updated", "paid_by_link"))
LOSSES = frozenset({EVENTS.index("cancelled")})
FIRST_CHANNEL = "email"


@dataclass(frozen=True, slots=True)
class Case:
    """A failed invoice until it was settled or no longer watched; times are days since its failure."""

    needs_customer: bool
    closed: float
    messages: tuple[tuple[float, str], ...]
    moved: float | None
    lost: float | None


@dataclass(frozen=True)
class Heard:
    """One entry a message. ``days``: how long what followed was watched. ``moved`` and ``lost``: what followed, less what would have come
    anyway; ``waited``: the days until they moved, less those of what would have come anyway."""

    after: Floats
    ordinal: Floats
    needs_customer: Floats
    channel: tuple[str, ...]
    soon: Floats
    days: Floats
    moved: Floats
    lost: Floats
    waited: Floats


def fit_response(records: Records, published: Response) -> tuple[Response, int]:
    """The response moved by the messages of a history, and by how many."""
    cases = list(cases_of(records))
    heard = _heard(cases)
    if not len(heard.after):
        return published, 0
    delay = (EXPECTED_MOVES * published.delay_days + heard.waited.sum()) / (EXPECTED_MOVES + heard.moved.sum())
    return _moved(heard, replace(published, delay_days=float(np.clip(delay, LEAST_DELAY, FOLLOWED_DAYS)))), len(heard.after)


def cases_of(records: Records) -> Iterator[Case]:
    """Every invoice whose first charge failed. Where the history was cut by what was logged, only those that somebody watched: of a past
    that is there beside them nobody wrote down what customers did."""
    columns = records.columns
    end = float(columns.at.max()) if len(columns) else 0.0
    rows = map(_Row, *(getattr(columns, name).tolist() for name in _Row._fields))
    for _, group in groupby(rows, key=lambda row: row.account):
        invoices = [list(of_invoice) for _, of_invoice in groupby(group, key=lambda row: row.invoice)]
        newest = max(row.at for of_invoice in invoices for row in of_invoice[:1])
        for of_invoice in invoices:
            first = next((row for row in of_invoice if row.kind == ATTEMPT), None)
            is_watched = not records.only_logged or of_invoice[0].at == newest or any(row.is_logged for row in of_invoice)
            if first is not None and not first.approved and is_watched:
                yield _case([row for row in of_invoice if row.at >= first.at], first, end)


class _Row(NamedTuple):
    account: int
    invoice: int
    at: float
    kind: int
    approved: bool
    by_customer: bool
    needs_customer: bool
    channel: int
    event: int
    is_logged: bool


def _case(rows: list[_Row], first: _Row, end: float) -> Case:
    closed, messages = min((end - first.at) / DAY, WINDOW.total_seconds() / DAY), list[tuple[float, str]]()
    moved = lost = None
    for row in rows:
        day = (row.at - first.at) / DAY
        if day > closed:
            break
        if row.kind == MESSAGE:
            messages.append((day, CHANNELS[row.channel]))
        if row.approved or row.event in OVER or row.event in MOVES:
            closed = day
            is_own = row.event in MOVES or (row.approved and row.by_customer)
            moved, lost = (day if is_own else None), (day if row.event in LOSSES else None)
            break
    return Case(first.needs_customer, closed, tuple(messages), moved, lost)


def _heard(cases: list[Case]) -> Heard:
    moves, losses = _rates_without(cases)
    rows: list[tuple[float, ...]] = []
    channels: list[str] = []
    for case in cases:
        for number, (day, channel) in enumerate(case.messages):
            following = case.messages[number + 1][0] if number + 1 < len(case.messages) else case.closed
            until = min(day + FOLLOWED_DAYS, following, case.closed)
            kind = (int(case.needs_customer), int(np.searchsorted(DAY_ENDS, day, side="right")))
            came = [float(at is not None and day <= at <= until) - rate[kind] * (until - day) for at, rate in _both(case, moves, losses)]
            since = day - case.messages[number - 1][0] if number else np.inf
            waited = case.moved - day if case.moved is not None and day <= case.moved <= until else 0.0
            rows.append((day, number, case.needs_customer, since, until - day, *came, waited - moves[kind] * (until - day) ** 2 / 2))
            channels.append(channel)
    after, ordinal, needs, since, days, moved, lost, waited = np.array(rows, dtype=np.float64).reshape(-1, 8).T
    return Heard(after, ordinal, needs, tuple(channels), since, days, moved, lost, waited)


def _both(case: Case, moves: Floats, losses: Floats) -> tuple[tuple[float | None, Floats], tuple[float | None, Floats]]:
    return (case.moved, moves), (case.lost, losses)


def _rates_without(cases: list[Case]) -> tuple[Floats, Floats]:
    """How often customers act on a day on which no message is fresh: by whether only they can mend it, and by the day since the failure."""
    days, moves, losses = (np.zeros((2, len(DAY_ENDS) + 1)) for _ in range(3))
    ends = (0.0, *DAY_ENDS.tolist(), np.inf)
    for case in cases:
        fresh = [(day, day + FOLLOWED_DAYS) for day, _ in case.messages]
        row = int(case.needs_customer)
        for place in range(len(DAY_ENDS) + 1):
            days[row, place] += _outside(ends[place], min(ends[place + 1], case.closed), fresh)
        for at, count in ((case.moved, moves), (case.lost, losses)):
            if at is not None and not any(begin <= at <= end for begin, end in fresh):
                count[row, int(np.searchsorted(DAY_ENDS, at, side="right"))] += 1
    total = max(days.sum(), 1.0)
    by_kind = [(count + KNOWN_DAYS * count.sum() / total) / (days + KNOWN_DAYS) for count in (moves, losses)]
    return by_kind[0], by_kind[1]


def _outside(begin: float, end: float, spans: list[tuple[float, float]]) -> float:
    """How much of [begin, end] lies in none of the spans, which ascend."""
    free, at = 0.0, begin
    for start, stop in spans:
        if start >= end:
            break
        free += max(start - at, 0.0)
        at = max(at, stop)
    return free + max(end - at, 0.0)


def _moved(heard: Heard, published: Response) -> Response:
    knots = np.abs(heard.after[:, None] - np.array(published.days)[None, :]).argmin(axis=1)
    channel = np.array(heard.channel)
    needs = heard.needs_customer > 0
    groups = {"all": np.ones(len(knots), bool), "needs": needs} | {f"knot {k}": knots == k for k in range(len(published.days))}
    groups |= {name: channel == name for name in published.other_channel_times}
    expected = _expected(heard, published)
    factor = dict.fromkeys(groups, 1.0)
    for _ in range(ROUNDS):
        for name, there in groups.items():
            seen = max(float(heard.moved[there].sum()), 0.0)
            others = float(expected[there].sum()) / factor[name]
            now = (EXPECTED_MOVES + seen) / (EXPECTED_MOVES + others)
            expected[there] *= now / factor[name]
            factor[name] = now
    lost = (EXPECTED_LOSSES + max(float(heard.lost.sum()), 0.0)) / (EXPECTED_LOSSES + float(_expected_losses(heard, published).sum()))
    return replace(
        published,
        moves=tuple(float(share * factor["all"] * factor[f"knot {k}"]) for k, share in enumerate(published.moves)),
        needed_times=float(published.needed_times * factor["needs"]),
        other_channel_times={name: float(times * factor[name]) for name, times in published.other_channel_times.items()},
        annoyed=float(published.annoyed * lost),
    )


def _expected(heard: Heard, published: Response) -> Floats:
    """How many each message should have moved while it was watched, as published."""
    share = np.interp(heard.after, published.days, published.moves) * published.tired_times**heard.ordinal
    share = share * np.where(heard.needs_customer > 0, published.needed_times, 1.0)
    times = {FIRST_CHANNEL: 1.0, **published.other_channel_times}
    return share * np.array([times.get(name, 1.0) for name in heard.channel]) * _in_time(heard, published)


def _expected_losses(heard: Heard, published: Response) -> Floats:
    is_soon = heard.soon * 24 < published.soon_hours
    share = published.annoyed * published.annoyed_more_times**heard.ordinal * np.where(is_soon, published.annoyed_soon_times, 1.0)
    return share * _in_time(heard, published)


def _in_time(heard: Heard, published: Response) -> Floats:
    return 1 - np.exp(-heard.days / published.delay_days)
