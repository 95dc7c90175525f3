"""Examples as numbers: the features of each by the code that decides use, worked out on several processors where there are many."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.planner.belief import believe
from agents.planner.features import NAMES, features
from agents.planner.paydays import Floats
from agents.planner.prior import Prior, published
from evals.training.episodes import examples_of
from evals.training.records import Records
from evals.training.splits import is_kept_back
from evals.training.treated import CATEGORIES

PART_ROWS = 20_000
# Below this many rows other processes take longer to start than they save.
WORTH_PROCESSES = 60_000
PartT = TypeVar("PartT")


@dataclass(frozen=True)
class Table:
    """One entry a retry. ``features``: by ``features.NAMES``. ``cold``: the chance by the published prior, NaN on what is not kept back.
    ``category``: of the newest decline, a place in ``treated.CATEGORIES``."""

    features: Floats
    cold: Floats
    approved: NDArray[np.bool_]
    at: Floats
    category: NDArray[np.int8]
    case: NDArray[np.int32]
    account: NDArray[np.int32]
    bucket: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def prior_logit(self) -> Floats:
        """The belief's log odds, from which trees start."""
        return np.ascontiguousarray(self.features[:, NAMES.index("prior_logit")])

    def taken(self, rows: NDArray[np.bool_]) -> "Table":
        """Some of the retries."""
        return Table(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class Featured:
    """Makes the table of a part; goes to other processes. ``cutoff``: see ``splits.split``."""

    prior: Prior
    cutoff: float

    def __call__(self, records: Records) -> Table:
        examples = list(examples_of(records))
        cold_prior = published()
        rows = np.empty((len(examples), len(NAMES)))
        cold = np.full(len(examples), np.nan)
        for number, example in enumerate(examples):
            at = np.array([example.situation.now])
            rows[number] = features(believe(example.situation, self.prior), at)[0]
            if is_kept_back(example.bucket, example.situation.now, self.cutoff):
                cold[number] = believe(example.situation, cold_prior).expected(at)[0]
        return Table(
            features=rows,
            cold=cold,
            approved=np.array([e.approved for e in examples], dtype=np.bool_),
            at=np.array([e.situation.now for e in examples], dtype=np.float64),
            category=np.array([CATEGORIES.index(e.situation.category) for e in examples], dtype=np.int8),
            case=np.array([e.case for e in examples], dtype=np.int32),
            account=np.array([e.account for e in examples], dtype=np.int32),
            bucket=np.array([e.bucket for e in examples], dtype=np.int16),
        )


def table_of(records: Records, prior: Prior, cutoff: float, processes: int) -> Table:
    """All retries of the records."""
    parts = list(over_parts(Featured(prior, cutoff), records, processes))
    return Table(**{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Table)})


def over_parts(work: Callable[[Records], PartT], records: Records, processes: int) -> Iterator[PartT]:
    """``work`` on parts of whole customers, in their order, one part after another or several at once."""
    if processes < 2 or len(records) < WORTH_PROCESSES:
        yield from map(work, records.parts(PART_ROWS)) if len(records) else [work(records)]
        return
    # Spawned, not forked: who trains may have threads running, of a database or of the trees.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, records.parts(PART_ROWS))
