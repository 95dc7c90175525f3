"""Takes tickets out of a source, page by page, into the store or through the API; nothing of it is silently dropped."""

from collections.abc import Awaitable, Callable, Sequence

from memory.account_tickets import known_words
from memory.database import Database
from memory.tickets import TicketStore
from recoup.record import Record
from recoup.tickets import BadRow, Imported, Ticket, TicketSource

Put = Callable[[Sequence[Ticket]], Awaitable[Imported]]


class ImportReport(Record):
    """What became of every row: ``written``, ``unchanged`` since an import before, or ``refused`` by line."""

    written: int
    unchanged: int
    refused: tuple[BadRow, ...]


async def import_tickets(source: TicketSource, put: Put, on_page: Callable[[int], None]) -> ImportReport:
    """All pages of the source; ``on_page`` hears how many tickets are done. Repeated after a failure, it ends the same."""
    done, refused, cursor = Imported(), list[BadRow](), None
    while True:
        page = await source.page(cursor)
        refused += page.refused
        if page.tickets:
            done += await put(page.tickets)
            on_page(done.written + done.unchanged)
        if not page.has_more:
            return ImportReport(written=done.written, unchanged=done.unchanged, refused=tuple(refused))
        cursor = page.cursor


async def put_masked(db: Database, store: TicketStore, tickets: Sequence[Ticket]) -> Imported:
    """Stores tickets with what our rows know of the people in them masked."""
    async with db.read() as session:
        known = await known_words(session, list(dict.fromkeys(ticket.owner for ticket in tickets)))
    return await store.put(tickets, known)
