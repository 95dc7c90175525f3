"""The attempts on an invoice, whoever made them: what the ledger and the networks' caps count."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from memory.database import Read, Write
from recoup.actions import MOVES_MONEY
from recoup.category import Category
from recoup.decline import Treatment, decline_of, treat, treat_category
from recoup.ids import new_id
from recoup.invoice import AttemptSnapshot, AttemptStatus, DeclineCodes, Initiator
from recoup.merge import STAMPS, MergedAttempt, Stamps, join, matches, merge_attempt
from recoup.news import AttemptChange
from recoup.record import Record

UNSUCCESSFUL = frozenset({AttemptStatus.FAILED, AttemptStatus.REVERSED, AttemptStatus.REQUIRES_ACTION})
# What the merchant asks of a platform and what we ask may look alike there; an attempt that was taken for ours is looked at again.
ASKED_FOR_BY_API = frozenset({Initiator.MERCHANT, Initiator.RECOUP})
CHARGES = sorted(MOVES_MONEY)
NOTHING_TOLD = DeclineCodes(processor="")


class AttemptRow(Record):
    """An attempt's row."""

    id: str
    snapshot: AttemptSnapshot
    stamps: Stamps


async def of_invoice(session: Read, invoice_id: str) -> list[AttemptRow]:
    """All attempts on the invoice, oldest first."""
    return await session.all(
        AttemptRow, "SELECT id, snapshot, stamps FROM attempts WHERE invoice_id = %s ORDER BY occurred_at, vendor_key", (invoice_id,)
    )


async def save_attempt(tx: Write, invoice_id: str, connection: str, seen: AttemptSnapshot) -> AttemptChange:
    """Merges a reading into the attempt that it speaks of. Rows that this reading shows to be one attempt become one, the oldest."""
    rows = await of_invoice(tx, invoice_id)
    same = sorted((rows[position] for position in matches([row.snapshot for row in rows], seen)), key=lambda row: row.id)
    row_id = same[0].id if same else new_id("attempt")
    merged = await _claimed(tx, invoice_id, merge_attempt(_joined(same), seen), seen)
    if len(same) > 1:
        await tx.run("DELETE FROM attempts WHERE id = ANY(%s)", ([row.id for row in same[1:]],))
    brand = await _brand(tx, connection, merged.snapshot)
    await _write(tx, row_id, invoice_id, connection, merged, meaning_of(merged.snapshot, brand))
    before = max((row.snapshot for row in same), key=lambda snapshot: snapshot.status is merged.snapshot.status, default=None)
    return AttemptChange(before=before, after=merged.snapshot)


def meaning_of(snapshot: AttemptSnapshot, brand: str | None = None) -> Treatment | None:
    """What the attempt's failure means and asks for, by the rules of its day; None where it did not fail. ``brand``: of its card."""
    if snapshot.status not in UNSUCCESSFUL:
        return None
    decline = decline_of(snapshot.codes or NOTHING_TOLD, brand)
    if snapshot.codes is None and snapshot.status is AttemptStatus.REQUIRES_ACTION:
        return treat_category(Category.CUSTOMER_ACTION, decline, snapshot.occurred_at)
    return treat(decline, snapshot.occurred_at)


def reversal_of(attempt: AttemptSnapshot, observed_at: datetime) -> AttemptSnapshot:
    """The reading that an event makes of an attempt when it only says that its money went back."""
    return AttemptSnapshot(
        vendor_key=attempt.vendor_key,
        charge_vendor_id=attempt.charge_vendor_id,
        intent_vendor_id=attempt.intent_vendor_id,
        occurred_at=attempt.occurred_at,
        observed_at=observed_at,
        status=AttemptStatus.REVERSED,
    )


