"""What people change in the memory of tickets, noted in the audit log by whom: counts and our own ids, never whose tickets they were."""

from collections.abc import Sequence

from api.ticket_import import put_masked
from graph.bootstrap import Services
from memory import audit
from memory.contacts import find_account
from memory.tickets import TicketStore
from recoup.errors import Malformed
from recoup.people import Permission, Person
from recoup.tickets import AccountRef, Imported, Ticket

CHAIN = "tickets"


async def put_tickets(services: Services, person: Person, tickets: Sequence[Ticket]) -> Imported:
    """Stores tickets. Raises Forbidden, Malformed for one of a connection that is not there, TicketsUnavailable, Misconfigured."""
    person.must_have(Permission.OPERATE)
    if unknown := sorted({ticket.connection for ticket in tickets} - services.connections.keys()):
        # It would be stored and never found: what agents may see is decided by the connection.
        known = ", ".join(services.connections) or "none"
        raise Malformed(f"there is no connection {unknown[0]!r}; there are: {known}")
    done = await put_masked(services.db, services.ticket_store, tickets)
    await _note(services, person, "all", "imported", written=done.written, unchanged=done.unchanged)
    return done


async def delete_ticket(services: Services, person: Person, connection: str, ticket_id: str) -> int:
    """Forgets one ticket; how many there were. Raises Forbidden, TicketsUnavailable."""
    person.must_have(Permission.ADMINISTER)
    deleted = await services.ticket_store.delete_ticket(connection, ticket_id)
    await _note(services, person, "ticket", "deleted", tickets=deleted)
    return deleted


async def delete_account(services: Services, person: Person, owner: AccountRef) -> int:
    """Forgets an account's tickets, also of one that Recoup has no row of; how many there were. Raises Forbidden, TicketsUnavailable."""
    person.must_have(Permission.ADMINISTER)
    async with services.db.read() as session:
        account_id = await find_account(session, owner.connection, owner.account)
    deleted = await services.ticket_store.delete_account(owner)
    await _note(services, person, account_id or "unknown account", "deleted", tickets=deleted)
    return deleted


async def begin_reindex(services: Services, person: Person) -> TicketStore:
    """Begins to embed everything anew, and returns. Raises Forbidden, TicketsUnavailable where one is under way."""
    person.must_have(Permission.ADMINISTER)
    services.ticket_store.start_reindex()
    await _note(services, person, "all", "reindexing")
    return services.ticket_store


async def _note(services: Services, person: Person, subject: str, state: str, **counts: int) -> None:
    now = await services.clock.now()
    async with services.db.write() as tx:
        await audit.append(tx, chain=CHAIN, subject=subject, kind="tickets", state=state, actor=person.name, at=now, data=counts)
