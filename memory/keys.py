"""API keys of named people: only a hash is kept, so a stolen database opens no door."""

import hashlib
import secrets
from datetime import datetime

from memory import audit
from memory.database import Read, Write
from recoup.errors import Conflict, Malformed, NotFound
from recoup.ids import new_id
from recoup.masking import mask_cards
from recoup.people import Person, Role
from recoup.record import Record

PREFIX = "rk_"
KEY_BYTES = 32
CHAIN = "keys"


class KeyRow(Record):
    """One key without the key."""

    id: str
    person: str
    role: Role
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


async def create(tx: Write, *, person: str, role: Role, by: str, at: datetime) -> tuple[str, KeyRow]:
    """A fresh key of 256 random bits, shown this once, and its row. Raises Malformed for a name that holds what may not be kept."""
    if mask_cards(person) != person:
        raise Malformed("a person is named in the audit log for good: give a name, not a number of a card")
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    row = KeyRow(id=new_id("key"), person=person, role=role, created_at=at, created_by=by, revoked_at=None)
    await _insert(tx, key, row)
    return key, row


async def ensure_admin(tx: Write, *, person: str, key: str, at: datetime) -> None:
    """Makes the first administrator's key the one given by whoever runs the machine; one that was revoked stays revoked."""
    await _insert(tx, key, KeyRow(id=new_id("key"), person=person, role=Role.ADMIN, created_at=at, created_by="recoup", revoked_at=None))


async def verify(session: Read, key: str) -> Person | None:
    """Whose key it is; None where it is not known or was revoked."""
    return await session.one(Person, "SELECT person AS name, role FROM api_keys WHERE hash = %s AND revoked_at IS NULL", (_hash(key),))


async def revoke(tx: Write, key_id: str, *, by: str, at: datetime) -> None:
    """Ends a key at once; raises NotFound, or Conflict where it has been revoked before."""
    if await tx.run("UPDATE api_keys SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL", (at, key_id)):
        await audit.append(tx, chain=CHAIN, subject=key_id, kind="key", state="revoked", actor=by, at=at)
        return
    if await tx.value("SELECT 1 FROM api_keys WHERE id = %s", (key_id,)):
        raise Conflict(f"key {key_id} is revoked already")
    raise NotFound(f"there is no key {key_id}")


async def all_keys(session: Read) -> list[KeyRow]:
    """Every key, oldest first, revoked ones too."""
    return await session.all(KeyRow, "SELECT id, person, role, created_at, created_by, revoked_at FROM api_keys ORDER BY created_at, id")


async def _insert(tx: Write, key: str, row: KeyRow) -> None:
    added = await tx.run(
        "INSERT INTO api_keys (id, person, role, hash, created_at, created_by)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (hash) DO NOTHING",
        (row.id, row.person, row.role, _hash(key), row.created_at, row.created_by),
    )
    if added:
        data = {"person": row.person, "role": row.role}
        await audit.append(tx, chain=CHAIN, subject=row.id, kind="key", state="active", actor=row.created_by, at=row.created_at, data=data)


def _hash(key: str) -> str:
    # A plain hash is enough: with 256 random bits there is nothing to guess, and each request pays for it.
    return hashlib.sha256(key.encode()).hexdigest()
