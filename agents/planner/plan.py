"""One joint plan for a case: which charges and messages are worth more than they cost, and when. Pure; the same situation, the same plan.

Steps are added one by one, each time the one that adds most to the value of the whole. What a step adds is exact for the plan at hand:
under every truth that may be behind the decline, how likely the case is still open by then, times what the step brings more than the later
steps would have brought anyway, less its price. So no two charges are spent on one payday, a message is held back where a charge is about
to succeed, what is left of the budget keeps its worth, and nothing is done that does not pay. After every outcome the plan is made anew.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.planner.belief import Belief
from agents.planner.model import Model
from agents.planner.paydays import Floats, Ints
from agents.planner.situation import DAY, HOUR, Situation
from agents.planner.slots import MESSAGES_APART_HOURS, charge_times, message_times
from agents.planner.terms import Kind, Option, Plan, Terms

MOST_CHARGE_TIMES = 48
# Once a charge has failed in a pay period, so much is left of the chance of another in the same one.
SAME_PERIOD_TIMES = 0.3
TOO_UNLIKELY = 5e-4  # truths of less weight are left out of a plan
APART_HOURS, APART_HOURS_WHERE_AWAY = 60.0, 4.0


@dataclass(frozen=True)
class _Step:
    """A chosen step. ``brings``: under every truth, how likely it brings the money; ``payday``: of a charge, which one came before it."""

    kind: Kind
    at: float
    brings: Floats
    loses: float
    price: float
    chance: float
    channel: str | None = None
    payday: Ints | None = None


@dataclass
class _Board:
    """The charges that may still be chosen, and the steps that have been, in the order of time.

    ``brings``: one row a truth, one column a time, the chosen charges' failures considered; ``alone``: before anything was chosen.
    ``payday``: of every truth and time, which payday came before; -1 where there is none.
    """

    situation: Situation
    terms: Terms
    weights: Floats
    at: Floats
    brings: Floats
    alone: Floats
    payday: Ints
    apart: float
    open: NDArray[np.bool_]
    steps: list[_Step] = field(default_factory=list[_Step])


def make_plan(situation: Situation, model: Model, terms: Terms) -> Plan:
    """The best next step, what is planned after it, and what was weighed and left out."""
    belief = model.believe(situation)
    board = _lay_out(belief, model, terms)
    while True:
        spans = _spans(board)
        options = [option for option in (_best_charge(board, spans), _best_message(board, spans, model)) if option]
        best = max(options, key=lambda option: option[0], default=None)
        if best is None or best[0] <= 0:
            return _told(board, belief, options)
        _choose(board, best[1])


def _lay_out(belief: Belief, model: Model, terms: Terms) -> _Board:
    situation = belief.situation
    at = charge_times(situation, terms)
    chances = belief.chances(at)
    if len(at) > MOST_CHARGE_TIMES:
        kept = np.sort(np.argsort(-(belief.weights @ chances) * _in_time(at, situation, terms))[:MOST_CHARGE_TIMES])
        at, chances = at[kept], chances[:, kept]
    if len(at):
        chances = model.correct(belief, at, chances)
    apart = APART_HOURS_WHERE_AWAY if belief.share("passing") > 0.5 else APART_HOURS
    truths = np.flatnonzero(belief.weights > TOO_UNLIKELY)
    weights = belief.weights[truths] / belief.weights[truths].sum()
    return _Board(
        situation,
        terms,
        weights,
        at,
        chances[truths],
        chances[truths],
        belief.paydays(at)[truths],
        apart * HOUR,
        np.ones(len(at), dtype=bool),
    )


def _in_time(at: Floats, situation: Situation, terms: Terms) -> Floats:
    """What is left of money that comes at a time, for having been waited for."""
    return (1 - terms.lost_per_day) ** ((at - situation.now) / DAY)


class _Spans(NamedTuple):
    """The time between the chosen steps: before the first, and after each. ``open``: under every truth, how likely the case is still open
    then; ``later``: what the steps that follow are worth to one that is. One column a span."""

    begin: Floats
    open: Floats
    later: Floats


def _spans(board: _Board) -> _Spans:
    still_open, later = [board.weights], [np.zeros_like(board.weights)]
    kept = [(1 - step.brings) * (1 - step.loses) for step in board.steps]
    begin = np.array([step.at for step in board.steps])
    worth = board.situation.amount_minor * _in_time(begin, board.situation, board.terms)
    for step_kept in kept:
        still_open.append(still_open[-1] * step_kept)
    for step, step_kept, step_worth in zip(reversed(board.steps), reversed(kept), worth[::-1], strict=True):
        later.append(step.brings * step_worth - step.price + step_kept * later[-1])
    return _Spans(begin, np.array(still_open).T, np.array(later[::-1]).T)


def _gains(board: _Board, spans: _Spans, at: Floats, brings: Floats, loses: Floats, price: Floats) -> Floats:
    """What one more step at each time would add to the plan."""
    place = np.searchsorted(spans.begin, at, side="left")
    alive, without = spans.open[:, place], spans.later[:, place]
    worth = board.situation.amount_minor * _in_time(at, board.situation, board.terms)
    return (alive * (brings * (worth - without) - loses * without)).sum(axis=0) - price * alive.sum(axis=0)


def _best_charge(board: _Board, spans: _Spans) -> tuple[float, _Step] | None:
    charges = sum(step.kind == "retry" for step in board.steps)
    if not board.open.any() or charges >= board.terms.attempts_left:
        return None
    nothing, price = np.zeros(len(board.at)), board.terms.charge_price(board.situation.amount_minor)
    gains = np.where(board.open, _gains(board, spans, board.at, board.brings, nothing, nothing + price), -np.inf)
    best = int(np.argmax(gains))
    brings = board.brings[:, best]
    return float(gains[best]), _Step(
        "retry", float(board.at[best]), brings, 0.0, price, float(board.weights @ brings), payday=board.payday[:, best]
    )


def _best_message(board: _Board, spans: _Spans, model: Model) -> tuple[float, _Step] | None:
    situation, terms, response = board.situation, board.terms, model.response
    before = [*(w.at for w in situation.written), *(step.at for step in board.steps if step.kind == "write")]
    if not situation.channels or len(before) >= terms.messages_most:
        return None
    at = message_times(situation, terms)
    for other in before:
        at = at[np.abs(at - other) >= MESSAGES_APART_HOURS * HOUR]
    if not len(at):
        return None
    found: list[tuple[float, _Step]] = []
    in_window = 1 - np.exp(-np.maximum(terms.window_end - at, 0.0) / DAY / response.delay_days)
    for channel in situation.channels:
        moves = response.moved(at, situation.failed_at, len(before), channel, needs_customer=situation.needs_customer) * in_window
        loses = response.lost(at, max(before, default=None), len(before), channel)
        price = terms.message_minor.get(channel, 0.0) + loses * terms.customer_worth_invoices * situation.amount_minor
        gains = _gains(board, spans, at, moves, loses, price)
        best = int(np.argmax(gains))
        brings = np.full(len(board.weights), moves[best])
        step = _Step("write", float(at[best]), brings, float(loses[best]), float(price[best]), float(moves[best]), channel)
        found.append((float(gains[best]), step))
    return max(found, key=lambda option: option[0])


def _choose(board: _Board, step: _Step) -> None:
    board.steps = sorted([*(_after(step, other) for other in board.steps), step], key=lambda s: s.at)
    if step.kind == "write":
        return
    chosen = int(np.argmin(np.abs(board.at - step.at)))
    board.open &= np.abs(board.at - step.at) >= board.apart
    of_chosen = board.payday[:, chosen : chosen + 1]
    again = (board.payday == of_chosen) & (of_chosen >= 0) & (board.at > step.at)[None, :]
    board.brings = np.where(again, board.brings * SAME_PERIOD_TIMES, board.brings)


def _after(step: _Step, other: _Step) -> _Step:
    """``other``, which was chosen before; where it comes after ``step`` in the same pay period, it counts with that charge failed."""
    if step.payday is None or other.payday is None or other.at < step.at:
        return other
    same = (other.payday == step.payday) & (step.payday >= 0)
    return replace(other, brings=np.where(same, other.brings * SAME_PERIOD_TIMES, other.brings))


def _told(board: _Board, belief: Belief, left_out: list[tuple[float, _Step]]) -> Plan:
    """The plan in numbers of whole cases, every step's chance as it stands when the case is still open by then."""
    spans = _spans(board)
    steps: list[Option] = []
    for number, step in enumerate(board.steps):
        alive = spans.open[:, number]
        total = float(alive.sum())
        chance = float(alive @ step.brings) / max(total, 1e-12)
        steps.append(
            Option(step.kind, step.at, total * (board.situation.amount_minor * chance - step.price), chance, step.channel, step.loses)
        )
    others = tuple(_option(gain, step) for gain, step in left_out)
    recovers = sum(float(spans.open[:, number] @ step.brings) for number, step in enumerate(board.steps))
    return Plan(tuple(steps), others, _choices(board), recovers, float(board.weights @ spans.later[:, 0]), belief.share("gone"))


