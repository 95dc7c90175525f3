"""Invariants 2 and 3: nothing starts after the end, and no action has two effects."""

from collections import Counter

from evals.findings import Result, Scope

# The audit chain of a case is ordered by its head row's lock, so "before" and "after" in it are the order of the commits.
STARTED_AFTER_END = """
WITH started AS (
    SELECT l.chain, l.n, l.subject, a.name, a.risk, m.is_receipt
    FROM audit_log l JOIN actions a ON a.id = l.subject LEFT JOIN messages m ON m.action_id = a.id
    WHERE l.kind = 'action' AND l.state = 'started' AND a.risk <> 'internal'
)
SELECT s.subject, s.name || ' started while its case was ' || before.state
    || coalesce(' held by ' || (before.body::jsonb #>> '{data,holds}'), '') AS problem
FROM started s CROSS JOIN LATERAL (
    SELECT l.state, l.body FROM audit_log l
    WHERE l.chain = s.chain AND l.kind = 'case' AND l.n < s.n ORDER BY l.n DESC LIMIT 1
) before
WHERE (before.state <> 'open' AND NOT coalesce(s.is_receipt, false) AND s.name NOT IN ('refund_duplicate', 'reinstate_service'))
   OR (before.state = 'open' AND s.risk IN ('charge', 'contact')
       AND jsonb_array_length(coalesce(before.body::jsonb #> '{data,holds}', '[]')) > 0)
"""

STARTED_AFTER_OPT_OUT = """
SELECT m.action_id AS subject, 'message started after the account opted out of ' || u.channel AS problem
FROM messages m JOIN actions a ON a.id = m.action_id JOIN suppressions u ON u.account_id = m.account_id AND u.channel IN (m.channel, 'all')
WHERE a.started_at > u.at
"""

STARTED_ON_OLD_READING = """
SELECT a.id AS subject, 'started on a reading ' || extract(epoch FROM a.started_at - a.read_at)::int || ' seconds old' AS problem
FROM actions a JOIN decisions d ON d.id = a.decision_id JOIN policies p ON p.version = d.policy_version
WHERE a.started_at IS NOT NULL AND a.risk IN ('charge', 'account') AND a.started_at - a.read_at > make_interval(secs => %s)
"""

RESENT_WHILE_UNKNOWN = """
SELECT l.subject, 'sent again after its outcome was unknown, without a reading in between' AS problem
FROM audit_log l JOIN actions a ON a.id = l.subject
WHERE l.kind = 'action' AND l.state = 'started' AND a.risk = 'contact' AND EXISTS (
    SELECT 1 FROM audit_log u WHERE u.subject = l.subject AND u.state = 'unknown' AND u.n < l.n)
  AND coalesce(l.body::jsonb #>> '{data,found}', '') <> 'absent'
"""

DEFAULT_READING_SECONDS = 300


async def nothing_starts_after_the_end(scope: Scope, result: Result) -> None:
    """No send and no charge starts after a payment, cancellation, opt-out or hold was committed, nor on an old reading."""
    result.examined = await scope.count("SELECT count(*) FROM audit_log WHERE kind = 'action' AND state = 'started'")
    await scope.collect(result, STARTED_AFTER_END)
    await scope.collect(result, STARTED_AFTER_OPT_OUT)
    await scope.collect(result, STARTED_ON_OLD_READING, (DEFAULT_READING_SECONDS,))


async def one_effect_per_action(scope: Scope, result: Result) -> None:
    """Platform and mail server hold at most one effect of each action, each of an action that we committed and started."""
    await scope.collect(result, RESENT_WHILE_UNKNOWN)
    ours = {row["id"]: row["state"] for row in await scope.session.dicts("SELECT id, state FROM actions WHERE started_at IS NOT NULL")}
    result.examined = len(ours)
    for connection, ledger in scope.platforms.items():
        result.examined += len(ledger.effects)
        for key, times in Counter(effect.key for effect in ledger.effects).items():
            if times > 1:
                result.add(key, f"{times} effects on {connection}")
            if key not in ours:
                result.add(key, f"{connection} holds an effect of an action that was never started")
    if scope.mail is None:
        result.notes.append("the mail server keeps no ledger that can be read here")
        return
    for message_id, times in scope.mail.accepted.items():
        key = message_id.strip("<>").split("@")[0]
        result.examined += 1
        if times > 1:
            result.add(key, f"{times} messages at the mail server")
        if key not in ours:
            result.add(key, "the mail server holds a message of an action that was never started")
