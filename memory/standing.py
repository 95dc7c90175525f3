"""What executed actions change on our own rows: the service's standing of a case, the tags of an account."""

from datetime import datetime
from typing import Any

from memory import audit
from memory.database import Write


async def set_grace(tx: Write, case_id: str, until: datetime, *, at: datetime, actor: str = "worker") -> None:
    """The service stays on until then although the invoice is open. Decisions rest on it, so the case's version grows."""
    rows = await tx.dicts(
        "UPDATE cases SET grace_until = %s, version = version + 1 WHERE id = %s RETURNING status, holds, version", (until, case_id)
    )
    await _audit(tx, case_id, rows[0], at=at, actor=actor, data={"grace_until": until.isoformat()})


async def set_suspended(tx: Write, case_id: str, suspended: bool, *, at: datetime, actor: str = "worker") -> None:
    """The service was switched off or on again on the platform. Decisions rest on it, so the case's version grows."""
    rows = await tx.dicts(
        "UPDATE cases SET suspended = %s, version = version + 1 WHERE id = %s RETURNING status, holds, version", (suspended, case_id)
    )
    await _audit(tx, case_id, rows[0], at=at, actor=actor, data={"suspended": suspended})


async def add_tag(tx: Write, account_id: str, tag: str, *, at: datetime, actor: str = "worker") -> None:
    """Tags the account; a tag it has already stays as it is."""
    added = await tx.run(
        "UPDATE accounts SET tags = array_append(tags, %(tag)s) WHERE id = %(id)s AND NOT tags @> ARRAY[%(tag)s::text]",
        {"id": account_id, "tag": tag},
    )
    if added:
        await audit.append(tx, chain="accounts", subject=account_id, kind="account", state="tagged", actor=actor, at=at, data={"tag": tag})


async def _audit(tx: Write, case_id: str, row: dict[str, Any], *, at: datetime, actor: str, data: dict[str, object]) -> None:
    told = data | {"holds": list(row["holds"]), "version": row["version"]}
    await audit.append(tx, chain=case_id, subject=case_id, kind="case", state=row["status"], actor=actor, at=at, data=told)
