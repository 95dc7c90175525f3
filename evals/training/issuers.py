"""How the charges of a bank's other customers went lately, as it was known before each charge."""

import numpy as np
from numpy.typing import NDArray

from agents.planner.paydays import Floats
from evals.history import History

# A month, since a plan looks weeks ahead: whether a bank is away just now is said by its declines.
RECENT_SECONDS = 30 * 86_400
FEWEST = 20
SECONDS = 1 << 33


def issuer_shares(history: History) -> Floats:
    """Row by row the share of the recent charges of other customers of the same bank that went through, NaN where too few are known."""
    issuer, account = history.words["issuer"], history.words["account_id"]
    rows = np.flatnonzero(history.is_attempt & issuer.is_told)
    bank = issuer.codes[rows].astype(np.int64)
    _, mine = np.unique(bank << 32 | account.codes[rows], return_inverse=True)
    at, approved = history.at[rows].astype(np.int64), history.approved[rows]
    charges, went_through = (_counted(bank, at, approved)[k] - _counted(mine.astype(np.int64), at, approved)[k] for k in (0, 1))
    shares = np.full(len(history), np.nan)
    known = charges >= FEWEST
    # As if one more of each had been: a bank of which none went through is no bank of which none ever will.
    shares[rows[known]] = (went_through[known] + 1) / (charges[known] + 2)
    return shares


def _counted(group: NDArray[np.int64], at: NDArray[np.int64], approved: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each charge the recent ones of its group, in earlier seconds than its own: how many, and how many of them were approved."""
    key = group * SECONDS + at
    order = np.argsort(key, kind="stable")
    ordered, good = key[order], np.concatenate([[0], np.cumsum(approved[order])])
    end, begin = np.searchsorted(ordered, key), np.searchsorted(ordered, key - RECENT_SECONDS)
    # The key of a group's first charges less a month may lie in the group before.
    begin = np.maximum(begin, np.searchsorted(ordered, group * SECONDS))
    return end - begin, good[end] - good[begin]
