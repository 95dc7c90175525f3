"""Whatever fails while a platform is asked what changed: it goes on where it was, and nothing is lost or told twice."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from api.jobs import reconcile
from memory import inbox, reconciliations
from memory.database import Database
from recoup.case import CaseStatus
from recoup.clock import wall_now
from recoup.errors import Busy
from recoup.ports import ChangedPage
from tests.deciding import rows
from tests.integration.shop import MINUTES, Shop, open_shop
from tests.refusing import refusing_inserts
from tests.scenes import change
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_state import Version


@pytest.fixture(params=list(Version))
async def shop(db: Database, request: pytest.FixtureRequest) -> AsyncGenerator[Shop]:
    async with open_shop(db, request.param) as opened:
        yield opened


async def test_it_is_not_asked_before_it_is_due_nor_by_two_workers(shop: Shop) -> None:
    asked = shop.pages()
    await shop.pass_time(14 * MINUTES)
    await shop.reconcile()
    assert shop.pages() == asked
    await shop.pass_time(MINUTES)
    await change(shop.services.db, "UPDATE reconciliations SET lease_until = now() + interval '1 minute'")
    await reconcile.run(shop.services, shop.name)
    assert shop.pages() == asked
    await shop.reconcile()
    assert shop.pages() > asked


async def test_an_outage_in_the_middle_goes_on_where_it_was(shop: Shop) -> None:
    owed = [shop.stripe.double.owed_invoice("insufficient_funds")[0].id for _ in range(3)]
    shop.lose()
    await shop.pass_time(15 * MINUTES)
    # The first object can be read, and then nothing for a while.
    shop.stripe.double.misbehaviours.add(Trouble.UNAVAILABLE, "GET", f"/v1/invoices/{owed[1]}", times=3)
    await shop.reconcile()
    report = await shop.drift()
    assert report.last_error is not None
    assert report.looked_at is not None
    assert report.looked_at < shop.stripe.double.clock.now() - 14 * MINUTES
    seen = shop.pages()
    left = await rows(shop.services.db, "SELECT count(*) FROM reconciliation_refs")
    assert left[0][0] > 0
    for _ in range(3):
        await shop.reconcile()
    assert (await shop.drift()).last_error is None
    assert shop.pages() == seen, "the page that was read is not asked for again"
    await shop.take_in()
    assert sorted(await shop.cases()) == sorted((invoice, CaseStatus.OPEN) for invoice in owed)
    assert (await shop.missed())["invoice"] == 3


async def test_an_object_that_never_answers_holds_nobody_up_and_ends_dead(shop: Shop) -> None:
    first, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    second, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    shop.lose()
    await shop.pass_time(15 * MINUTES)
    silent = shop.stripe.double.misbehaviours.add(Trouble.UNAVAILABLE, "GET", f"/v1/invoices/{first.id}", times=1_000)
    for _ in range(reconcile.MOST_FAILURES):
        await shop.reconcile()
    await shop.take_in()
    assert await shop.cases() == [(second.id, CaseStatus.OPEN)]
    assert (await shop.drift()).last_error is not None
    for _ in range(4):
        await shop.reconcile()
    assert (await shop.drift()).last_error is None
    await shop.take_in()
    dead = await rows(shop.services.db, "SELECT id FROM inbox WHERE status = 'dead'")
    assert dead, "listed, and a person's to replay"
    shop.stripe.double.misbehaviours.lift(silent)
    async with shop.services.db.write() as tx:
        for (event_id,) in dead:
            await inbox.replay(tx, event_id, actor="ada", at=wall_now())
    await shop.take_in()
    assert sorted(await shop.cases()) == sorted([(first.id, CaseStatus.OPEN), (second.id, CaseStatus.OPEN)])


async def test_who_lost_the_lease_saves_nothing(shop: Shop) -> None:
    await shop.pass_time(15 * MINUTES)
    now = shop.stripe.double.clock.now()
    async with shop.services.db.write() as tx:
        stale = await reconciliations.claim(tx, shop.name, now, wall_now())
    async with shop.services.db.write() as tx:
        assert await reconciliations.claim(tx, shop.name, now, wall_now() + 2 * MINUTES)
    assert stale is not None
    with pytest.raises(Busy):
        async with shop.services.db.write() as tx:
            await reconciliations.keep_page(tx, stale, ChangedPage(refs=(), cursor="1:1", has_more=False), wall_now())


async def test_a_page_is_kept_with_all_that_it_names_or_read_again(shop: Shop, owner_url: str) -> None:
    lost, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    shop.lose()
    await shop.pass_time(15 * MINUTES)
    with refusing_inserts(owner_url, "reconciliation_refs"):
        await shop.reconcile()
    assert (await shop.drift()).last_error is not None
    # Behind every overlap: what was not kept is nowhere else.
    await shop.pass_time(timedelta(hours=3))
    await shop.reconcile()
    await shop.take_in()
    assert await shop.cases() == [(lost.id, CaseStatus.OPEN)]


@pytest.mark.parametrize("table", ["drift", "inbox"])
async def test_an_object_is_looked_at_again_until_what_is_news_of_it_was_told(shop: Shop, owner_url: str, table: str) -> None:
    lost, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    shop.lose()
    await shop.pass_time(15 * MINUTES)
    with refusing_inserts(owner_url, table):
        for _ in range(10):
            await shop.reconcile()
    assert (await shop.drift()).last_error is not None
    await shop.pass_time(timedelta(hours=3))
    await shop.reconcile()
    await shop.take_in()
    assert await shop.cases() == [(lost.id, CaseStatus.OPEN)]
    assert (await shop.missed())["invoice"] == 1
