"""Invariant 3: at most one accepted effect an action, and nothing ambiguous is sent again."""

from collections import Counter
from typing import Any

from evals.findings import Result, Scope
from evals.ledgers import MailLedger, PlatformLedger

# What an action has become it stays; only what is dead may be taken up again, by a person.
STEPS = """
WITH steps AS (
    SELECT subject, n, state, recorded_at, lag(state) OVER (PARTITION BY subject ORDER BY n) AS before,
           CASE WHEN state = 'started' THEN body::jsonb #>> '{data,found}' END AS found
    FROM audit_log WHERE kind = 'action'
)
SELECT subject, 'went on from ' || before || ' to ' || state AS problem FROM steps
WHERE before IN ('denied', 'shadowed', 'rejected', 'void', 'done', 'failed') OR (before = 'dead' AND state <> 'ready')
UNION ALL
SELECT subject, 'sent again after its outcome was ' || before || ', although nobody found it absent' FROM steps
WHERE state = 'started' AND before IN ('started', 'unknown') AND found IS DISTINCT FROM 'absent'
UNION ALL
SELECT s.subject, 'sent again after its outcome was ' || before || ', though its key was no longer valid'
FROM steps s JOIN actions a ON a.id = s.subject
WHERE s.state = 'started' AND before IN ('started', 'unknown') AND s.recorded_at > a.key_valid_until + interval '1 minute'
"""

REPEATED = """
SELECT action_id AS subject, count(*) || ' attempts in our books carry its key' AS problem
FROM attempts WHERE action_id IS NOT NULL GROUP BY action_id HAVING count(*) > 1
UNION ALL
SELECT min(action_id), 'step ' || step || ' of ' || case_id || ' was written ' || count(*) || ' times by ' || channel
FROM messages WHERE state IN ('sent', 'unknown') GROUP BY case_id, step, channel, is_receipt HAVING count(*) > 1
"""

OURS = """
SELECT a.id, a.name, a.risk, i.vendor_id AS invoice, c.connection, a.args ->> 'amount_minor' AS amount_minor
FROM actions a JOIN cases c ON c.id = a.case_id JOIN invoices i ON i.id = c.invoice_id WHERE a.started_at IS NOT NULL
"""

OUR_MESSAGE_IDS = "@recoup."


async def one_effect_per_action(scope: Scope, result: Result) -> None:
    """Platform and mail server hold at most one effect of each action, of one that we committed and started, as it was committed."""
    await scope.collect(result, STEPS)
    await scope.collect(result, REPEATED)
    ours = {row["id"]: row async for row in scope.stream(OURS)}
    result.examined = len(ours)
    for connection, ledger in scope.platforms.items():
        _compare_effects(connection, ledger, ours, result)
        _compare_charges(connection, ledger, ours, result)
    connections = {row["connection"] for row in ours.values() if row["risk"] in {"charge", "account"}}
    result.notes += [f"{connection} has no ledger that can be read here" for connection in sorted(connections - scope.platforms.keys())]
    if scope.mail is None:
        result.notes.append("the mail server has no ledger that can be read here")
    else:
        _compare_mail(scope.mail, ours, result)


def _compare_effects(connection: str, ledger: PlatformLedger, ours: dict[str, dict[str, Any]], result: Result) -> None:
    result.examined += len(ledger.effects)
    done = Counter(effect.key for effect in ledger.effects if effect.state == "done")
    for key, times in done.items():
        if times > 1:
            result.add(key, f"{times} effects on {connection}")
    for effect in ledger.effects:
        action = ours.get(effect.key)
        if action is None:
            result.add(effect.key, f"{connection} holds an effect of an action that was never started")
        elif (effect.name, effect.invoice, connection) != (action["name"], action["invoice"], action["connection"]):
            result.add(
                effect.key, f"{connection} did {effect.name} on {effect.invoice}, committed was {action['name']} on {action['invoice']}"
            )


def _compare_charges(connection: str, ledger: PlatformLedger, ours: dict[str, dict[str, Any]], result: Result) -> None:
    charges = [attempt for attempt in ledger.attempts if attempt.initiator == "recoup"]
    for key, times in Counter(attempt.key for attempt in charges).items():
        if times > 1:
            result.add(str(key), f"{times} charges on {connection}")
    for attempt in charges:
        action = ours.get(attempt.key or "")
        if action is None:
            result.add(attempt.key or attempt.id, f"{connection} made a charge for us that no action asked for")
        elif str(attempt.amount_minor) != action["amount_minor"]:
            result.add(action["id"], f"{connection} charged {attempt.amount_minor}, committed was {action['amount_minor']}")


def _compare_mail(mail: MailLedger, ours: dict[str, dict[str, Any]], result: Result) -> None:
    foreign = 0
    for message_id, times in mail.accepted.items():
        result.examined += 1
        key, is_ours, _ = message_id.strip("<> ").partition(OUR_MESSAGE_IDS)
        if not is_ours:
            foreign += 1
            continue
        if times > 1:
            result.add(key, f"{times} messages at the mail server")
        if key not in ours or ours[key]["risk"] != "contact":
            result.add(key, "the mail server holds a message of an action that was never started")
    if foreign:
        result.notes.append(f"{foreign} messages at the mail server are not ours")
