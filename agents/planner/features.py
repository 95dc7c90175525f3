"""What the model looks at, for one case and several times at once: nothing that is not known at ``situation.now``."""

from math import log
from typing import NamedTuple

import numpy as np

from agents.planner.belief import Belief
from agents.planner.paydays import Floats, calendars, local_days, since_payday
from agents.planner.prior import GROUPS, group_of
from agents.planner.situation import DAY, HOUR, Situation

# One line a column: the name as model cards show it. A model file names the columns that it was trained on; others are refused.
NAMES = (
    "prior_logit",
    "paydays_chance",
    "days_since_payday",
    "days_since_failure",
    "hours_since_try",
    "tries_in_5_days",
    "weekday",
    "day_of_month",
    "group",
    "tries",
    "gone_share",
    "passing_share",
    "moods_share",
    "payday_certainty",
    "amount_log",
    "amount_to_usual",
    "tenure_days",
    "past_approved",
    "past_failed",
    "past_retry_approved_share",
    "past_charges_failed_share",
    "past_days_to_recover",
    "valid_months",
    "funding",
    "brand",
    "issuer_logit",
)
FUNDINGS = ("debit", "credit", "prepaid")
BRANDS = ("visa", "mastercard", "amex", "discover")
RECENT = 5 * DAY
UNKNOWN = float("nan")


class _Past(NamedTuple):
    approved: int
    failed: int
    retry_approved_share: float
    charges_failed_share: float
    days_to_recover: float


def features(belief: Belief, at: Floats, chances: Floats | None = None) -> Floats:
    """One row a time, one column a name; what nobody told is NaN. ``chances``: of every truth at these times, where they are at hand."""
    situation = belief.situation
    chances = belief.chances(at) if chances is None else chances
    expected = np.clip(belief.weights @ chances, 1e-4, 1 - 1e-4)
    ways = len(belief.prior.ways)
    by_calendar = belief.weights[:ways].reshape(len(calendars().cycle_days), -1).sum(axis=1)
    of_paydays = by_calendar.sum()
    days = local_days(at, situation.offset_hours)
    since = by_calendar @ since_payday(days)[0] / max(of_paydays, 1e-12)
    tries = np.array([t.at for t in situation.tries if t.at <= situation.now])
    recent = len(tries) - np.searchsorted(tries, at - RECENT)
    last = tries[-1] if len(tries) else situation.failed_at
    local = at / HOUR + situation.offset_hours
    dates = (local // 24).astype("datetime64[D]")
    table = np.empty((len(at), len(NAMES)))
    columns = (
        np.log(expected / (1 - expected)),
        belief.weights[:ways] @ chances[:ways],
        since,
        (at - situation.failed_at) / DAY,
        (at - last) / HOUR,
        recent,
        (local // 24 + 3) % 7,
        (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1,
        *_standing(belief, float(by_calendar.max() / max(of_paydays, 1e-12))),
    )
    for number, column in enumerate(columns):
        table[:, number] = column
    return table


def _standing(belief: Belief, certainty: float) -> tuple[float, ...]:
    """What is the same at all times."""
    situation = belief.situation
    past = _past(situation)
    usual = situation.usual_amount_minor
    issuer = situation.issuer_share
    latest = next((t.category for t in reversed(situation.tries) if t.category), situation.category)
    return (
        float(GROUPS.index(group_of(latest, is_fresh=situation.is_fresh))),
        float(len(belief.failed)),
        belief.share("gone"),
        belief.share("passing"),
        belief.share("moods"),
        certainty,
        log(max(situation.amount_minor, 1.0)),
        situation.amount_minor / usual if usual else UNKNOWN,
        situation.tenure_days if situation.tenure_days is not None else UNKNOWN,
        float(past.approved),
        float(past.failed),
        past.retry_approved_share,
        past.charges_failed_share,
        past.days_to_recover,
        situation.valid_months if situation.valid_months is not None else UNKNOWN,
        float(FUNDINGS.index(situation.funding)) if situation.funding in FUNDINGS else UNKNOWN,
        float(BRANDS.index(situation.brand)) if situation.brand in BRANDS else UNKNOWN,
        log(issuer / (1 - issuer)) if issuer is not None else UNKNOWN,
    )


def _past(situation: Situation) -> _Past:
    approved = failed = retried = retried_well = charges = charges_failed = 0
    waited, waits, failed_at = 0.0, 0, 0.0
    for one in situation.past:
        approved, failed = approved + one.approved, failed + (not one.approved)
        if one.is_retry:
            retried, retried_well = retried + 1, retried_well + one.approved
            if one.approved:
                waited, waits = waited + one.at - failed_at, waits + 1
        else:
            charges, charges_failed = charges + 1, charges_failed + (not one.approved)
            failed_at = one.at
    return _Past(
        approved,
        failed,
        retried_well / retried if retried else UNKNOWN,
        charges_failed / charges if charges else UNKNOWN,
        waited / waits / DAY if waits else UNKNOWN,
    )