async def _claimed(tx: Write, invoice_id: str, merged: MergedAttempt, seen: AttemptSnapshot) -> MergedAttempt:
    """Not every platform lets an attempt bear our key. There it is ours if the answer to an action of ours named it; while the answer is
    out, what was asked for like ours and not known when we first asked is taken for ours."""
    snapshot = merged.snapshot
    if snapshot.action_id is not None or snapshot.initiator not in ASKED_FOR_BY_API:
        return merged
    found = await tx.dicts(
        """
        SELECT x.id, x.known_transactions AS known, x.result ->> 'vendor_ref' AS named
          FROM actions x JOIN cases c ON c.id = x.case_id
         WHERE c.invoice_id = %(invoice)s AND x.name = ANY(%(charges)s) AND x.first_sent_at IS NOT NULL
           AND (x.state IN ('started', 'unknown') OR (x.state = 'done' AND coalesce(x.result ->> 'vendor_ref', %(key)s) = %(key)s))
           AND (x.result ->> 'vendor_ref' = %(key)s OR (x.args ->> 'amount_minor')::bigint = %(amount)s)
         ORDER BY x.result ->> 'vendor_ref' NULLS LAST, x.id
        """,
        {"invoice": invoice_id, "charges": CHARGES, "key": snapshot.vendor_key, "amount": snapshot.amount_minor},
    )
    mine = next((one["id"] for one in found if one["named"] or snapshot.vendor_key not in one["known"]), None)
    if mine is None and (snapshot.initiator is Initiator.MERCHANT or seen.initiator is Initiator.RECOUP):
        return merged
    by = Initiator.RECOUP if mine else Initiator.MERCHANT
    return replace(merged, snapshot=snapshot.model_copy(update={"action_id": mine, "initiator": by}))


def _joined(rows: list[AttemptRow]) -> MergedAttempt | None:
    joined: MergedAttempt | None = None
    for row in rows:
        joined = join(joined, MergedAttempt(row.snapshot, row.stamps))
    return joined


async def _brand(session: Read, connection: str, snapshot: AttemptSnapshot) -> str | None:
    """The brand of the attempt's card, where a network's code has to be read: the same one differs by network."""
    if snapshot.codes is None or not (snapshot.codes.network_decline_code or snapshot.codes.network_advice_code):
        return None
    return await session.value(
        "SELECT snapshot ->> 'brand' FROM credentials WHERE connection = %s AND vendor_id = %s", (connection, snapshot.credential_vendor_id)
    )


async def _write(tx: Write, attempt_id: str, invoice_id: str, connection: str, merged: MergedAttempt, means: Treatment | None) -> None:
    snapshot = merged.snapshot
    await tx.run(
        """
        INSERT INTO attempts (id, invoice_id, vendor_key, credential_id, ledger_key, action_id, status, initiator, customer_initiated,
            cit_confidence, amount_minor, currency, reason, category, code_known, snapshot, stamps, occurred_at, observed_at)
        SELECT %(id)s, %(invoice_id)s, %(vendor_key)s, c.id, c.ledger_key, %(action_id)s, %(status)s, %(initiator)s, %(customer_initiated)s,
            %(cit_confidence)s, %(amount_minor)s, %(currency)s, %(reason)s, %(category)s, %(code_known)s, %(snapshot)s, %(stamps)s,
            %(occurred_at)s, %(observed_at)s
        FROM (SELECT 1) AS one LEFT JOIN credentials c ON c.connection = %(connection)s AND c.vendor_id = %(credential)s
        ON CONFLICT (id) DO UPDATE SET vendor_key = excluded.vendor_key, credential_id = excluded.credential_id,
            -- An attempt stays on the card it was made on, also when that payment method gets another card.
            ledger_key = coalesce(nullif(attempts.ledger_key, %(connection)s || ':' || %(credential)s), excluded.ledger_key),
            action_id = excluded.action_id, status = excluded.status, initiator = excluded.initiator,
            customer_initiated = excluded.customer_initiated, cit_confidence = excluded.cit_confidence,
            amount_minor = excluded.amount_minor, currency = excluded.currency, reason = excluded.reason, category = excluded.category,
            code_known = excluded.code_known, snapshot = excluded.snapshot, stamps = excluded.stamps,
            occurred_at = excluded.occurred_at, observed_at = excluded.observed_at
        """,
        _columns(snapshot)
        | {
            "id": attempt_id,
            "invoice_id": invoice_id,
            "connection": connection,
            "stamps": Jsonb(STAMPS.dump_python(merged.stamps, mode="json")),
            "reason": means.reason if means else None,
            "category": means.category if means else None,
            "code_known": means.all_known if means else False,
        },
    )


def _columns(snapshot: AttemptSnapshot) -> dict[str, Any]:
    return {
        "vendor_key": snapshot.vendor_key,
        "action_id": snapshot.action_id,
        "status": snapshot.status,
        "initiator": snapshot.initiator,
        "customer_initiated": snapshot.customer_initiated,
        "cit_confidence": snapshot.cit_confidence,
        "amount_minor": snapshot.amount_minor,
        "currency": snapshot.currency,
        "credential": snapshot.credential_vendor_id,
        "snapshot": Jsonb(snapshot.model_dump(mode="json")),
        "occurred_at": snapshot.occurred_at,
        "observed_at": snapshot.observed_at,
    }
