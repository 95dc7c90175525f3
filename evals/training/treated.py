"""What every decline of a history meant, by the rules in force on its day: each combination of words is asked about once."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from evals.history import History
from recoup.category import Category, Retry
from recoup.decline import decline_of, treat
from recoup.invoice import DeclineCodes, Rail
from recoup.rule_data import load_rules

CATEGORIES = tuple(Category)
NONE = -1
WORDS = ("processor", "decline_code", "network_code", "advice_code", "brand", "card_country", "rail")
NEED_CUSTOMER = frozenset({Retry.NEVER, Retry.AFTER_UPDATE, Retry.CUSTOMER_ACTION})
EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Treated:
    """Row by row: ``category`` as a place in CATEGORIES, NONE where nothing was declined; ``needs_customer``: only they can mend it."""

    category: NDArray[np.int8]
    needs_customer: NDArray[np.bool_]


def treated(history: History) -> Treated:
    """Asks ``recoup.decline.treat`` about every decline."""
    category = np.full(len(history), NONE, np.int8)
    needs = np.zeros(len(history), np.bool_)
    rows = np.flatnonzero(history.is_attempt & ~history.approved)
    changes = _days_of_change()
    day = (history.at[rows] // 86_400).astype(np.int64) + EPOCH_DAY
    # Between two changes of the rules every day is like the first one.
    era = np.searchsorted(np.array(changes), day, side="right")
    keys = np.stack([*(history.words[name].codes[rows].astype(np.int64) for name in WORDS), era])
    found, first, place = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    answers = [_answer(history, int(rows[at])) for at in first]
    category[rows] = np.array([CATEGORIES.index(one) for one, _ in answers] or [NONE], np.int8)[place.ravel()] if found.size else NONE
    needs[rows] = np.array([retry in NEED_CUSTOMER for _, retry in answers] or [False])[place.ravel()] if found.size else False
    return Treated(category, needs)


def _answer(history: History, row: int) -> tuple[Category, Retry]:
    told = {name: history.words[name].at(row) for name in WORDS}
    codes = DeclineCodes(
        processor=told["processor"] or "",
        decline_code=told["decline_code"],
        network_decline_code=told["network_code"],
        network_advice_code=told["advice_code"],
    )
    rail = Rail(told["rail"]) if told["rail"] else None
    treatment = treat(decline_of(codes, told["brand"], told["card_country"], rail), datetime.fromtimestamp(float(history.at[row]), UTC))
    return treatment.category, treatment.retry


def _days_of_change() -> list[int]:
    """The UTC days, as ordinals, on which some rule begins or ends."""
    entries = load_rules().entries
    return sorted({day.toordinal() for entry in entries for day in (entry.effective_from, entry.effective_to) if day})
