"""A model of a history: weights, response, trees and certainty, each as far as the data speak for it, and how good all that is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.planner.features import NAMES
from agents.planner.hours import Hours, fit_hours
from agents.planner.model import Model, Spread, cold_model, model_text, name_of
from agents.planner.situation import HOUR
from agents.planner.trees import Trees
from evals.history import History
from evals.training.boosting import chances, grow, grow_until
from evals.training.certainty import spread_of
from evals.training.measures import Measured, category_rates, measure
from evals.training.reactions import fit_response
from evals.training.records import BUCKETS, KINDS, Records, records_of
from evals.training.splits import EARLIER_SHARE, STOPS, UNSEEN, Split, fold_of, split
from evals.training.tables import Table, table_of
from evals.training.weights import fit_weights

# More retries than these teach no more worth waiting for: whole customers are left out.
MOST_EXAMPLES, MOST_FOR_WEIGHTS, MOST_FOR_SPREAD = 150_000, 40_000, 40_000
PROCESSES = 2


@dataclass(frozen=True)
class Trained:
    """``measured``: by the name of what was kept back, on a model that had not seen it; ``gain``: of the trees in the model, by feature.
    ``retries``: all of the history, of those with a known propensity where ``only_logged``; ``examples``: those that were looked at;
    ``courses`` and ``messages``: what moved the weights and the response. ``cutoff`` and the span are POSIX seconds.
    """

    model: Model
    measured: Mapping[str, Measured]
    gain: Mapping[str, float]
    rows: int
    customers: int
    only_logged: bool
    retries: int
    examples: int
    courses: int
    messages: int
    span: tuple[float, float]
    cutoff: float


def train(history: History, processes: int = PROCESSES) -> Trained:
    """The model, the same for the same history. With nothing to learn from it is the published one."""
    records, cold = records_of(history), cold_model()
    is_retry = records.is_retry
    retries, at = int(is_retry.sum()), records.columns.at
    cutoff = float(np.quantile(at[is_retry], EARLIER_SHARE)) if retries else 0.0
    fold = fold_of(records.columns.bucket)
    taught = records.taken((fold != UNSEEN) & (fold != STOPS) & _within(records, retries, MOST_FOR_WEIGHTS))
    prior, courses = fit_weights(taught, cold.prior, cutoff, processes)
    response, messages = fit_response(records, cold.response)
    table = table_of(records.taken(_within(records, retries, MOST_EXAMPLES)), prior, cutoff, processes)
    parts = split(table.bucket, table.at, cutoff)
    judged = grow_until(table.taken(parts.fit), table.taken(parts.stop))
    grown = grow(table, judged.count)
    trained = Trained(
        model=replace(
            cold,
            prior=prior,
            response=response,
            trees=grown.trees,
            spread=_spread(table, parts, grown.trees, judged.trees),
            hours=_hours(records),
        ),
        measured=_measured(table, parts, judged.trees),
        gain=dict(zip(NAMES, grown.gain.tolist(), strict=True)),
        rows=len(records),
        customers=len(np.unique(records.columns.account)),
        only_logged=records.only_logged,
        retries=retries,
        examples=len(table),
        courses=courses,
        messages=messages,
        span=(float(at.min()), float(at.max())) if len(at) else (0.0, 0.0),
        cutoff=cutoff,
    )
    return replace(trained, model=_named(trained)) if courses or messages else replace(trained, model=cold)


def _hours(records: Records) -> Hours:
    """Of charges that are no retries, which are made at the hour at which somebody once signed up."""
    columns = records.columns
    is_first = (columns.kind == KINDS.index("attempt")) & (np.diff(columns.invoice, prepend=-1) != 0)
    return fit_hours((columns.at[is_first] / HOUR + columns.offset_hours[is_first]) % 24, columns.approved[is_first].astype(np.float64))


def _named(trained: Trained) -> Model:
    """The model with what it was trained on, under its name."""
    told = {
        "rows": trained.rows,
        "customers": trained.customers,
        "retries": trained.retries,
        "courses": trained.courses,
        "messages": trained.messages,
        "trees": len(trained.model.trees.roots),
        "from": trained.span[0],
        "to": trained.span[1],
        "skill": {name: round(one.skill, 6) for name, one in trained.measured.items()},
        "calibration_error": {name: round(one.calibration.error, 6) for name, one in trained.measured.items() if one.calibration},
    }
    model = replace(trained.model, told=told)
    return replace(model, name=name_of(model_text(model)))


def _measured(table: Table, parts: Split, trees: Trees) -> dict[str, Measured]:
    rates = category_rates(table.taken(parts.fit))
    kept_back = {"customers": parts.customers, "later": parts.later, "both": parts.both}
    found = {name: measure(some := table.taken(rows), chances(some, trees), rates) for name, rows in kept_back.items()}
    return {name: one for name, one in found.items() if one is not None}


def _spread(table: Table, parts: Split, trees: Trees, judged: Trees) -> Spread:
    kept_back = table.taken(parts.customers | parts.both)
    every = max(1, len(table) // MOST_FOR_SPREAD)
    some = table.taken(np.arange(len(table)) % every == 0)
    return spread_of(chances(some, trees), every, kept_back, chances(kept_back, judged))


def _within(records: Records, retries: int, most: int) -> NDArray[np.bool_]:
    """Rows of as many customers as have about so many retries."""
    return records.columns.bucket < BUCKETS * min(1.0, most / max(retries, 1))
