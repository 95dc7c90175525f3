"""Invariant 9: whatever proposed it, what was executed is of the closed set, was allowed by gate and policy, and did what it said."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from evals.findings import Result, Scope
from evals.policy_modes import mode_of, needs_a_person

RISKS: Mapping[str, tuple[str, ...]] = {
    "internal": ("write_note", "tag_account", "create_task", "create_ticket", "open_incident"),
    "contact": ("send_message", "request_method_update"),
    "charge": ("retry_payment",),
    "account": (
        "use_backup_method",
        "take_over_collection",
        "hand_back_collection",
        "extend_grace",
        "offer_payment_plan",
        "offer_discount",
        "suspend_service",
        "reinstate_service",
        "cancel_subscription",
        "write_off",
        "refer_to_agency",
        "refund_duplicate",
    ),
}

OF_ANOTHER_KIND = """
WITH known AS (SELECT * FROM unnest(%(names)s::text[], %(risks)s::text[]) AS k (name, risk))
SELECT a.id AS subject, 'there is no ' || a.risk || ' action ' || a.name AS problem
FROM actions a LEFT JOIN known k ON k.name = a.name AND k.risk = a.risk WHERE k.name IS NULL
"""

AGAINST_VERDICT = """
SELECT a.id AS subject, a.name || ' is ' || a.state || ' although the gate said ' || coalesce(a.verdict ->> 'answer', 'nothing') AS problem
FROM actions a
WHERE a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead')
  AND NOT (coalesce(a.verdict ->> 'answer', '') = 'run' OR (a.verdict ->> 'answer' = 'ask' AND a.approval_id IS NOT NULL))
UNION ALL
SELECT a.id, 'account action that the gate let run by itself' FROM actions a
WHERE a.risk = 'account' AND a.verdict ->> 'answer' = 'run' AND a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead')
"""

# What was done is what was committed, to the customer and the money of the case.
OF_ANOTHER_CASE = """
SELECT a.id AS subject, 'charge of ' || (a.args ->> 'amount_minor') || ' where the attempt took ' || t.amount_minor AS problem
FROM actions a JOIN attempts t ON t.action_id = a.id
WHERE a.name IN ('retry_payment', 'use_backup_method')
  AND (t.amount_minor, t.currency) IS DISTINCT FROM ((a.args ->> 'amount_minor')::bigint, a.args ->> 'currency')
UNION ALL
SELECT a.id, 'charged for another invoice than its case''s' FROM actions a JOIN attempts t ON t.action_id = a.id
JOIN cases c ON c.id = a.case_id WHERE t.invoice_id <> c.invoice_id
UNION ALL
SELECT a.id, 'charges a payment method of another account' FROM actions a JOIN cases c ON c.id = a.case_id
JOIN credentials r ON r.id = a.args ->> 'credential_id' WHERE a.started_at IS NOT NULL AND r.account_id <> c.account_id
UNION ALL
SELECT a.id, 'charges another amount than remained' FROM actions a JOIN decisions d ON d.id = a.decision_id
WHERE a.started_at IS NOT NULL AND a.name IN ('retry_payment', 'use_backup_method')
  AND (a.args ->> 'amount_minor')::bigint <> (d.facts #>> '{invoice,remaining_minor}')::bigint
UNION ALL
SELECT m.action_id, 'message to another account than the case''s' FROM messages m JOIN cases c ON c.id = m.case_id
WHERE m.state IN ('sent', 'unknown') AND m.account_id <> c.account_id
UNION ALL
SELECT m.action_id, 'message about an invoice of another account' FROM messages m JOIN invoices i ON i.id = ANY (m.invoice_ids)
WHERE m.state IN ('sent', 'unknown') AND i.account_id <> m.account_id
UNION ALL
SELECT a.id, 'is done but there is no message of it' FROM actions a
WHERE a.risk = 'contact' AND a.state = 'done' AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.action_id = a.id AND m.state = 'sent')
"""

# Everything that ran without a person, and everything that ran where a held-out account or a policy with shadow in it says nothing may.
RAN = """
SELECT a.id, a.name, a.risk, a.confidence, d.policy_version,
       a.approval_id IS NULL AND a.risk IN ('contact', 'charge') AND a.args ->> 'template' IS DISTINCT FROM 'receipt' AS alone,
       jsonb_build_object('account', d.facts -> 'account', 'invoice', d.facts -> 'invoice', 'attempts', d.facts -> 'attempts') AS facts
