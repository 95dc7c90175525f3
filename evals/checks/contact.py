"""Invariant 7: timers fire once, when due, and never after they were cancelled; people are written to inside their allowed hours."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from evals.findings import Result, Scope

TIMERS = """
SELECT subject, 'timer fired ' || count(*) FILTER (WHERE state = 'fired') || ' times, cancelled '
    || count(*) FILTER (WHERE state = 'cancelled') || ' times' AS problem
FROM audit_log WHERE kind = 'timer' GROUP BY subject
HAVING count(*) FILTER (WHERE state IN ('fired', 'cancelled')) > 1
UNION ALL
SELECT id, 'timer fired before it was due' FROM timers WHERE fired_at < due_at
UNION ALL
SELECT id, 'timer fired and was cancelled' FROM timers WHERE fired_at IS NOT NULL AND cancelled_at IS NOT NULL
UNION ALL
SELECT id, 'timer is ' || state || ' without a time' FROM timers
WHERE (state = 'fired' AND fired_at IS NULL) OR (state = 'cancelled' AND cancelled_at IS NULL)
"""

# Domain time runs as it likes: it has surely come as far as what was written so long ago.
OVERDUE = """
WITH reached AS (
    SELECT max(at) AS at FROM audit_log
    WHERE recorded_at <= %(wall)s - make_interval(secs => %(patience)s)
      AND kind IN ('case', 'decision', 'action', 'approval', 'timer', 'reservation')
)
SELECT t.id AS subject, 'timer was due at ' || t.due_at || ' and never fired' AS problem
FROM timers t JOIN reached r ON t.due_at <= r.at WHERE t.state = 'pending'
"""

# What was pending when its case ended is cancelled with it.
LEFT_BEHIND = """
SELECT t.id AS subject, t.kind || ' timer is pending although its case ended ' || c.status AS problem
FROM timers t JOIN cases c ON c.id = t.case_id
WHERE t.state = 'pending' AND c.status <> 'open'
  AND (SELECT min(n) FROM audit_log WHERE chain = c.id AND kind = 'case' AND state <> 'open')
      > (SELECT min(n) FROM audit_log WHERE chain = c.id AND subject = t.id)
UNION ALL
SELECT t.id, 'timer of an approval that is ' || p.status FROM timers t JOIN approvals p ON p.id = t.approval_id
WHERE t.state = 'pending' AND t.kind = 'expire_approval' AND p.status <> 'pending'
"""

# Where the customer lives may be told better later: what the decision knew and what is known now both count.
LETTERS = """
SELECT l.subject, l.at, d.facts #>> '{account,timezone}' AS timezone, d.facts #>> '{account,country}' AS country,
       x.timezone AS timezone_now, x.country AS country_now, m.channel,
       'default' IN (d.facts #>> '{account,timezone_source}', x.timezone_source) AS zone_is_unknown
FROM audit_log l JOIN messages m ON m.action_id = l.subject JOIN actions a ON a.id = l.subject
JOIN decisions d ON d.id = a.decision_id JOIN cases c ON c.id = a.case_id JOIN accounts x ON x.id = c.account_id
WHERE l.kind = 'action' AND l.state = 'started' AND NOT m.is_receipt AND NOT 'contact-hours' = ANY (c.overridden_rules)
"""


async def timers_and_hours_hold(scope: Scope, result: Result) -> None:
    """A cancelled timer never fires, a due one fires once, and contact happens inside the hours that the policy allows there."""
    result.examined = await scope.count("SELECT count(*) FROM timers")
    await scope.collect(result, TIMERS)
    await scope.collect(result, OVERDUE, {"wall": scope.wall, "patience": scope.patience_seconds})
    await scope.collect(result, LEFT_BEHIND)
    async for row in scope.stream(LETTERS):
        result.examined += 1
        if not _is_allowed(row, scope):
            result.add(row["subject"], f"message started at {row['at'].isoformat()}, outside the allowed hours in {row['timezone']}")


def _is_allowed(row: dict[str, Any], scope: Scope) -> bool:
    places, policies = ((row["timezone"], row["country"]), (row["timezone_now"], row["country_now"])), scope.policies.around(row["at"])
    if row["channel"] == "email" and row["zone_is_unknown"] and any(p.value("house", "email_when_zone_unknown", True) for p in policies):
        return True
    return any(_is_open(row["at"], zone, policy.hours(country)) for policy in policies for zone, country in places)


def _is_open(at: datetime, zone: str | None, hours: Iterable[Any]) -> bool:
    earliest, latest = hours
    return earliest <= at.astimezone(_zone(zone)).time() < latest


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