def _choices(board: _Board) -> tuple[Option, ...]:
    """When the first charge could be made as well: the best time of each day, the other steps left as they are."""
    charges = [step for step in board.steps if step.kind == "retry"]
    if not charges:
        return ()
    others = [step for step in board.steps if step is not charges[0]]
    without = replace(board, steps=others)
    nothing = np.zeros(len(board.at))
    price = nothing + board.terms.charge_price(board.situation.amount_minor)
    gains = _gains(without, _spans(without), board.at, board.alone, nothing, price)
    far = np.all([np.abs(board.at - step.at) >= board.apart for step in charges[1:]], axis=0) | (board.at == charges[0].at)
    chances = board.weights @ board.alone
    best_of_day: dict[int, int] = {}
    for number in np.flatnonzero(far & (gains > 0)):
        day = int((board.at[number] / HOUR + board.situation.offset_hours) // 24)
        if day not in best_of_day or gains[number] > gains[best_of_day[day]]:
            best_of_day[day] = int(number)
    found = [Option("retry", float(board.at[n]), float(gains[n]), float(chances[n])) for n in best_of_day.values()]
    return tuple(sorted(found, key=lambda option: -option.value_minor))


def _option(gain: float, step: _Step) -> Option:
    return Option(step.kind, step.at, gain, step.chance, step.channel, step.loses)
