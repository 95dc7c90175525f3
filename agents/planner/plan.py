"""One joint plan for a case: which charges and messages are worth more than they cost, and when. Pure; the same situation, the same plan.

Charges and messages are added one by one, each time the one that adds most: its chance, over everything that may be behind the decline and
has not been caught by what is planned already, times the amount, less what it costs as far as the case will still be open by then. So two
charges are not spent on one payday, a message is held back where a charge is about to succeed, and what is left over is not spent at all.
After every outcome the plan is made anew.
"""

from dataclasses import dataclass, replace

import numpy as np

from agents.planner.belief import Belief
from agents.planner.model import Model
from agents.planner.paydays import Floats, Ints, local_days, since_payday
from agents.planner.situation import DAY, HOUR, Situation
from agents.planner.terms import Option, Plan, Terms

TRIED_LOCAL_HOURS = (1.0, 6.5, 9.0, 14.0, 20.0)
SOON_HOURS = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0, 18.0, 24.0)
WRITTEN_LOCAL_HOUR = 10.0
MOST_SLOTS = 48
SAME_PERIOD_TIMES = 0.3
MESSAGES_APART = 60 * HOUR


@dataclass
class _Board:
    """What may still be chosen, and what has been. ``catch``: of every truth the chance at each slot, one another's failures considered.
    ``left``: of every truth what no chosen charge has caught. ``unmoved``: the share of customers whom no chosen message moves."""

    at: Floats
    catch: Floats
    payday: Ints
    open: Floats
    left: Floats
    unmoved: float
    charges: list[int]
    messages: list[tuple[float, float, float, str]]


def make_plan(situation: Situation, model: Model, terms: Terms) -> Plan:
    """The best next step, what is planned after it, and what else was weighed."""
    belief = model.believe(situation)
    board = _lay_out(situation, belief, model, terms)
    while True:
        charge = _best_charge(board, situation, terms)
        message = _best_message(board, situation, model, terms)
        best = max((c for c in (charge, message) if c is not None and c.value_minor > 0), key=lambda c: c.value_minor, default=None)
        if best is None:
            return _finish(board, situation, terms, charge, message, belief)
        _choose(board, best, belief)


def _lay_out(situation: Situation, belief: Belief, model: Model, terms: Terms) -> _Board:
    at = _slots(situation, terms)
    chances = belief.chances(at)
    if len(at) > MOST_SLOTS:
        kept = np.sort(np.argsort(-(belief.weights @ chances))[:MOST_SLOTS])
        at, chances = at[kept], chances[:, kept]
    if len(at):
        chances = model.correct(belief, at, chances)
    payday = since_payday(local_days(at, situation.offset_hours))[1]
    return _Board(at, chances.copy(), payday, np.ones(len(at)), belief.weights.copy(), 1.0, [], [])


