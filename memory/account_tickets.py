"""Answers the agents' two questions about tickets for the account of a row, and knows what may be shown of others."""

from collections.abc import Mapping
from datetime import datetime

from memory.database import Database, Read
from memory.tickets import Found, Scope, TicketStore
from recoup.errors import NotFound
from recoup.record import Record
from recoup.settings import Connection
from recoup.tickets import MAX_FOUND, AccountRef, OwnTicket, SimilarCase


class _Words(Record):
    connection: str
    account: str
    first_name: str | None
    full_name: str | None
    email: str | None
    phone: str | None

    def known(self) -> list[str]:
        return [word for word in (self.full_name, self.first_name, self.email, self.phone) if word and word.strip()]


class AccountTickets:
    """``recoup.tickets.TicketMemory`` over the store and the rows."""

    def __init__(self, db: Database, store: TicketStore, connections: Mapping[str, Connection]) -> None:
        self._db, self._store, self._connections = db, store, connections

    async def own(self, account_id: str, query: str, *, now: datetime, limit: int = 5) -> tuple[OwnTicket, ...]:
        """See the protocol; an account that was merged brings the tickets of all its parts. Raises NotFound for no such account."""
        owners, known = await self._owners(account_id)
        found = await self._store.search(query, Scope.own(owners), now=now, limit=min(limit, MAX_FOUND), known=known)
        return tuple(map(own_ticket, found))

    async def similar(self, account_id: str, query: str, *, now: datetime, limit: int = 5) -> tuple[SimilarCase, ...]:
        """See the protocol. Raises NotFound for no such account."""
        owners, known = await self._owners(account_id)
        connection = self._connections.get(owners[0].connection)
        if connection is None:
            return ()
        reach = [name for name, other in self._connections.items() if other.simulated == connection.simulated]
        scope = Scope.others(owners, reach)
        found = await self._store.search(query, scope, now=now, limit=min(limit, MAX_FOUND), known=known)
        return tuple(map(similar_case, found))

    async def _owners(self, account_id: str) -> tuple[list[AccountRef], list[str]]:
        async with self._db.read() as session:
            owners = await refs_of(session, account_id)
            words = await known_words(session, owners)
        return owners, [word for ref in owners for word in words.get(ref, ())]


async def refs_of(session: Read, account_id: str) -> list[AccountRef]:
    """The account as its platform names it, then the accounts that were merged with it. Raises NotFound."""
    refs = await session.all(
        AccountRef,
        "WITH whole AS (SELECT coalesce(merged_into, id) AS id FROM accounts WHERE id = %(id)s)"
        " SELECT a.connection, a.vendor_id AS account FROM accounts a, whole WHERE whole.id IN (a.id, a.merged_into)"
        " ORDER BY a.id <> %(id)s, a.id",
        {"id": account_id},
    )
    if not refs:
        raise NotFound(f"there is no account {account_id}")
    return refs


async def known_words(session: Read, owners: list[AccountRef]) -> dict[AccountRef, list[str]]:
    """What is known of the people behind accounts: to be masked in what they write."""
    rows = await session.all(
        _Words,
        "SELECT a.connection, a.vendor_id AS account, c.first_name, c.full_name, c.email, c.phone"
        " FROM unnest(%s::text[], %s::text[]) AS asked (connection, account)"
        " JOIN accounts a ON a.connection = asked.connection AND a.vendor_id = asked.account JOIN contacts c ON c.account_id = a.id",
        ([owner.connection for owner in owners], [owner.account for owner in owners]),
    )
    return {AccountRef(connection=row.connection, account=row.account): row.known() for row in rows}


def own_ticket(found: Found) -> OwnTicket:
    """What an account may see of its own ticket."""
    row = found.row
    return OwnTicket(
        id=row.cite,
        ticket_id=row.ticket_id,
        opened_at=row.opened_at,
        topic=row.topic,
        resolution=row.resolution,
        category=row.category,
        excerpt=row.text,
        score=round(found.score, 4),
    )


def similar_case(found: Found) -> SimilarCase:
    """What anybody may see of somebody else's ticket: no word that a person has written."""
    row = found.row
    return SimilarCase(
        id=row.cite,
        opened=f"{row.opened_at:%Y-%m}",
        language=row.locale.partition("-")[0] if row.locale else None,
        topic=row.topic,
        resolution=row.resolution,
        category=row.category,
        score=round(found.score, 4),
    )
