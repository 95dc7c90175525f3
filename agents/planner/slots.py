"""At which times a charge or a message may be planned: the hours of each day that rules, policy and the customer's clock leave."""

import numpy as np

from agents.planner.paydays import Floats
from agents.planner.situation import DAY, HOUR, Situation
from agents.planner.terms import Terms

# Charges are weighed at these local hours: after midnight, just after pay arrives, and through the day.
CHARGED_LOCAL_HOURS = (1.0, 6.5, 9.0, 14.0, 20.0)
# And soon, in hours from now: a bank that was away is back by the hour, a new card is as good as it will ever be.
SOON_HOURS = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0, 18.0)
WRITTEN_LOCAL_HOUR = 10.0
MESSAGES_APART_HOURS = 60.0


def charge_times(situation: Situation, terms: Terms) -> Floats:
    """When the method on file may be charged, ascending; none where it may not."""
    if not situation.may_retry or terms.attempts_left <= 0:
        return np.empty(0)
    start = max(situation.now, terms.charge_from)
    at = np.unique(np.concatenate([start + np.array(SOON_HOURS) * HOUR, _daily(start, terms.end, situation, CHARGED_LOCAL_HOURS)]))
    at = at[(at >= start) & (at < terms.end)]
    if terms.closed_weekdays:
        at = at[~np.isin(_weekday(at, situation), list(terms.closed_weekdays))]
    return _but_on_holidays(at, situation, terms) if terms.bank_days_only else at


def message_times(situation: Situation, terms: Terms) -> Floats:
    """When the customer may be written to, ascending: now, or in the morning of a day, never too near another message."""
    start = max(situation.now, terms.write_from)
    at = np.concatenate([[start], _daily(start, terms.end, situation, (WRITTEN_LOCAL_HOUR,))])
    local = (at / HOUR + situation.offset_hours) % 24
    at = at[(at >= start) & (at < terms.end) & (local >= terms.contact_from_hour) & (local < terms.contact_until_hour)]
    return _but_on_holidays(at, situation, terms)


def _daily(start: float, end: float, situation: Situation, local_hours: tuple[float, ...]) -> Floats:
    midnight = (start / HOUR + situation.offset_hours) // 24 * 24 - situation.offset_hours
    days: Floats = np.arange(0.0, int((end - start) / DAY) + 2) if end > start else np.empty(0)
    at: Floats = (midnight + 24.0 * days[:, None] + np.array(local_hours)[None, :]).ravel() * HOUR
    return at


def _but_on_holidays(at: Floats, situation: Situation, terms: Terms) -> Floats:
    if not terms.silent_days:
        return at
    return at[~np.isin((at / HOUR + situation.offset_hours) // 24, list(terms.silent_days))]


def _weekday(at: Floats, situation: Situation) -> Floats:
    return ((at / HOUR + situation.offset_hours) // 24 + 3) % 7
