"""What no history may come to, counted in the double's own books: charged twice, charged too late, or told otherwise than it was."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from evals.ledgers import PlatformAttempt
from tests.merchants.merchant import Merchant

# What came of an action of ours, and when the word "started" was last committed.
ACTIONS = """
SELECT a.id, a.state, a.state_reason, a.result ->> 'vendor_ref' AS ref,
       (SELECT max(recorded_at) FROM audit_log l WHERE l.subject = a.id AND l.kind = 'action' AND l.state = 'started') AS started_at
  FROM actions a WHERE a.name IN ('retry_payment', 'use_backup_method')
"""
SUCCESSES = """
SELECT i.vendor_id AS invoice, t.vendor_key, t.id FROM attempts t JOIN invoices i ON i.id = t.invoice_id WHERE t.status = 'succeeded'
"""
TOOK_MONEY = frozenset({"succeeded", "processing"})
NEVER_HAPPENED = frozenset({"denied", "shadowed", "rejected", "void", "dead", "failed"})
SETTLED = "settled by"
TURNED_AWAY = frozenset({401, 429})


async def problems(made: Merchant) -> list[tuple[str, str]]:
    """Each with the invoice or action that it is about."""
    ours = [one for one in made.ledger().attempts if one.initiator == "recoup"]
    async with made.services.db.read() as session:
        actions = {row["id"]: row for row in await session.dicts(ACTIONS)}
        successes = await session.dicts(SUCCESSES)
    found = [(str(key), f"{times} attempts under one key") for key, times in Counter(one.key for one in ours).items() if times > 1]
    collected = Counter(one.invoice for one in ours if one.status in TOOK_MONEY)
    found += [(invoice, f"collected {times} times by us") for invoice, times in collected.items() if times > 1]
    for one in ours:
        action = actions.get(one.key or "")
        if action is None:
            found.append((one.id, "an attempt of ours that no action of ours made"))
            continue
        known = [row["vendor_key"] for row in successes if _was_known(row, one, action["started_at"])]
        if known:
            found.append((one.id, f"sent on {one.invoice} after the payments {known} were committed here"))
        if action["state"] in NEVER_HAPPENED and not (action["state_reason"] or "").startswith(SETTLED):
            found.append((one.id, f"made by {action['id']}, which is {action['state']}: {action['state_reason']}"))
    return found + _misnamed(list(actions.values()), made.ledger().attempts) + _expired_keys(made)


def _misnamed(actions: list[dict[str, Any]], attempts: tuple[PlatformAttempt, ...]) -> list[tuple[str, str]]:
    """What is said to be the outcome of an action is the exact attempt that it made."""
    keys, ids = {one.id: one.key for one in attempts}, {one.key: one.id for one in attempts if one.key}
    found: list[tuple[str, str]] = []
    for action in actions:
        ref = action["ref"]
        if action["state"] != "done" or ref is None:
            continue
        if keys.get(ref, action["id"]) != action["id"]:
            found.append((action["id"], f"said to be {ref}, which {keys[ref] or 'nobody of us'} made"))
        elif ids.get(action["id"], ref) != ref:
            found.append((action["id"], f"said to be {ref}, and was {ids[action['id']]}"))
    return found


def _was_known(success: dict[str, str], ours: PlatformAttempt, started_at: datetime | None) -> bool:
    if success["invoice"] != ours.invoice or success["vendor_key"] == ours.id or started_at is None:
        return False
    written_at = datetime.fromtimestamp(int(success["id"].split("_")[1][:12], 16) / 1000, UTC)
    return written_at < started_at


def _expired_keys(made: Merchant) -> list[tuple[str, str]]:
    """No key is used when the platform has forgotten it. What was only turned away has begun no life of its key."""
    first: dict[str, datetime] = {}
    found: list[tuple[str, str]] = []
    for exchange in made.double.log:
        key = None if exchange.status in TURNED_AWAY else exchange.request.idempotency_key
        if key and exchange.at - first.setdefault(key, exchange.at) >= made.double.keys.lifetime:
            found.append((key, f"used again after {exchange.at - first[key]}, when it had expired"))
    return found
