"""What is trained on and what is kept back to judge it: split by customer, since customers come again, and by time, since worlds change."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.planner.paydays import Floats

FOLDS = 5
UNSEEN, STOPS = 0, 1
EARLIER_SHARE = 0.8

Mask = NDArray[np.bool_]
BucketT = TypeVar("BucketT", int, NDArray[np.int16])


@dataclass(frozen=True)
class Split:
    """``fit``: learned from. ``stop``: says when there are enough trees. Kept back are ``customers``, other ones at the same time,
    ``later``, the same ones afterwards, and ``both``, other ones afterwards."""

    fit: Mask
    stop: Mask
    customers: Mask
    later: Mask
    both: Mask


def split(bucket: NDArray[np.int16], at: Floats, cutoff: float) -> Split:
    """By the fifths of customers and a time."""
    fold, is_early = fold_of(bucket), at < cutoff
    is_unseen = fold == UNSEEN
    return Split(
        fit=~is_unseen & (fold != STOPS) & is_early,
        stop=(fold == STOPS) & is_early,
        customers=is_unseen & is_early,
        later=~is_unseen & ~is_early,
        both=is_unseen & ~is_early,
    )


def fold_of(bucket: BucketT) -> BucketT:
    """Which fifth a customer belongs to."""
    return bucket % FOLDS


def is_kept_back(bucket: int, at: float, cutoff: float) -> bool:
    """Whether a retry is in one of the parts by which a model is judged."""
    return fold_of(bucket) == UNSEEN or at >= cutoff
