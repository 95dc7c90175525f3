"""Payment methods on file: merged data, and what the networks count an attempt on (the ledger key)."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from memory.database import Read, Write
from recoup.ids import new_id
from recoup.invoice import CredentialSnapshot
from recoup.merge import NEVER_CHANGED, STAMPS, MergedCredential, Stamps, merge_credential
from recoup.record import Record

# Where it is kept and whether it may be used say nothing about the card itself.
NOT_DATA = frozenset({"slot", "is_usable"})


class CredentialRow(Record):
    """A credential's row."""

    id: str
    account_id: str
    ledger_key: str
    snapshot: CredentialSnapshot
    stamps: Stamps
    changed_at: datetime
    observed_at: datetime


async def account_of(session: Read, connection: str, vendor_id: str) -> str | None:
    """The account that has the payment method on file: a detached one no longer names its customer."""
    return await session.value("SELECT account_id FROM credentials WHERE connection = %s AND vendor_id = %s", (connection, vendor_id))


async def snapshots(session: Read, connection: str, vendor_ids: Sequence[str]) -> dict[str, CredentialSnapshot]:
    """Those of the payment methods that are known, as merged."""
    rows = await session.dicts(
        "SELECT vendor_id, snapshot FROM credentials WHERE connection = %s AND vendor_id = ANY(%s)", (connection, list(vendor_ids))
    )
    return {row["vendor_id"]: CredentialSnapshot.model_validate(row["snapshot"]) for row in rows}


async def save_credential(
    tx: Write, connection: str, account_id: str, seen: CredentialSnapshot, observed_at: datetime, *, is_update: bool
) -> bool:
    """Merges a reading, locked by the account; tells whether anything changed.

    ``is_update``: the event itself says that the customer gave new data. ``changed_at`` moves only then, or when two readings differ:
    a card that is merely seen for the first time is no reason to try it again.
    """
    row = await tx.one(
        CredentialRow,
        "SELECT id, account_id, ledger_key, snapshot, stamps, changed_at, observed_at FROM credentials"
        " WHERE connection = %s AND vendor_id = %s FOR UPDATE",
        (connection, seen.vendor_id),
    )
    stored = MergedCredential(row.snapshot, row.stamps) if row else None
    merged = merge_credential(stored, seen, observed_at)
    snapshot = merged.snapshot
    changed_at = row.changed_at if row else NEVER_CHANGED
    if is_update:
        changed_at = max(changed_at, observed_at)
    elif row and _differs(row.snapshot, seen):
        changed_at = max(changed_at, observed_at, row.observed_at)
    ledger_key = snapshot.fingerprint or f"{connection}:{snapshot.vendor_id}"
    await tx.run(
        """
        INSERT INTO credentials (id, connection, account_id, vendor_id, ledger_key, snapshot, stamps, slot, is_usable, changed_at,
            observed_at)
        VALUES (%(id)s, %(connection)s, %(account_id)s, %(vendor_id)s, %(ledger_key)s, %(snapshot)s, %(stamps)s, %(slot)s, %(is_usable)s,
            %(changed_at)s, %(observed_at)s)
        ON CONFLICT (connection, vendor_id) DO UPDATE SET ledger_key = excluded.ledger_key, snapshot = excluded.snapshot,
            stamps = excluded.stamps, slot = excluded.slot, is_usable = excluded.is_usable, changed_at = excluded.changed_at,
            observed_at = excluded.observed_at
        """,
        {
            "id": row.id if row else new_id("credential"),
            "connection": connection,
            "account_id": account_id,
            "vendor_id": snapshot.vendor_id,
            "ledger_key": ledger_key,
            "snapshot": Jsonb(snapshot.model_dump(mode="json")),
            "stamps": Jsonb(STAMPS.dump_python(merged.stamps, mode="json")),
            "slot": snapshot.slot,
            "is_usable": snapshot.is_usable,
            "changed_at": changed_at,
            "observed_at": max(observed_at, row.observed_at) if row else observed_at,
        },
    )
    if row is None or row.ledger_key != ledger_key:
        await _name_attempts(tx, connection, snapshot.vendor_id)
    return row is None or row.snapshot != snapshot or row.changed_at != changed_at


async def _name_attempts(tx: Write, connection: str, vendor_id: str) -> None:
    """Attempts told before their card, or before its fingerprint, count on it from now on. Those made on an earlier card of the same
    payment method stay where they are."""
    await tx.run(
        """
        UPDATE attempts a SET credential_id = c.id, ledger_key = c.ledger_key
        FROM credentials c, invoices i
        -- An account is of one connection: to name it here again leads a plan made while tables were small through all its invoices.
        WHERE c.connection = %s AND c.vendor_id = %s AND i.account_id = c.account_id
          AND a.invoice_id = i.id AND a.snapshot ->> 'credential_vendor_id' = c.vendor_id
          AND (a.ledger_key IS NULL OR a.ledger_key = c.connection || ':' || c.vendor_id)
        """,
        (connection, vendor_id),
    )


def _differs(stored: CredentialSnapshot, seen: CredentialSnapshot) -> bool:
    told = {field for field in seen.model_fields_set - NOT_DATA if getattr(seen, field) is not None}
    return any(getattr(stored, field) not in {None, getattr(seen, field)} for field in told)
