"""Accounts, how to reach the people behind them, and what they asked us never to do again.

Lock order everywhere: account, case, ledger key, audit head. Whoever changes anything of an account holds its row's lock first.
"""

from datetime import datetime
from typing import Literal

from psycopg.types.json import Jsonb

from memory import audit
from memory.database import Read, Write
from memory.invoices import lock_account
from recoup.ids import new_id
from recoup.invoice import AccountSnapshot
from recoup.merge import STAMPS, MergedAccount, merge_account
from recoup.record import Record

SuppressionChannel = Literal["all", "email", "sms", "in_app", "push"]

COLUMNS_OF_ACCOUNT = ("locale", "timezone", "timezone_source", "country", "segment", "plan_tier", "parent_vendor_id")
COLUMNS_OF_CONTACT = ("first_name", "full_name", "email", "phone")


class AccountRow(Record):
    """An account with its contact, as stored."""

    id: str
    vendor_id: str
    merged_into: str | None
    holdout: bool | None
    observed_at: datetime
    stamps: dict[str, object]
    locale: str
    timezone: str
    timezone_source: str
    country: str | None
    segment: str | None
    plan_tier: str | None
    parent_vendor_id: str | None
    first_name: str | None
    full_name: str | None
    email: str | None
    phone: str | None

    def merged(self) -> MergedAccount | None:
        """What all readings so far say together; None before the first."""
        if not self.stamps:
            return None
        told = {field: getattr(self, field) for field in (*COLUMNS_OF_ACCOUNT, *COLUMNS_OF_CONTACT)}
        snapshot = AccountSnapshot(vendor_id=self.vendor_id, observed_at=self.observed_at, **told)
        return MergedAccount(snapshot=snapshot, stamps=STAMPS.validate_python(self.stamps))


async def find_account(session: Read, connection: str, vendor_id: str) -> str | None:
    """The row id of a vendor's account, whether it was merged away or not."""
    return await session.value("SELECT id FROM accounts WHERE connection = %s AND vendor_id = %s", (connection, vendor_id))


async def ensure_account(tx: Write, connection: str, entity: str, vendor_id: str, at: datetime) -> str:
    """The row id of a vendor's account, made empty where it was not known."""
    await tx.run(
        "INSERT INTO accounts (id, connection, vendor_id, entity, observed_at) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (connection, vendor_id) DO NOTHING",
        (new_id("account"), connection, vendor_id, entity, at),
    )
    return await tx.value("SELECT id FROM accounts WHERE connection = %s AND vendor_id = %s", (connection, vendor_id))


async def save_account(tx: Write, account_id: str, seen: AccountSnapshot) -> bool:
    """Merges a reading into the account's own row, locked by the caller, and tells whether anything of it changed."""
    row = await _row(tx, account_id)
    before, after = row.merged(), merge_account(row.merged(), seen)
    snapshot = after.snapshot
    await tx.run(
        """
        UPDATE accounts SET locale = %(locale)s, timezone = %(timezone)s, timezone_source = %(timezone_source)s, country = %(country)s,
            segment = %(segment)s, plan_tier = %(plan_tier)s, parent_vendor_id = %(parent_vendor_id)s, stamps = %(stamps)s,
            observed_at = %(observed_at)s
        WHERE id = %(id)s
        """,
        {
            "id": account_id,
            "stamps": Jsonb(STAMPS.dump_python(after.stamps, mode="json")),
            "observed_at": snapshot.observed_at,
            # What nobody told keeps the column's default.
            **{field: value if (value := getattr(snapshot, field)) is not None else getattr(row, field) for field in COLUMNS_OF_ACCOUNT},
        },
    )
    contact = {field: getattr(snapshot, field) for field in COLUMNS_OF_CONTACT}
    if any(contact.values()):
        await _save_contact(tx, account_id, contact)
    # What nobody ever told stands in the row by default, and is no change.
    told = [field for field in (*COLUMNS_OF_ACCOUNT, *COLUMNS_OF_CONTACT) if field in after.stamps]
    return before is None or any(getattr(before.snapshot, field) != getattr(snapshot, field) for field in told)


async def fix_holdout(tx: Write, account_id: str, *, holdout: bool) -> None:
    """Sets the account's arm of the experiment with its first case; a second call changes nothing."""
    await tx.run("UPDATE accounts SET holdout = %s WHERE id = %s AND holdout IS NULL", (holdout, account_id))


def channel_of(word: str | None) -> SuppressionChannel:
    """The channel that a customer opted out of. Whoever says no without naming one, or in words we do not know, means all."""
    known: dict[str | None, SuppressionChannel] = {"email": "email", "sms": "sms", "in_app": "in_app", "push": "push"}
    return known.get(word, "all")


