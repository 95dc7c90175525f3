"""The trees that correct the prior, grown by LightGBM, which is only needed to train: whoever decides reads plain numbers."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from agents.planner.features import NAMES
from agents.planner.paydays import Floats
from agents.planner.trees import NO_TREES, Trees, trees_of
from evals.training.tables import Table
from recoup.errors import Misconfigured

MOST_TREES, PATIENCE = 120, 15
FEWEST_EXAMPLES, EXAMPLES_A_TREE = 500, 25
THREADS = 2
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.08,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Grown:
    """``gain``: by feature, how much its splits took off the loss."""

    trees: Trees
    gain: Floats

    @property
    def count(self) -> int:
        """How many trees."""
        return len(self.trees.roots)


NOTHING_GROWN = Grown(NO_TREES, np.zeros(len(NAMES)))


def grow(table: Table, rounds: int, threads: int = THREADS) -> Grown:
    """So many trees on what the prior leaves over."""
    return NOTHING_GROWN if rounds == 0 else _grown(_lightgbm().train(_parameters(len(table), threads), _dataset(table), rounds))


def grow_until(table: Table, others: Table, threads: int = THREADS) -> Grown:
    """As many trees as make ``others`` likelier; none where there are too few examples, or where even the first makes them less likely."""
    if len(table) < FEWEST_EXAMPLES or not len(others):
        return NOTHING_GROWN
    lightgbm, data = _lightgbm(), _dataset(table)
    booster = lightgbm.train(
        _parameters(len(table), threads),
        data,
        min(MOST_TREES, len(table) // EXAMPLES_A_TREE),
        valid_sets=[_dataset(others, data)],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    grown = _grown(booster, int(booster.best_iteration) or booster.current_iteration())
    return grown if _gains(others, grown.trees) else NOTHING_GROWN


def chances(table: Table, trees: Trees) -> Floats:
    """What the model makes of each example."""
    logit = table.prior_logit.copy()
    for begin in range(0, len(table), 20_000):
        logit[begin : begin + 20_000] += trees.add(table.features[begin : begin + 20_000])
    return 1 / (1 + np.exp(-logit))


def _gains(others: Table, trees: Trees) -> bool:
    before, after = (_loss(chances(others, some), others) for some in (NO_TREES, trees))
    return after < before


def _loss(chance: Floats, table: Table) -> float:
    return float(-np.log(np.clip(np.where(table.approved, chance, 1 - chance), 1e-9, 1.0)).mean())


def _parameters(examples: int, threads: int) -> dict[str, Any]:
    return PARAMETERS | {"num_threads": threads, "min_data_in_leaf": int(min(PARAMETERS["min_data_in_leaf"], max(30, examples // 50)))}


def _dataset(table: Table, like: Any = None) -> Any:
    return _lightgbm().Dataset(
        table.features,
        label=table.approved.astype(np.float64),
        init_score=table.prior_logit,
        reference=like,
        feature_name=list(NAMES),
        params={"verbosity": -1},
        free_raw_data=False,
    )


def _grown(booster: Any, rounds: int | None = None) -> Grown:
    structures = [one["tree_structure"] for one in booster.dump_model(num_iteration=rounds)["tree_info"]]
    return Grown(trees_of(structures), np.asarray(booster.feature_importance("gain", iteration=rounds), dtype=np.float64))


def _lightgbm() -> Any:
    """LightGBM, which comes without types and needs OpenMP from the system."""
    try:
        return import_module("lightgbm")
    except ModuleNotFoundError as exc:
        raise Misconfigured("training needs LightGBM: pip install 'recoup[lab]'") from exc
    except OSError as exc:
        said = "LightGBM is installed, but the system's OpenMP library is not: apt-get install libgomp1 (macOS: brew install libomp)"
        raise Misconfigured(f"{said}; it said: {exc}") from exc
