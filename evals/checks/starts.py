"""Invariant 2: nothing starts after what must stop it was committed, nor on an old reading.

The chain of a case is ordered by its head row's lock, so before and after in it are the order of the commits. Between two chains the
time of writing tells the order where both transactions held the same account's lock.
"""

from datetime import timedelta

from evals.findings import Result, Scope

STARTED = "SELECT count(*) FROM audit_log l JOIN actions a ON a.id = l.subject WHERE l.kind = 'action' AND l.state = 'started'"

# A receipt and what settles a closed case may start on one; under a hold everything is silent that reaches the customer or the card.
AFTER_THE_END = """
WITH started AS MATERIALIZED (
    SELECT l.chain, l.n, l.subject, a.name, a.risk, coalesce(m.is_receipt, false) AS is_receipt
    FROM audit_log l JOIN actions a ON a.id = l.subject LEFT JOIN messages m ON m.action_id = a.id
    WHERE l.kind = 'action' AND l.state = 'started' AND a.risk <> 'internal'
)
SELECT s.subject, s.name || ' started while its case was ' || c.state || ', on hold for ' || c.holds AS problem
FROM started s CROSS JOIN LATERAL (
    SELECT l.state, coalesce(l.body::jsonb #> '{data,holds}', '[]') AS holds FROM audit_log l
    WHERE l.chain = s.chain AND l.n < s.n AND l.kind = 'case' ORDER BY l.n DESC LIMIT 1
) c
WHERE (c.state <> 'open' AND NOT s.is_receipt AND s.name NOT IN ('refund_duplicate', 'reinstate_service'))
   OR (NOT s.is_receipt AND (s.risk IN ('contact', 'charge') OR s.name IN ('use_backup_method', 'refer_to_agency')) AND c.holds <> '[]')
   OR (s.is_receipt AND c.holds ?| ARRAY['dispute', 'reversal', 'deceased'])
"""

# What was pending when the case ended is voided with it; what was asked or allowed afterwards may stand.
LEFT_BEHIND = """
WITH pending AS (
    SELECT id, case_id, name AS what, state FROM actions WHERE state IN ('waiting', 'ready')
    UNION ALL SELECT id, case_id, 'approval', status FROM approvals WHERE status = 'pending' OR (status = 'decided' AND used_at IS NULL)
)
SELECT p.id AS subject, p.what || ' is still ' || p.state || ' although its case ended ' || c.status AS problem
FROM pending p JOIN cases c ON c.id = p.case_id
WHERE c.status <> 'open'
  AND (SELECT min(n) FROM audit_log WHERE chain = c.id AND kind = 'case' AND state <> 'open')
      > (SELECT min(n) FROM audit_log WHERE chain = c.id AND subject = p.id)
"""

# The account that was written to is the one its decision names: a merge moves the message to the survivor afterwards. What the survivor
# took over holds from the merge on.
AFTER_OPT_OUT = """
WITH started AS MATERIALIZED (
    SELECT l.subject, l.at, l.recorded_at, d.facts #>> '{account,id}' AS account_id, a.args ->> 'channel' AS channel
    FROM audit_log l JOIN actions a ON a.id = l.subject JOIN decisions d ON d.id = a.decision_id
    WHERE l.kind = 'action' AND l.state = 'started' AND a.risk = 'contact'
), told AS (
    SELECT subject AS account_id, body::jsonb #>> '{data,channel}' AS channel, min(recorded_at) AS recorded_at
    FROM audit_log WHERE chain = 'accounts' AND state = 'suppressed' GROUP BY 1, 2
), merged AS (
    SELECT body::jsonb #>> '{data,into}' AS account_id, max(recorded_at) AS recorded_at
    FROM audit_log WHERE chain = 'accounts' AND state = 'merged' GROUP BY 1
)
SELECT s.subject, 'message started after the account opted out of ' || u.channel AS problem
FROM started s JOIN suppressions u ON u.account_id = s.account_id AND u.channel IN (s.channel, 'all')
LEFT JOIN told t ON t.account_id = u.account_id AND t.channel = u.channel LEFT JOIN merged g ON g.account_id = u.account_id
WHERE CASE WHEN t.recorded_at IS NOT NULL THEN s.recorded_at > t.recorded_at
           WHEN g.recorded_at IS NOT NULL THEN s.recorded_at > g.recorded_at ELSE s.at > u.at END
"""

# The switch shares no lock with what starts: who has just looked may start in the moments after it was turned.
UNDER_KILL_SWITCH = """
WITH flips AS (
    SELECT state, recorded_at AS since, lead(recorded_at) OVER (ORDER BY n) AS until
    FROM audit_log WHERE chain = 'switches' AND subject = 'kill_switch'
)
SELECT l.subject, a.name || ' started while the kill switch was on' AS problem
FROM flips f JOIN audit_log l ON l.recorded_at > f.since + interval '5 seconds' AND (f.until IS NULL OR l.recorded_at < f.until)
JOIN actions a ON a.id = l.subject
WHERE f.state = 'on' AND l.kind = 'action' AND l.state = 'started' AND a.risk <> 'internal'
"""

# A message on a platform that nobody can read rests on the newest event, however old.
READINGS = """
SELECT l.subject, l.at, a.name, (l.body::jsonb #>> '{data,read_at}')::timestamptz AS read_at
FROM audit_log l JOIN actions a ON a.id = l.subject JOIN decisions d ON d.id = a.decision_id
WHERE l.kind = 'action' AND l.state = 'started' AND a.risk <> 'internal'
  AND (a.risk <> 'contact' OR d.facts #> '{connection,capabilities}' ? 'read')
"""


async def nothing_starts_after_the_end(scope: Scope, result: Result) -> None:
    """No send and no charge starts after a payment, cancellation, opt-out, hold or the kill switch was committed, nor on an old reading."""
    result.examined = await scope.count(STARTED)
    await scope.collect(result, AFTER_THE_END)
    await scope.collect(result, LEFT_BEHIND)
    await scope.collect(result, AFTER_OPT_OUT)
    await scope.collect(result, UNDER_KILL_SWITCH)
    async for row in scope.stream(READINGS):
        if row["read_at"] is None:
            result.add(row["subject"], f"{row['name']} started on no reading")
            continue
        seconds = max(policy.reading_seconds for policy in scope.policies.around(row["at"]))
        age = row["at"] - row["read_at"]
        if age > timedelta(seconds=seconds):
            result.add(
                row["subject"], f"{row['name']} started on a reading {age.total_seconds():.0f} seconds old; {seconds:.0f} are allowed"
            )
