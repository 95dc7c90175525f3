"""The agents' questions are asked for the account of a row: with all that was merged into it, and with nobody's from the other world."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from memory.account_tickets import AccountTickets
from memory.contacts import find_account
from memory.database import Database
from memory.tickets import TicketStore
from recoup.errors import NotFound
from recoup.settings import Connection, Platform
from recoup.tickets import AccountRef, TicketMemory
from tests.factories import NOW, account_snapshot, invoice_snapshot, make_reading
from tests.fakes import make_services
from tests.scenes import absorb_reading, change
from tests.tickets import ADA, BO, CONNECTION, make_store, make_ticket

LIVE = AccountRef(connection="live", account="cus_live")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[TicketStore]:
    opened = make_store(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def rows(db: Database) -> dict[str, str]:
    """Ada's and Bo's accounts by their platform's id."""
    services, found = make_services(db), dict[str, str]()
    for owner in (ADA, BO):
        account = account_snapshot(vendor_id=owner.account)
        invoice = invoice_snapshot(vendor_id=f"in_{owner.account}", account_vendor_id=owner.account)
        await absorb_reading(services, make_reading(account=account, invoice=invoice))
        async with db.read() as session:
            found[owner.account] = await find_account(session, CONNECTION, owner.account) or ""
    return found


def memory(db: Database, store: TicketStore) -> TicketMemory:
    connections = [
        Connection(name=CONNECTION, platform=Platform.SANDBOX, livemode=False, simulated=True),
        Connection(name="live", platform=Platform.STRIPE, livemode=True, simulated=False),
    ]
    return AccountTickets(db, store, {connection.name: connection for connection in connections})


async def test_own_tickets_have_their_words_and_similar_ones_have_none(db: Database, store: TicketStore, rows: dict[str, str]) -> None:
    await store.put([make_ticket("T-1", "Refund, R01."), make_ticket("T-2", "Refund, R01.", BO, locale="pt-BR", topic="refund")])
    tickets = memory(db, store)
    [mine] = await tickets.own(rows["cus_ada"], "R01", now=NOW)
    assert (mine.ticket_id, mine.excerpt) == ("T-1", "Refund, R01.")
    [like_mine] = await tickets.similar(rows["cus_ada"], "R01", now=NOW)
    assert (like_mine.language, like_mine.topic, like_mine.opened) == ("pt", "refund", f"{NOW:%Y-%m}")
    assert "Refund, R01." not in like_mine.model_dump_json()
    assert mine.id != like_mine.id


async def test_an_account_brings_the_tickets_of_those_merged_with_it_whichever_is_asked(
    db: Database, store: TicketStore, rows: dict[str, str]
) -> None:
    await change(db, "UPDATE accounts SET merged_into = %s WHERE id = %s", rows["cus_ada"], rows["cus_bo"])
    await store.put([make_ticket("T-1", "About R01."), make_ticket("T-2", "About R01.", BO)])
    for asked in rows.values():
        assert {ticket.ticket_id for ticket in await memory(db, store).own(asked, "R01", now=NOW)} == {"T-1", "T-2"}
        assert await memory(db, store).similar(asked, "R01", now=NOW) == ()


async def test_live_and_test_accounts_never_see_each_others_cases(db: Database, store: TicketStore, rows: dict[str, str]) -> None:
    await store.put([make_ticket("T-1", "About R01.", LIVE), make_ticket("T-2", "About R01.", AccountRef(connection="gone", account="x"))])
    assert await memory(db, store).similar(rows["cus_ada"], "R01", now=NOW) == ()


async def test_an_account_that_is_not_there_is_refused(db: Database, store: TicketStore) -> None:
    with pytest.raises(NotFound):
        await memory(db, store).own("acc_none", "R01", now=NOW)
