"""Invariant 1: every accepted webhook ends in exactly one terminal state."""

from evals.findings import Result, Scope

# A pause between two tries is a lease: whoever has one is still being worked on.
UNFINISHED = """
SELECT id AS subject, 'accepted and never finished: ' || coalesce(last_error, 'no attempt failed') AS problem
FROM inbox WHERE status = 'accepted' AND received_at <= %(wall)s - make_interval(secs => %(patience)s)
  AND (%(patience)s = 0 OR lease_until IS NULL OR lease_until <= %(wall)s)
"""
MISSTATED = """
SELECT id AS subject, status || ' without a time' AS problem FROM inbox WHERE status <> 'accepted' AND finished_at IS NULL
UNION ALL
SELECT id, 'accepted although it was finished' FROM inbox WHERE status = 'accepted' AND finished_at IS NOT NULL
UNION ALL
SELECT id, status || ' without a reason' FROM inbox WHERE status IN ('ignored', 'dead') AND coalesce(reason, '') = ''
UNION ALL
SELECT id, 'in no state that there is: ' || status FROM inbox WHERE status NOT IN ('accepted', 'processed', 'ignored', 'dead')
"""
KEPT_TWICE = """
SELECT min(id) AS subject, 'one event of ' || connection || ' is kept ' || count(*) || ' times' AS problem
FROM inbox GROUP BY connection, vendor_event_id HAVING count(*) > 1
"""


async def events_end_once(scope: Scope, result: Result) -> None:
    """No event stays accepted for longer than the patience, none is kept twice; a terminal one says when and, unless processed, why."""
    result.examined = await scope.count("SELECT count(*) FROM inbox")
    await scope.collect(result, UNFINISHED, {"wall": scope.wall, "patience": scope.patience_seconds})
    await scope.collect(result, MISSTATED)
    await scope.collect(result, KEPT_TWICE)
