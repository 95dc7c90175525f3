"""The audit log: insert-only, a hash chain per case. Every change of a row's state appends one entry, in the same transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from memory.database import Write
from recoup.digest import canonical_json

Kind = Literal["case", "action", "approval", "timer", "decision", "reservation", "policy", "key", "switch", "event", "task", "account"]


async def append(
    tx: Write, *, chain: str, subject: str, kind: Kind, state: str, actor: str, at: datetime, data: Mapping[str, object] | None = None
) -> None:
    """Adds one entry. ``chain`` is the case id, or ``policy``, ``keys``, ``switches``, ``accounts`` for what belongs to no case.

    ``state`` is the subject row's state after the change; ``data`` must be JSON-able and free of personal data.
    """
    body = canonical_json(
        {"chain": chain, "subject": subject, "kind": kind, "state": state, "actor": actor, "at": at.isoformat(), "data": dict(data or {})}
    )
    await tx.value(
        "SELECT audit_append(%s, %s, %s, %s, %s, %s, %s)",
        (chain, subject, kind, state, actor, at, body),
    )
