"""Invariant 4: what alters an account rests on an approval of exactly it: the same digest, unexpired, used once, by an allowed person."""

import hashlib
import json
from typing import Any, cast

from evals.findings import Result, Scope
from evals.policy_history import PolicyHistory

WITHOUT_APPROVAL = """
WITH judged AS (
    SELECT a.id, a.name, a.state, CASE
        WHEN p.id IS NULL THEN 'without an approval'
        WHEN p.decision_id <> a.decision_id OR p.case_id <> a.case_id OR NOT a.id = ANY (p.action_ids)
            THEN 'on an approval of something else'
        WHEN p.status <> 'decided' THEN 'on an approval that is ' || p.status
        WHEN p.used_at IS NULL THEN 'on an approval that was never used'
        WHEN p.decided_at IS NULL OR p.decided_at > p.expires_at THEN 'on an approval that had expired'
        WHEN p.used_at < p.decided_at THEN 'on an approval that was used before it was given'
        WHEN coalesce(p.decided_by, '') = '' THEN 'on an approval of nobody'
        WHEN coalesce(p.decided_role, '') NOT IN ('approver', 'admin') THEN 'approved by a ' || coalesce(p.decided_role, 'nobody')
        WHEN coalesce(p.answer -> (array_position(p.action_ids, a.id) - 1) ->> 'type', '') NOT IN ('approve', 'edit')
            THEN 'although its approval says ' || coalesce(p.answer -> (array_position(p.action_ids, a.id) - 1) ->> 'type', 'nothing')
        END AS problem
    FROM actions a LEFT JOIN approvals p ON p.id = a.approval_id
    WHERE a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead') AND (a.risk = 'account' OR a.approval_id IS NOT NULL)
)
SELECT id AS subject, name || ' is ' || state || ' ' || problem AS problem FROM judged WHERE problem IS NOT NULL
"""

# The chain orders the answer, its use and the action; what it kept of the answer cannot be changed afterwards.
AGAINST_THE_CHAIN = """
WITH answered AS (
    SELECT p.id, p.case_id, p.digest, p.decided_by, p.decided_role, p.action_ids,
           count(*) FILTER (WHERE l.body::jsonb #>> '{data,used}' = 'true') AS uses,
           min(l.n) FILTER (WHERE l.body::jsonb #>> '{data,used}' = 'true') AS used_n,
           min(l.n) FILTER (WHERE l.body::jsonb #> '{data,digest}' IS NOT NULL) AS answered_n,
           min(l.body::jsonb #>> '{data,digest}') AS told_digest, min(l.body::jsonb #>> '{data,role}') AS told_role,
           min(l.actor) FILTER (WHERE l.body::jsonb #> '{data,digest}' IS NOT NULL) AS told_person
    FROM approvals p LEFT JOIN audit_log l ON l.chain = p.case_id AND l.subject = p.id AND l.kind = 'approval' AND l.state = 'decided'
    WHERE p.used_at IS NOT NULL GROUP BY p.id
)
SELECT id AS subject, 'approval was used ' || uses || ' times' AS problem FROM answered WHERE uses <> 1
UNION ALL
SELECT id, 'the answer in the audit log is another: digest, person or role differ' FROM answered
WHERE (told_digest, told_role, told_person) IS DISTINCT FROM (digest, decided_role, decided_by)
UNION ALL
SELECT l.subject, 'allowed to run before its approval was answered and used' FROM answered p
JOIN audit_log l ON l.chain = p.case_id AND l.subject = ANY (p.action_ids) AND l.kind = 'action' AND l.state IN ('ready', 'started', 'done')
WHERE l.n < p.answered_n OR l.n < p.used_n
GROUP BY l.subject
"""

APPROVALS = """
SELECT p.id, p.digest, p.request, p.action_ids, p.interrupt_digest, p.edited_by, p.answer, p.decided_by, p.decided_at,
       p.used_at IS NOT NULL AS is_used, d.facts_digest,
       jsonb_build_object('case', d.facts -> 'case', 'invoice', d.facts -> 'invoice', 'attempts', d.facts -> 'attempts',
           'credential', d.facts -> 'credential', 'backups', d.facts -> 'backups', 'account', d.facts -> 'account',
           'other_open_invoices', d.facts -> 'other_open_invoices') AS facts
FROM approvals p JOIN decisions d ON d.id = p.decision_id
"""