def _slots(situation: Situation, terms: Terms) -> Floats:
    """When a charge may be made: the hours of each day that are left, and soon where something was only away."""
    if not situation.may_retry or terms.attempts_left <= 0:
        return np.empty(0)
    start = max(situation.now, terms.charge_from)
    soon = [start + hours * HOUR for hours in SOON_HOURS]
    midnight = (start / HOUR + situation.offset_hours) // 24 * 24 - situation.offset_hours
    days = [(midnight + 24 * day + hour) * HOUR for day in range(int((terms.end - start) / DAY) + 1) for hour in TRIED_LOCAL_HOURS]
    at = np.unique(np.array([*soon, *days]))
    at = at[(at >= start) & (at < terms.end)]
    if terms.closed_weekdays and len(at):
        weekday = ((at / HOUR + situation.offset_hours) // 24 + 3) % 7
        at = at[~np.isin(weekday, list(terms.closed_weekdays))]
    return at


def _alive(board: _Board, weights: Floats, at: Floats) -> Floats:
    """How likely the case is still open at each time, as the chosen steps go."""
    steps = sorted([(board.at[j], 1 - board.catch[:, j]) for j in board.charges], key=lambda step: step[0])
    left, totals, times = weights, [float(weights.sum())], [step[0] for step in steps]
    for _, missed in steps:
        left = left * missed
        totals.append(float(left.sum()))
    alive = np.array(totals)[np.searchsorted(np.array(times), at, side="left")]
    for sent, moves, loses, _ in board.messages:
        alive = np.where(at > sent, alive * (1 - moves - loses), alive)
    return alive


def _best_charge(board: _Board, situation: Situation, terms: Terms) -> Option | None:
    if not board.open.any() or len(board.charges) >= terms.attempts_left:
        return None
    after_days = (board.at - situation.now) / DAY
    caught = (board.left @ board.catch) * board.unmoved
    alive = _alive(board, board.left if not board.charges else _weights(board), board.at)
    value = situation.amount_minor * caught * (1 - terms.lost_per_day) ** after_days - terms.charge_price(situation.amount_minor) * alive
    best = int(np.argmax(np.where(board.open > 0, value, -np.inf)))
    chance = float(caught[best] / max(alive[best], 1e-9))
    return Option("retry", float(board.at[best]), float(value[best]), min(chance, 1.0), slot=best)


def _weights(board: _Board) -> Floats:
    """What every truth weighed before anything was chosen."""
    missed = np.prod([1 - board.catch[:, j] for j in board.charges], axis=0)
    return board.left / np.maximum(missed, 1e-12)


def _best_message(board: _Board, situation: Situation, model: Model, terms: Terms) -> Option | None:
    if not situation.channels or len(board.messages) + len(situation.written) >= terms.messages_most:
        return None
    start = max(situation.now, terms.write_from)
    midnight = (start / HOUR + situation.offset_hours) // 24 * 24 - situation.offset_hours
    at = np.array([start, *((midnight + 24 * day + WRITTEN_LOCAL_HOUR) * HOUR for day in range(int((terms.end - start) / DAY) + 1))])
    local = (at / HOUR + situation.offset_hours) % 24
    others = [*(w.at for w in situation.written), *(m[0] for m in board.messages)]
    free = (at >= start) & (at < terms.end) & (local >= terms.contact_from_hour) & (local < terms.contact_until_hour)
    for other in others:
        free &= np.abs(at - other) >= MESSAGES_APART
    if not free.any():
        return None
    at = at[free]
    alive, remaining = _alive(board, _weights(board) if board.charges else board.left, at), float(board.left.sum()) * board.unmoved
    ordinal = len(others)
    last = max((o for o in others), default=None)
    found: list[Option] = []
    for channel in situation.channels:
        moved = model.response.moved(at, situation.failed_at, ordinal, channel, needs_customer=situation.needs_customer)
        lost = model.response.lost(at, last, ordinal)
        after = (at - situation.now) / DAY + model.response.delay_days
        in_time = 1 - np.exp(-np.maximum(terms.window_end - at, 0.0) / DAY / model.response.delay_days)
        cost = terms.message_minor.get(channel, 0.0) + lost * situation.amount_minor * terms.customer_worth_invoices
        value = situation.amount_minor * moved * in_time * remaining * (1 - terms.lost_per_day) ** after - cost * alive
        best = int(np.argmax(value))
        found.append(Option("write", float(at[best]), float(value[best]), float(moved[best]), channel=channel, loses=float(lost[best])))
    return max(found, key=lambda option: option.value_minor)


def _choose(board: _Board, option: Option, belief: Belief) -> None:
    if option.kind == "write":
        board.messages.append((option.at, option.chance, option.loses, option.channel or ""))
        board.unmoved *= 1 - option.chance
        return
    j = option.slot
    board.charges.append(j)
    board.left = board.left * (1 - board.catch[:, j])
    lengths = len(belief.prior.ways) // len(board.payday)
    again = np.repeat(board.payday == board.payday[:, j : j + 1], lengths, axis=0)
    later = np.where(again & (board.at > board.at[j])[None, :], SAME_PERIOD_TIMES, 1.0)
    ways = len(belief.prior.ways)
    board.catch[:ways] *= later
    board.open = board.open * (np.abs(board.at - board.at[j]) >= belief_spacing(belief) * HOUR)


def belief_spacing(belief: Belief) -> float:
    """How far apart two charges are planned, in hours: near where something is only away."""
    return 4.0 if belief.share("passing") > 0.5 else 24.0


def _finish(board: _Board, situation: Situation, terms: Terms, charge: Option | None, message: Option | None, belief: Belief) -> Plan:
    weights = _weights(board) if board.charges else board.left
    steps: list[Option] = []
    for j in board.charges:
        at = float(board.at[j])
        alive = float(_alive(board, weights, np.array([at]))[0])
        before = np.prod([1 - board.catch[:, k] for k in board.charges if board.at[k] < board.at[j]], axis=0) * weights
        chance = float(before @ board.catch[:, j] / max(before.sum(), 1e-12)) if board.charges else 0.0
        steps.append(Option("retry", at, alive * (situation.amount_minor * chance - terms.charge_price(situation.amount_minor)), chance))
    for at, moves, loses, channel in board.messages:
        alive = float(_alive(board, weights, np.array([at]))[0])
        cost = terms.message_minor.get(channel, 0.0) + loses * situation.amount_minor * terms.customer_worth_invoices
        steps.append(Option("write", at, alive * (situation.amount_minor * moves - cost), moves, channel=channel, loses=loses))
    ordered = tuple(sorted(steps, key=lambda step: step.at))
    left = [replace(option, value_minor=option.value_minor) for option in (charge, message) if option is not None]
    recovered = 1 - float(board.left.sum()) * board.unmoved
    return Plan(
        steps=ordered,
        left_out=tuple(left),
        recovers=recovered,
        value_minor=sum(step.value_minor for step in ordered),
        gone=belief.share("gone"),
    )
