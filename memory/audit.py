"""The audit log: insert-only, a hash chain per case. Every change of a row's state appends one entry, in the same transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from recoup.digest import canonical_json

if TYPE_CHECKING:
    from memory.database import Write

Kind = Literal[
    "case",
    "action",
    "approval",
    "timer",
    "decision",
    "reservation",
    "policy",
    "key",
    "switch",
    "event",
    "task",
    "account",
    "mirror",
    "tickets",
]


class Entry(NamedTuple):
    """One change of one row's state, on its way into the log."""

    chain: str
    subject: str
    kind: Kind
    state: str
    actor: str
    at: datetime
    body: str


async def append(
    tx: "Write", *, chain: str, subject: str, kind: Kind, state: str, actor: str, at: datetime, data: Mapping[str, object] | None = None
) -> None:
    """Adds one entry. ``chain`` is the case id, or ``policy``, ``keys``, ``switches``, ``accounts``, ``tickets`` for what is of no case.

    ``state`` is the subject row's state after the change; ``data`` must be JSON-able and free of personal data. The entry is kept
    with the transaction and written just before it commits, see ``write``.
    """
    body = canonical_json(
        {"chain": chain, "subject": subject, "kind": kind, "state": state, "actor": actor, "at": at.isoformat(), "data": dict(data or {})}
    )
    tx.journal.append(Entry(chain, subject, kind, state, actor, at, body))


async def write(tx: "Write", entries: Sequence[Entry]) -> None:
    """Writes a transaction's entries in one statement, as its last one before the commit.

    So the lock on a chain's head is always the last that a transaction takes, and chains are locked in their order: no two
    transactions wait for each other here, and the head is held for one round trip only.
    """
    if not entries:
        return
    columns = zip(*sorted(entries, key=lambda entry: entry.chain), strict=True)  # the sort is stable: order within a chain stays
    await tx.run(
        "SELECT audit_append(chain, subject, kind, state, actor, at, body)"
        " FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])"
        " AS entry (chain, subject, kind, state, actor, at, body)",
        [list(column) for column in columns],
    )