APPROVED_ACTIONS = """
SELECT a.id, a.name, a.args, a.args_digest, p.action_ids, p.answer, p.request
FROM actions a JOIN approvals p ON p.id = a.approval_id
WHERE a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead') AND p.status = 'decided' AND a.id = ANY (p.action_ids)
"""


async def account_actions_were_approved(scope: Scope, result: Result) -> None:
    """What alters an account, and whatever else names an approval, was approved as it stands; every approval binds what it shows."""
    await scope.collect(result, WITHOUT_APPROVAL)
    await scope.collect(result, AGAINST_THE_CHAIN)
    async for row in scope.stream(APPROVALS):
        result.examined += 1
        _check_binding(row, result)
        if row["is_used"]:
            _check_four_eyes(row, scope.policies, result)
    async for row in scope.stream(APPROVED_ACTIONS):
        result.examined += 1
        _check_action(row, result)


def _check_binding(row: dict[str, Any], result: Result) -> None:
    """The digest is that of what is shown and of the facts that it rests on."""
    facts_digest = _sha256(_material_facts(row["facts"]))
    shown = [
        {"id": action_id, "name": asked["name"], "args": asked["args"]}
        for action_id, asked in zip(row["action_ids"], row["request"]["action_requests"], strict=False)
    ]
    if len(row["action_ids"]) != len(row["request"]["action_requests"]) or row["action_ids"] != row["request"]["action_ids"]:
        result.add(row["id"], "approval shows other actions than it names")
    elif facts_digest != row["facts_digest"]:
        result.add(row["id"], "the facts of the decision are not those that the approval rests on")
    elif _sha256({"actions": shown, "facts": facts_digest}) != row["digest"] or row["request"]["digest"] != row["digest"]:
        result.add(row["id"], "the digest is not that of what the approval shows")
    elif not row["edited_by"] and row["interrupt_digest"] != row["digest"]:
        result.add(row["id"], "the approval shows something else than the decision asked")


def _check_four_eyes(row: dict[str, Any], policies: PolicyHistory, result: Result) -> None:
    said = [str(answer["type"]) for answer in _answers(row)]
    said_yes = any(one != "reject" for one in said)
    bound = all(policy.four_eyes for policy in policies.around(row["decided_at"])) if row["decided_at"] else False
    own_edit = "edit" in said and not row["edited_by"]
    if bound and said_yes and (row["decided_by"] in row["edited_by"] or own_edit):
        result.add(row["id"], "with four eyes on, who edited it approved it")


def _check_action(row: dict[str, Any], result: Result) -> None:
    position = row["action_ids"].index(row["id"])
    answers = _answers(row)
    if position >= len(answers):
        return
    shown: dict[str, Any] = row["request"]["action_requests"][position]
    answer = cast("dict[str, Any]", answers[position])
    approved: dict[str, Any] = answer["edited_action"] if answer["type"] == "edit" else shown
    if (approved["name"], approved["args"]) != (row["name"], row["args"]):
        result.add(row["id"], "differs from what was approved")
    elif _sha256(row["args"]) != row["args_digest"]:
        result.add(row["id"], "its arguments are not those of its digest")


def _answers(row: dict[str, Any]) -> list[dict[str, Any]]:
    return row["answer"] or []


def _material_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """What an approval rests on, as the documentation says: money, standing, methods, consent."""
    case, invoice, credential = facts["case"], facts["invoice"], facts["credential"]
    return {
        "case": [case["id"], case["status"], sorted(case["holds"]), case["episode"], case["overpaid_minor"]],
        "invoice": [invoice["id"], invoice["status"], invoice["currency"], invoice["remaining_minor"]],
        "attempts": [[attempt["id"], attempt["status"]] for attempt in facts["attempts"]],
        "credential": [credential["id"], credential["is_usable"]] if credential else None,
        "backups": sorted(backup["id"] for backup in facts["backups"]),
        "reachable": sorted(facts["account"]["reachable"]),
        "others": sorted([other["id"], other["currency"], other["remaining_minor"]] for other in facts["other_open_invoices"]),
    }


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