async def suppress(tx: Write, account_id: str, channel: SuppressionChannel, reason: str, at: datetime) -> bool:
    """Never again write to the account on this channel; tells whether that is new. The first reason stays."""
    added = await tx.run(
        "INSERT INTO suppressions (account_id, channel, reason, at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (account_id, channel, reason, at),
    )
    if added:
        await audit.append(
            tx,
            chain="accounts",
            subject=account_id,
            kind="account",
            state="suppressed",
            actor="worker",
            at=at,
            data={"channel": channel, "reason": reason},
        )
    return bool(added)


async def merge_into(tx: Write, alias_id: str, survivor_id: str, at: datetime) -> bool:
    """Makes one account of two: everything of the alias follows the survivor, and what either asked us not to do holds for both.

    The caller has locked neither; both are locked here in the order of their ids. Tells whether anything was to be done.
    """
    for account_id in sorted({alias_id, survivor_id}):
        await tx.run("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account_id,))
    survivor_id = await lock_account(tx, survivor_id)
    alias = await _row(tx, alias_id)
    if survivor_id in {alias_id, alias.merged_into}:
        return False
    names = {"alias": alias_id, "survivor": survivor_id}
    await tx.run("UPDATE accounts SET merged_into = %(survivor)s WHERE id = %(alias)s OR merged_into = %(alias)s", names)
    await tx.run(
        "UPDATE accounts SET holdout = coalesce(holdout, (SELECT holdout FROM accounts WHERE id = %(alias)s)) WHERE id = %(survivor)s",
        names,
    )
    await tx.run("UPDATE invoices SET account_id = %(survivor)s WHERE account_id = %(alias)s", names)
    await tx.run("UPDATE credentials SET account_id = %(survivor)s WHERE account_id = %(alias)s", names)
    await tx.run("UPDATE cases SET account_id = %(survivor)s WHERE account_id = %(alias)s", names)
    await tx.run("UPDATE actions SET account_id = %(survivor)s WHERE account_id = %(alias)s", names)
    await tx.run("UPDATE messages SET account_id = %(survivor)s WHERE account_id = %(alias)s", names)
    await tx.run(
        "UPDATE texts SET account_id = %(survivor)s WHERE account_id = %(alias)s AND NOT EXISTS (SELECT FROM texts t"
        " WHERE t.account_id = %(survivor)s AND (t.kind, t.source_id) = (texts.kind, texts.source_id))",
        names,
    )
    # A contact's budget is the person's: what was written to either counts for both.
    await tx.run("UPDATE reservations SET scope = %(survivor)s WHERE kind = 'contact' AND scope = %(alias)s", names)
    await tx.run(
        "INSERT INTO suppressions SELECT %(survivor)s, channel, reason, at FROM suppressions WHERE account_id = %(alias)s"
        " ON CONFLICT DO NOTHING",
        names,
    )
    await _save_contact(tx, survivor_id, {field: getattr(alias, field) for field in COLUMNS_OF_CONTACT}, only_missing=True)
    await tx.run("DELETE FROM contacts WHERE account_id = %(alias)s", names)
    await audit.append(
        tx, chain="accounts", subject=alias_id, kind="account", state="merged", actor="worker", at=at, data={"into": survivor_id}
    )
    return True


async def _row(tx: Write, account_id: str) -> AccountRow:
    rows = await tx.all(
        AccountRow,
        """
        SELECT a.id, a.vendor_id, a.merged_into, a.holdout, a.observed_at, a.stamps, a.locale, a.timezone, a.timezone_source, a.country,
               a.segment, a.plan_tier, a.parent_vendor_id, c.first_name, c.full_name, c.email, c.phone
        FROM accounts a LEFT JOIN contacts c ON c.account_id = a.id WHERE a.id = %s
        """,
        (account_id,),
    )
    return rows[0]


async def _save_contact(tx: Write, account_id: str, contact: dict[str, object], *, only_missing: bool = False) -> None:
    await tx.run(
        """
        INSERT INTO contacts (account_id, first_name, full_name, email, phone)
        VALUES (%(id)s, %(first_name)s, %(full_name)s, %(email)s, %(phone)s)
        ON CONFLICT (account_id) DO UPDATE SET
            first_name = CASE WHEN %(missing)s THEN coalesce(contacts.first_name, excluded.first_name) ELSE excluded.first_name END,
            full_name = CASE WHEN %(missing)s THEN coalesce(contacts.full_name, excluded.full_name) ELSE excluded.full_name END,
            email = CASE WHEN %(missing)s THEN coalesce(contacts.email, excluded.email) ELSE excluded.email END,
            phone = CASE WHEN %(missing)s THEN coalesce(contacts.phone, excluded.phone) ELSE excluded.phone END
        """,
        contact | {"id": account_id, "missing": only_missing},
    )
