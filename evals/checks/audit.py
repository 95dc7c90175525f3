"""Invariant 6: the audit chains verify, and they cover every change: the newest entry of every row says the state that the row is in."""

import hashlib
import json
from datetime import datetime
from typing import Any

from evals.findings import Result, Scope

ROWS = """
WITH rows (id, kind, state) AS (
    SELECT id, 'case', status FROM cases
    UNION ALL SELECT id, 'decision', state FROM decisions
    UNION ALL SELECT id, 'action', state FROM actions
    UNION ALL SELECT id, 'approval', status FROM approvals
    UNION ALL SELECT id, 'timer', state FROM timers
    UNION ALL SELECT id, 'reservation', state FROM reservations
    UNION ALL SELECT id, 'task', state FROM tasks
    UNION ALL SELECT version::text, 'policy', 'in_force' FROM policies
    UNION ALL SELECT id, 'key', CASE WHEN revoked_at IS NULL THEN 'active' ELSE 'revoked' END FROM api_keys
    UNION ALL SELECT name, 'switch', CASE WHEN value = 'true' THEN 'on' ELSE 'off' END FROM switches WHERE name = 'kill_switch'
)
"""

UNCOVERED = (
    ROWS  # noqa: S608 - constants
    + """
SELECT r.id AS subject, r.kind || ' is ' || r.state || ' but its newest audit entry says ' || coalesce(l.state, 'nothing') AS problem
FROM rows r LEFT JOIN LATERAL (SELECT state FROM audit_log WHERE subject = r.id AND kind = r.kind ORDER BY n DESC LIMIT 1) l ON true
WHERE l.state IS DISTINCT FROM r.state
"""
)

# Rows of a case are never deleted: what the log tells of must be there.
GONE = (
    ROWS
    + """
SELECT DISTINCT l.subject, l.kind || ' stands in the audit log and nowhere else' AS problem
FROM audit_log l LEFT JOIN rows r ON r.id = l.subject AND r.kind = l.kind
WHERE r.id IS NULL AND l.kind IN ('case', 'decision', 'action', 'approval', 'timer', 'reservation', 'task', 'policy', 'key')
"""
)

# Changes that a row's state does not tell.
UNTOLD = """
SELECT c.id AS subject, 'on hold for ' || array_to_string(c.holds, ', ') || ' but its newest audit entry says otherwise' AS problem
FROM cases c CROSS JOIN LATERAL (
    SELECT body::jsonb #> '{data,holds}' AS holds FROM audit_log WHERE chain = c.id AND kind = 'case' ORDER BY n DESC LIMIT 1
) l WHERE NOT (coalesce(l.holds, '[]') @> to_jsonb(c.holds) AND to_jsonb(c.holds) @> coalesce(l.holds, '[]'))
UNION ALL
SELECT a.id, a.name || ' was started but the audit log does not say so' FROM actions a
WHERE a.started_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM audit_log l WHERE l.subject = a.id AND l.kind = 'action' AND l.state = 'started')
UNION ALL
SELECT a.id, a.name || ' is ' || a.state || ' but never started' FROM actions a
WHERE a.state IN ('started', 'done', 'failed', 'unknown') AND a.risk <> 'internal' AND a.started_at IS NULL
UNION ALL
SELECT u.account_id, 'opted out of ' || u.channel || ' but the audit log does not say so' FROM suppressions u
WHERE NOT EXISTS (SELECT 1 FROM audit_log l WHERE l.chain = 'accounts' AND (
    (l.subject = u.account_id AND l.state = 'suppressed') OR (l.state = 'merged' AND l.body::jsonb #>> '{data,into}' = u.account_id)))
"""

HEADS = "SELECT chain, n, hash FROM audit_heads"
ENTRIES = "SELECT chain, n, subject, kind, state, actor, at, body, prev, hash FROM audit_log ORDER BY chain, n"
# The columns are copies for queries; what the hash protects is the body.
COPIED = ("chain", "subject", "kind", "state", "actor")


async def audit_covers_every_change(scope: Scope, result: Result) -> None:
    """Recomputes every hash, compares every chain with its head, every column with the hashed body, and every row with its newest entry."""
    last: dict[str, tuple[int, str]] = {}
    async for row in scope.stream(ENTRIES):
        result.examined += 1
        _check_entry(row, *last.get(row["chain"], (0, "")), result)
        last[row["chain"]] = (row["n"], row["hash"])
    heads = {row["chain"]: (row["n"], row["hash"]) async for row in scope.stream(HEADS)}
    for chain, head in heads.items():
        if last.get(chain, (0, "")) != head:
            result.add(chain, "the chain does not end where its head says")
    for chain in last.keys() - heads.keys():
        result.add(chain, "the chain has no head")
    await scope.collect(result, UNCOVERED)
    await scope.collect(result, GONE)
    await scope.collect(result, UNTOLD)


def _check_entry(row: dict[str, Any], n_before: int, hash_before: str, result: Result) -> None:
    chain, body = row["chain"], row["body"]
    if row["n"] != n_before + 1:
        result.add(chain, f"entry {n_before + 1} is missing")
    if row["prev"] != hash_before or row["hash"] != hashlib.sha256((row["prev"] + body).encode()).hexdigest():
        result.add(chain, f"the hash of entry {row['n']} does not hold")
    try:
        told = json.loads(body)
    except ValueError:
        result.add(chain, f"entry {row['n']} is no JSON")
        return
    if any(told[name] != row[name] for name in COPIED) or datetime.fromisoformat(told["at"]) != row["at"]:
        result.add(chain, f"entry {row['n']} says something else than what is hashed")
