"""Reading the audit log: pages of entries, and the verification of its hash chains."""

import re
from datetime import datetime

from memory.database import Read
from recoup.errors import Malformed
from recoup.record import Record

MOST_PROBLEMS = 100
POSITION = re.compile(r"[0-9]{1,18}")


class EntryRow(Record):
    """One entry. ``id`` is ``chain/n``."""

    id: str
    chain: str
    n: int
    subject: str
    kind: str
    state: str
    actor: str
    at: datetime
    data: dict[str, object]
    hash: str


class Verification(Record):
    """What recomputing the hashes gave. ``problems`` name chain and entry, at most a hundred of them."""

    entries: int
    verified: int
    problems: tuple[str, ...]


async def page(
    session: Read, *, chain: str | None = None, subject: str | None = None, after: str | None = None, limit: int = 50
) -> list[EntryRow]:
    """Entries by chain and position; ``after`` is the id of the last one seen. Raises Malformed where it is no such id."""
    after_chain, _, after_n = (after or "/0").rpartition("/")
    if POSITION.fullmatch(after_n) is None:
        raise Malformed(f"{after!r} is no place in the audit log; take next_cursor of the page before")
    return await session.all(
        EntryRow,
        """
        SELECT chain || '/' || n AS id, chain, n, subject, kind, state, actor, at, (body::jsonb -> 'data') AS data, hash
        FROM audit_log
        WHERE (%(chain)s::text IS NULL OR chain = %(chain)s) AND (%(subject)s::text IS NULL OR subject = %(subject)s)
          AND (chain, n) > (%(after_chain)s, %(after_n)s::bigint)
        ORDER BY chain, n LIMIT %(limit)s
        """,
        {"chain": chain, "subject": subject, "after_chain": after_chain, "after_n": after_n if after_n.isdigit() else "0", "limit": limit},
    )


async def verify(session: Read, chain: str | None = None) -> Verification:
    """Recomputes the hashes of one chain or of all, and compares where each chain ends with its head."""
    rows = await session.dicts(
        """
        WITH walked AS (
            SELECT chain, n, hash, prev, lag(hash, 1, '') OVER w AS before, lag(n, 1, 0::bigint) OVER w AS n_before,
                   encode(sha256(convert_to(prev || body, 'UTF8')), 'hex') AS recomputed
            FROM audit_log WHERE %(chain)s::text IS NULL OR chain = %(chain)s WINDOW w AS (PARTITION BY chain ORDER BY n)
        ),
        broken AS (
            SELECT chain, n FROM walked WHERE hash <> recomputed OR prev <> before OR n <> n_before + 1
            UNION
            SELECT h.chain, h.n FROM audit_heads h LEFT JOIN audit_log l ON l.chain = h.chain AND l.n = h.n AND l.hash = h.hash
            WHERE (%(chain)s::text IS NULL OR h.chain = %(chain)s) AND h.n > 0 AND l.n IS NULL
        )
        SELECT (SELECT count(*) FROM walked) AS entries, (SELECT count(*) FROM broken) AS broken,
               (SELECT array_agg(chain || '/' || n) FROM (SELECT chain, n FROM broken ORDER BY 1, 2 LIMIT %(most)s) AS first) AS problems
        """,
        {"chain": chain, "most": MOST_PROBLEMS},
    )
    row = rows[0]
    return Verification(entries=row["entries"], verified=row["entries"] - row["broken"], problems=tuple(row["problems"] or ()))