FROM actions a JOIN decisions d ON d.id = a.decision_id
WHERE a.state IN ('ready', 'started', 'done', 'failed', 'unknown', 'dead')
  AND (d.policy_version = ANY (%s) OR (d.facts #>> '{account,holdout}')::boolean
       OR (a.approval_id IS NULL AND a.risk IN ('contact', 'charge')))
"""

# A reservation counts from when it was used, else from when it was made; merged accounts share what each had used before.
MESSAGES = """
WITH made AS (SELECT subject, at FROM audit_log WHERE kind = 'reservation' AND state = 'reserved')
SELECT v.id, v.scope, v.action_id, m.at AS made_at, v.at AS used_at, c.overridden_rules
FROM reservations v JOIN made m ON m.subject = v.id JOIN cases c ON c.id = v.case_id
WHERE v.kind = 'contact' AND v.state <> 'released'
  AND NOT EXISTS (SELECT 1 FROM accounts x WHERE x.merged_into = v.scope)
ORDER BY v.scope, m.at, v.id
"""
ATTEMPTS = """
SELECT v.case_id AS subject, count(*) AS attempts, max(v.at) AS at FROM reservations v JOIN cases c ON c.id = v.case_id
WHERE v.kind = 'attempt' AND v.state <> 'released' AND NOT 'attempts-per-case' = ANY (c.overridden_rules) GROUP BY v.case_id
"""


async def actions_stay_within_policy(scope: Scope, result: Result) -> None:
    """Every action that was executed was allowed to be, by the gate's verdict and by the policy of its decision, and concerned its case."""
    result.examined = await scope.count("SELECT count(*) FROM actions")
    names = [(name, risk) for risk, of_risk in RISKS.items() for name in of_risk]
    await scope.collect(result, OF_ANOTHER_KIND, {"names": [name for name, _ in names], "risks": [risk for _, risk in names]})
    await scope.collect(result, AGAINST_VERDICT)
    await scope.collect(result, OF_ANOTHER_CASE)
    await _check_modes(scope, result)
    await _check_messages(scope, result)
    async for row in scope.stream(ATTEMPTS):
        most = max(policy.value("house", "attempts_per_case", 8) for policy in scope.policies.versions)
        if row["attempts"] > most:
            result.add(row["subject"], f"{row['attempts']} attempts of ours in one case; {most} are allowed")


async def _check_modes(scope: Scope, result: Result) -> None:
    shadowy = [v.version for v in scope.policies.versions if v.mode == "shadow" or any(cohort["mode"] == "shadow" for cohort in v.cohorts)]
    async for row in scope.stream(RAN, (shadowy,)):
        policy = scope.policies.version(row["policy_version"])
        if mode_of(policy, row["facts"]) == "shadow":
            result.add(row["id"], f"{row['name']} was executed in shadow mode")
        elif row["alone"]:
            why = needs_a_person(policy, row["facts"], row)
            if why:
                result.add(row["id"], f"{row['name']} ran without a person although {why}")


async def _check_messages(scope: Scope, result: Result) -> None:
    """No customer is written to more often than the policy allows, over all their invoices."""
    earlier: list[dict[str, Any]] = []
    async for row in scope.stream(MESSAGES):
        if earlier and earlier[-1]["scope"] != row["scope"]:
            earlier = []
        for key, default, window in (("messages_per_day", 1, timedelta(days=1)), ("messages_per_week", 3, timedelta(days=7))):
            most = max(policy.value("house", key, default) for policy in scope.policies.around(row["made_at"]))
            used = sum(_counted_at(before, row) > row["made_at"] - window for before in earlier)
            if used >= most and key.replace("_", "-") not in row["overridden_rules"]:
                result.add(row["action_id"], f"the customer had {used} messages in {window.days} days already; {most} are allowed")
        earlier.append(row)


def _counted_at(before: dict[str, Any], row: dict[str, Any]) -> Any:
    """When an earlier reservation counts from, as it was known when ``row`` was made."""
    return before["used_at"] if before["used_at"] <= row["made_at"] else before["made_at"]
