"""Invariant 1: every accepted webhook ends in exactly one terminal state."""

from evals.findings import Result, Scope


async def events_end_once(scope: Scope, result: Result) -> None:
    """No event stays accepted for longer than the patience; a terminal one has a time, and a reason where something was not processed."""
    result.examined = await scope.count("SELECT count(*) FROM inbox")
    await scope.collect(
        result,
        """
        SELECT id AS subject, 'accepted and never finished: ' || coalesce(last_error, 'no attempt failed') AS problem
        FROM inbox WHERE status = 'accepted' AND received_at <= %s - make_interval(secs => %s)
        UNION ALL
        SELECT id, status || ' without a time' FROM inbox WHERE status <> 'accepted' AND finished_at IS NULL
        UNION ALL
        SELECT id, status || ' without a reason' FROM inbox WHERE status IN ('ignored', 'dead') AND coalesce(reason, '') = ''
        """,
        (scope.wall, scope.patience_seconds),
    )
