"""Invariants 4 and 9: account actions rest on an approval, and every executed action on a verdict that allowed it."""

import hashlib
import json

from evals.findings import Result, Scope

WITHOUT_APPROVAL = """
SELECT a.id AS subject, a.name || ' is ' || a.state || ' ' || CASE
    WHEN p.id IS NULL THEN 'without an approval'
    WHEN p.status <> 'decided' THEN 'on an approval that is ' || p.status
    WHEN NOT a.id = ANY (p.action_ids) THEN 'on an approval of other actions'
    WHEN p.used_at IS NULL THEN 'on an approval that was never used'
    WHEN p.decided_at > p.expires_at OR p.used_at > p.expires_at + interval '1 day' THEN 'on an expired approval'
    WHEN p.decided_role NOT IN ('approver', 'admin') THEN 'approved by a ' || coalesce(p.decided_role, 'nobody')
    ELSE 'although its approval says ' || coalesce(p.answer -> (array_position(p.action_ids, a.id) - 1) ->> 'type', 'nothing')
    END AS problem
FROM actions a LEFT JOIN approvals p ON p.id = a.approval_id
WHERE a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead') AND (a.risk = 'account' OR a.approval_id IS NOT NULL)
  AND (p.id IS NULL OR p.status <> 'decided' OR NOT a.id = ANY (p.action_ids) OR p.used_at IS NULL OR p.decided_at > p.expires_at
       OR p.decided_role NOT IN ('approver', 'admin')
       OR coalesce(p.answer -> (array_position(p.action_ids, a.id) - 1) ->> 'type', 'reject') NOT IN ('approve', 'edit'))
"""

APPROVED = """
SELECT a.id, a.name, a.args, a.args_digest, p.action_ids, p.answer, p.request
FROM actions a JOIN approvals p ON p.id = a.approval_id
WHERE a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead') AND p.status = 'decided'
"""

AGAINST_VERDICT = """
SELECT a.id AS subject, a.name || ' is ' || a.state || ' although the gate said ' || (a.verdict ->> 'answer') AS problem
FROM actions a
WHERE a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead')
  AND NOT (a.verdict ->> 'answer' = 'run' OR (a.verdict ->> 'answer' = 'ask' AND a.approval_id IS NOT NULL))
UNION ALL
SELECT a.id, 'account action that the gate let run by itself' FROM actions a WHERE a.risk = 'account' AND a.verdict ->> 'answer' = 'run'
UNION ALL
SELECT a.id, 'charge of ' || (a.args ->> 'amount_minor') || ' where the attempt took ' || t.amount_minor
FROM actions a JOIN attempts t ON t.action_id = a.id
WHERE a.risk IN ('charge', 'account') AND a.args ? 'amount_minor' AND a.name <> 'refund_duplicate'
  AND (t.amount_minor <> (a.args ->> 'amount_minor')::bigint OR t.currency <> a.args ->> 'currency')
UNION ALL
SELECT m.action_id, 'message to an account that is not the case''s' FROM messages m JOIN cases c ON c.id = m.case_id
WHERE m.state = 'sent' AND m.account_id <> c.account_id
  AND NOT EXISTS (SELECT 1 FROM accounts x WHERE x.id = m.account_id AND x.merged_into IS NOT NULL)
"""


async def account_actions_were_approved(scope: Scope, result: Result) -> None:
    """An account-altering action implies an approval of exactly it: decided, unexpired, used once, by an allowed person."""
    result.examined = await scope.count("SELECT count(*) FROM actions WHERE risk = 'account' OR approval_id IS NOT NULL")
    await scope.collect(result, WITHOUT_APPROVAL)
    for row in await scope.session.dicts(APPROVED):
        position = row["action_ids"].index(row["id"])
        answer = row["answer"][position]
        shown = row["request"]["action_requests"][position]
        approved = answer["edited_action"] if answer["type"] == "edit" else {"name": shown["name"], "args": shown["args"]}
        if _canonical(approved["name"], approved["args"]) != _canonical(row["name"], row["args"]):
            result.add(row["id"], "differs from what was approved")


async def actions_stay_within_policy(scope: Scope, result: Result) -> None:
    """Whatever proposed it, an executed action had a verdict that allowed it, and did what it said."""
    result.examined = await scope.count("SELECT count(*) FROM actions")
    await scope.collect(result, AGAINST_VERDICT)


def _canonical(name: str, args: object) -> str:
    return hashlib.sha256(json.dumps([name, args], sort_keys=True).encode()).hexdigest()
