"""Invoices as merged from all readings, kept whether or not a case exists.

Lock order everywhere: account, case, ledger key. Whoever changes anything of an account or its invoices holds the account's lock.
"""

from datetime import datetime

from psycopg.types.json import Jsonb

from memory.database import Read, Write
from recoup.debt import remaining_minor
from recoup.errors import NotFound
from recoup.events import CancellationKind
from recoup.ids import new_id
from recoup.invoice import InvoiceSnapshot
from recoup.merge import STAMPS, MergedInvoice, Stamps, merge_invoice
from recoup.news import InvoiceChange
from recoup.record import Record


class InvoiceRow(Record):
    """An invoice's row."""

    id: str
    connection: str
    vendor_id: str
    account_id: str | None
    snapshot: InvoiceSnapshot
    stamps: Stamps
    cancellation: CancellationKind | None
    dispute_closed_at: datetime | None
    read_at: datetime


async def lock_account(tx: Write, account_id: str) -> str:
    """Locks the account that answers for this one (itself, or the one it was merged into) and gives its id."""
    while True:
        merged_into = await tx.value("SELECT coalesce(merged_into, id) FROM accounts WHERE id = %s", (account_id,))
        locked = await tx.value("SELECT coalesce(merged_into, id) FROM accounts WHERE id = %s FOR UPDATE", (merged_into,))
        if locked == merged_into:
            return locked
        # It was merged away while we waited for its lock.
        account_id = locked


async def find_invoice(session: Read, connection: str, vendor_id: str) -> str | None:
    """The row id of a vendor's invoice."""
    return await session.value("SELECT id FROM invoices WHERE connection = %s AND vendor_id = %s", (connection, vendor_id))


async def find_by_payment(session: Read, connection: str, vendor_ids: list[str]) -> str | None:
    """The row id of the invoice with an attempt of one of these charge or intent ids."""
    return await session.value(
        """
        SELECT i.id FROM attempts a JOIN invoices i ON i.id = a.invoice_id
        WHERE i.connection = %(connection)s
          AND (a.snapshot ->> 'charge_vendor_id' = ANY(%(ids)s) OR a.snapshot ->> 'intent_vendor_id' = ANY(%(ids)s))
        ORDER BY i.id LIMIT 1
        """,
        {"connection": connection, "ids": vendor_ids},
    )


async def invoices_of_subscription(session: Read, connection: str, subscription_vendor_id: str) -> list[str]:
    """The row ids of a subscription's invoices, oldest first."""
    rows = await session.dicts(
        "SELECT id FROM invoices WHERE connection = %s AND subscription_vendor_id = %s ORDER BY id", (connection, subscription_vendor_id)
    )
    return [row["id"] for row in rows]


async def account_of(session: Read, invoice_id: str) -> str | None:
    """The account that owes the invoice, where it is known."""
    return await session.value("SELECT account_id FROM invoices WHERE id = %s", (invoice_id,))


async def get(session: Read, invoice_id: str) -> InvoiceRow:
    """One invoice; raises NotFound."""
    row = await session.one(
        InvoiceRow,
        "SELECT id, connection, vendor_id, account_id, snapshot, stamps, cancellation, dispute_closed_at, read_at FROM invoices"
        " WHERE id = %s",
        (invoice_id,),
    )
    if row is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    return row


async def save_invoice(
    tx: Write, connection: str, account_id: str | None, seen: InvoiceSnapshot, read_at: datetime
) -> tuple[str, InvoiceChange]:
    """Merges a reading into the invoice's row, made where it was not known; gives its id and what changed."""
    first = merge_invoice(None, seen)
    added = await tx.value(
        """
        INSERT INTO invoices (id, connection, vendor_id, account_id, snapshot, stamps, observed_at, read_at)
        VALUES (%(id)s, %(connection)s, %(vendor_id)s, %(account_id)s, %(snapshot)s, %(stamps)s, %(observed_at)s, %(read_at)s)
        ON CONFLICT (connection, vendor_id) DO NOTHING RETURNING id
        """,
        {
            "id": new_id("invoice"),
            "connection": connection,
            "vendor_id": seen.vendor_id,
            "account_id": account_id,
            "read_at": read_at,
            **_columns(first),
        },
    )
    invoice_id = added or await tx.value(
        "SELECT id FROM invoices WHERE connection = %s AND vendor_id = %s FOR UPDATE", (connection, seen.vendor_id)
    )
    stored = await get(tx, invoice_id)
    merged = merge_invoice(MergedInvoice(stored.snapshot, stored.stamps), seen)
    await tx.run(
        """
        UPDATE invoices SET account_id = coalesce(%(account_id)s, account_id), snapshot = %(snapshot)s, stamps = %(stamps)s,
            status = %(status)s, currency = %(currency)s, remaining_minor = %(remaining_minor)s, paid_minor = %(paid_minor)s,
            subscription_vendor_id = %(subscription)s, observed_at = %(observed_at)s, read_at = greatest(read_at, %(read_at)s)
        WHERE id = %(id)s
        """,
        {"id": invoice_id, "account_id": account_id, "read_at": read_at, **_columns(merged)},
    )
    return invoice_id, InvoiceChange(before=None if added else stored.snapshot, after=_whole(merged))


async def set_remaining(tx: Write, invoice_id: str, amount_minor: int) -> None:
    """What queries take as owed: also what a reversal took from an invoice that its platform still calls paid."""
    await tx.run(
        "UPDATE invoices SET remaining_minor = %s WHERE id = %s AND remaining_minor IS DISTINCT FROM %s",
        (amount_minor, invoice_id, amount_minor),
    )


async def mark_cancelled(tx: Write, invoice_id: str, kind: CancellationKind) -> None:
    """Remembers how the invoice's subscription ended, for failures that are told later."""
    await tx.run("UPDATE invoices SET cancellation = %s WHERE id = %s", (kind, invoice_id))


async def mark_dispute_closed(tx: Write, invoice_id: str, closed_at: datetime) -> None:
    """Remembers until when disputes are over, so that the news of an opening that arrives late holds nothing."""
    await tx.run("UPDATE invoices SET dispute_closed_at = greatest(dispute_closed_at, %s) WHERE id = %s", (closed_at, invoice_id))


def _whole(merged: MergedInvoice) -> InvoiceSnapshot:
    """The snapshot with what remains, counted where no reading told it. It has no stamp: the next reading counts it anew."""
    return merged.snapshot.model_copy(update={"remaining_minor": remaining_minor(merged.snapshot)})


def _columns(merged: MergedInvoice) -> dict[str, object]:
    snapshot = _whole(merged)
    return {
        "snapshot": Jsonb(snapshot.model_dump(mode="json")),
        "stamps": Jsonb(STAMPS.dump_python(merged.stamps, mode="json")),
        "status": snapshot.status,
        "currency": snapshot.currency,
        "remaining_minor": snapshot.remaining_minor,
        "paid_minor": snapshot.paid_minor,
        "subscription": snapshot.subscription_vendor_id,
        "observed_at": snapshot.observed_at,
    }
