"""Invariant 7: timers fire once and never after they were cancelled; people are written to inside their allowed hours."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from evals.findings import Result, Scope

TIMERS = """
SELECT subject, 'timer fired ' || count(*) FILTER (WHERE state = 'fired') || ' times, cancelled '
    || count(*) FILTER (WHERE state = 'cancelled') || ' times' AS problem
FROM audit_log WHERE kind = 'timer' GROUP BY subject
HAVING count(*) FILTER (WHERE state IN ('fired', 'cancelled')) > 1
UNION ALL
SELECT id, 'timer fired before it was due' FROM timers WHERE fired_at < due_at
"""

SENT = """
SELECT m.action_id, a.started_at AS at, x.timezone, x.country, c.overridden_rules, m.is_receipt
FROM messages m JOIN actions a ON a.id = m.action_id JOIN accounts x ON x.id = m.account_id JOIN cases c ON c.id = m.case_id
WHERE m.state IN ('sent', 'unknown') AND a.started_at IS NOT NULL
"""

# DOMAIN: 08:00-21:00 recipient-local, India 09:00-21:00.
EARLIEST = {"IN": time(9)}
DEFAULT_EARLIEST = time(8)
LATEST = time(21)


async def timers_and_hours_hold(scope: Scope, result: Result) -> None:
    """A cancelled timer never fires, a due one fires once, and contact happens inside allowed local hours."""
    result.examined = await scope.count("SELECT count(*) FROM timers")
    await scope.collect(result, TIMERS)
    for row in await scope.session.dicts(SENT):
        result.examined += 1
        if row["is_receipt"] or "contact-hours" in row["overridden_rules"]:
            continue
        if not _allowed(row["at"], row["timezone"], row["country"]):
            result.add(row["action_id"], f"message started at {row['at'].isoformat()}, outside the allowed hours in {row['timezone']}")


def _allowed(at: datetime, timezone: str, country: str | None) -> bool:
    local = at.astimezone(ZoneInfo(timezone)).time()
    return EARLIEST.get(country or "", DEFAULT_EARLIEST) <= local < LATEST
