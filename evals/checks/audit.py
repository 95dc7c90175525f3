"""Invariant 6: the audit chains verify, and the newest entry of every row says the state the row is in."""

import hashlib

from evals.findings import Result, Scope

UNCOVERED = """
WITH rows (id, kind, state) AS (
    SELECT id, 'case', status FROM cases
    UNION ALL SELECT id, 'decision', state FROM decisions
    UNION ALL SELECT id, 'action', state FROM actions
    UNION ALL SELECT id, 'approval', status FROM approvals
    UNION ALL SELECT id, 'timer', state FROM timers
    UNION ALL SELECT id, 'reservation', state FROM reservations
    UNION ALL SELECT id, 'task', state FROM tasks
)
SELECT r.id AS subject, r.kind || ' is ' || r.state || ' but its newest audit entry says ' || coalesce(l.state, 'nothing') AS problem
FROM rows r LEFT JOIN LATERAL (
    SELECT state FROM audit_log WHERE subject = r.id AND kind = r.kind ORDER BY recorded_at DESC, n DESC LIMIT 1
) l ON true
WHERE l.state IS DISTINCT FROM r.state
"""

HEADS = "SELECT h.chain, h.n, h.hash FROM audit_heads h"
CHAIN_ROWS = "SELECT chain, n, body, prev, hash, subject, kind, state FROM audit_log ORDER BY chain, n"


async def audit_covers_every_change(scope: Scope, result: Result) -> None:
    """Recomputes every hash, compares every chain with its head, and every row with its newest entry."""
    heads = {row["chain"]: (row["n"], row["hash"]) for row in await scope.session.dicts(HEADS)}
    last: dict[str, tuple[int, str]] = {}
    for row in await scope.session.dicts(CHAIN_ROWS):
        result.examined += 1
        chain = row["chain"]
        n, previous = last.get(chain, (0, ""))
        expected = hashlib.sha256((previous + row["body"]).encode()).hexdigest()
        if row["n"] != n + 1:
            result.add(chain, f"entry {n + 1} is missing")
        if row["prev"] != previous or row["hash"] != expected:
            result.add(chain, f"the hash of entry {row['n']} does not hold")
        last[chain] = (row["n"], row["hash"])
    for chain, head in heads.items():
        if last.get(chain, (0, "")) != head:
            result.add(chain, "the chain does not end where its head says")
    for chain in last.keys() - heads.keys():
        result.add(chain, "the chain has no head")
    await scope.collect(result, UNCOVERED)
