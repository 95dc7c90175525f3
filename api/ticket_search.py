"""What people ask of the memory of tickets, by the platform's ids: they may ask for any account, an agent only for its case's."""

from graph.bootstrap import Services
from memory.account_tickets import known_words, own_ticket
from memory.contacts import find_account
from memory.tickets import Scope
from recoup.errors import NotFound
from recoup.tickets import AccountRef, OwnTicket, SimilarCase


async def search_own(services: Services, owner: AccountRef, query: str, limit: int) -> list[OwnTicket]:
    """Exactly this account's tickets, best first, also of one that Recoup has no row of. Raises TicketsUnavailable, Misconfigured."""
    async with services.db.read() as session:
        known = (await known_words(session, [owner])).get(owner, [])
    now = await services.clock.now()
    found = await services.ticket_store.search(query, Scope.own([owner]), now=now, limit=limit, known=known)
    return [own_ticket(one) for one in found]


async def search_similar(services: Services, owner: AccountRef, query: str, limit: int) -> list[SimilarCase]:
    """What an agent at a case of this account would be told of others. Raises NotFound, TicketsUnavailable, Misconfigured."""
    async with services.db.read() as session:
        account_id = await find_account(session, owner.connection, owner.account)
    if account_id is None:
        raise NotFound(f"there is no account {owner.account} of {owner.connection}")
    return list(await services.tickets.similar(account_id, query, now=await services.clock.now(), limit=limit))
