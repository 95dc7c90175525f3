"""What models are trained on: all that is stored of a connection's charges, messages and customers' doings, one row an event."""

from collections.abc import AsyncGenerator
from typing import Any

from memory.database import Read

CUSTOMERS_AT_ONCE = 2000


async def past_charges(session: Read, connection: str, *, simulated: bool) -> AsyncGenerator[list[dict[str, Any]]]:
    """Customers by their ids, some at a time, each with all rows; the keys are the columns of docs/history.md.

    Charges whose outcome nobody knows are left out, and so are invoices with a case of the other kind of money.
    """
    after = ""
    while True:
        accounts = await session.dicts(
            "SELECT id FROM accounts WHERE connection = %s AND merged_into IS NULL AND id > %s ORDER BY id LIMIT %s",
            (connection, after, CUSTOMERS_AT_ONCE),
        )
        if not accounts:
            return
        after = accounts[-1]["id"]
        wanted = {"accounts": [row["id"] for row in accounts], "simulated": simulated}
        yield [*await _attempts(session, wanted), *await _messages(session, wanted), *await _events(session, wanted)]


async def _attempts(session: Read, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return await session.dicts(
        """
        SELECT 'attempt' AS kind, a.id AS account_id, t.invoice_id, t.occurred_at AS at, t.amount_minor,
               coalesce(t.currency, i.currency) AS currency, t.status = 'succeeded' AS approved, t.ledger_key AS credential_id,
               t.snapshot #>> '{codes,processor}' AS processor,
               CASE WHEN t.status = 'failed' THEN coalesce(t.snapshot #>> '{codes,decline_code}', t.snapshot #>> '{codes,gateway_code}')
               END AS decline_code,
               t.snapshot #>> '{codes,network_decline_code}' AS network_code,
               coalesce(t.snapshot #>> '{codes,network_advice_code}', t.snapshot #>> '{codes,advice_code}') AS advice_code,
               CASE WHEN t.customer_initiated THEN 'customer' ELSE t.initiator END AS initiator,
               r.snapshot ->> 'rail' AS rail, r.snapshot ->> 'brand' AS brand, r.snapshot ->> 'funding' AS funding,
               r.snapshot ->> 'country' AS card_country, r.snapshot ->> 'expires' AS expires,
               a.country, CASE WHEN a.timezone_source <> 'default' THEN a.timezone END AS timezone, a.segment, a.plan_tier,
               (jsonb_path_query_first(d.proposals, '$[*].actions[*] ? (@.id == $id).propensity',
                                       jsonb_build_object('id', t.action_id)) #>> '{}')::double precision AS propensity
        FROM attempts t
        JOIN invoices i ON i.id = t.invoice_id
        JOIN accounts own ON own.id = i.account_id
        JOIN accounts a ON a.id = coalesce(own.merged_into, own.id)
        LEFT JOIN credentials r ON r.id = t.credential_id
        LEFT JOIN actions x ON x.id = t.action_id
        LEFT JOIN decisions d ON d.id = x.decision_id
        WHERE a.id = ANY(%(accounts)s) AND t.status IN ('succeeded', 'failed') AND t.amount_minor IS NOT NULL
          AND NOT EXISTS (SELECT FROM cases c WHERE c.invoice_id = i.id AND c.simulated <> %(simulated)s)
        ORDER BY t.occurred_at, t.id
        """,
        wanted,
    )


async def _messages(session: Read, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return await session.dicts(
        """
        SELECT 'message' AS kind, coalesce(own.merged_into, own.id) AS account_id, i.id AS invoice_id, m.sent_at AS at, m.channel
        FROM messages m CROSS JOIN unnest(m.invoice_ids) AS about (invoice_id)
        JOIN invoices i ON i.id = about.invoice_id
        JOIN accounts own ON own.id = i.account_id
        WHERE coalesce(own.merged_into, own.id) = ANY(%(accounts)s) AND m.state = 'sent' AND NOT m.is_receipt
          AND NOT EXISTS (SELECT FROM cases c WHERE c.invoice_id = i.id AND c.simulated <> %(simulated)s)
        ORDER BY m.sent_at, m.id
        """,
        wanted,
    )


async def _events(session: Read, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """What customers did by themselves. That one paid is told by the charge."""
    return await session.dicts(
        """
        SELECT DISTINCT 'event' AS kind, coalesce(own.merged_into, own.id) AS account_id, i.id AS invoice_id,
               coalesce(e.occurred_at, e.received_at) AS at,
               CASE e.kind WHEN 'method_updated' THEN 'method_updated' WHEN 'dispute_opened' THEN 'disputed' ELSE 'cancelled' END AS event
        FROM inbox e
        LEFT JOIN cases told ON told.id = e.case_id
        JOIN invoices i ON i.id = coalesce(e.invoice_id, told.invoice_id)
        JOIN accounts own ON own.id = i.account_id
        WHERE coalesce(own.merged_into, own.id) = ANY(%(accounts)s) AND e.status = 'processed'
          AND e.kind IN ('method_updated', 'dispute_opened', 'subscription_cancelled')
          AND NOT EXISTS (SELECT FROM cases c WHERE c.invoice_id = i.id AND c.simulated <> %(simulated)s)
        ORDER BY at, invoice_id
        """,
        wanted,
    )
