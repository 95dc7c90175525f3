"""What webhooks had lost is found by asking the platform what changed, enters once by the inbox, and is told in the drift report."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, LiteralString

import httpx
import pytest

from api.app import create_app
from api.drift import Drift, drift_of
from api.jobs import intake, reconcile
from evals.invariants import check
from graph.bootstrap import Services
from memory import inbox, keys, reconciliations
from memory.database import Database
from memory.facts import DatabaseFacts
from recoup.case import CaseStatus
from recoup.clock import FixedClock, wall_now
from recoup.errors import Busy
from recoup.people import Role
from recoup.ports import FIRST_LOOK_BACK, ChangedPage
from recoup.settings import Connection
from tests.contract.stripe_bench import billing as stripe_billing
from tests.contract.stripe_bench import connection_on
from tests.deciding import rows
from tests.fakes import make_services
from tests.scenes import change
from tests.vendors.chassis_courier import Parcel
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_stage import Stage, stage
from tests.vendors.stripe_state import Customer, Invoice, Version
from tools.billing.events_only import EventsOnly

DOOR = "http://recoup.test"
MINUTES = timedelta(minutes=1)


@dataclass
class Shop:
    """Recoup and a double of Stripe, connected both ways; both clocks show the same."""

    services: Services
    connection: Connection
    stripe: Stage
    client: httpx.AsyncClient

    async def restart(self) -> None:
        """As if Recoup had just been connected."""
        await change(self.services.db, "DELETE FROM reconciliations")
        await reconcile.begin(self.services)
        await self.reconcile()
        await self.take_in()

    @property
    def name(self) -> str:
        return self.connection.name

    async def pass_time(self, by: timedelta) -> None:
        """Time passes, and the platform does what is due; nothing is delivered by that."""
        self.stripe.double.advance(by)
        clock = self.services.clock
        assert isinstance(clock, FixedClock)
        clock.at = self.stripe.double.clock.now()

    async def hear(self, *, times: int = 1) -> None:
        """The webhooks that wait are delivered, newest first, and everything in the inbox is processed."""
        for parcel in reversed(self.lose() * times):
            await self.post(parcel)
        await self.take_in()

    async def post(self, parcel: Parcel) -> None:
        """One webhook comes. The platform's clock is ahead of the machine's, by which signatures grow old."""
        headers = {"content-type": "application/json", **parcel.sign(parcel.body, wall_now())}
        answer = await self.client.post(parcel.url, content=parcel.body, headers=headers)
        assert answer.status_code == 202, answer.text

    def lose(self) -> list[Parcel]:
        """What the platform wanted to tell never comes."""
        return self.stripe.double.courier.drop()

    async def take_in(self) -> None:
        """Every event that waits is processed, its pauses cut short."""
        for _ in range(intake.MOST_TRIES):
            for (event_id,) in await rows(self.services.db, "SELECT id FROM inbox WHERE status = 'accepted' ORDER BY id"):
                await intake.run(self.services, event_id)
            await change(self.services.db, "UPDATE inbox SET lease_until = NULL WHERE status = 'accepted'")

    async def reconcile(self) -> None:
        """One run of the job, its pause cut short."""
        await change(self.services.db, "UPDATE reconciliations SET lease_until = NULL")
        await reconcile.run(self.services, self.name)

    async def catch_up(self) -> None:
        """A quarter of an hour later the platform is asked, and what is found is taken in."""
        await self.pass_time(15 * MINUTES)
        await self.reconcile()
        await self.take_in()

    def pages(self) -> int:
        """How often the platform was asked what changed."""
        asked = self.stripe.double.exchanges("GET", "/v1/events")
        return sum("invoice.voided" in exchange.request.query for exchange in asked)

    async def drift(self) -> Drift:
        return await drift_of(self.services.db, self.services.connections, self.name)

    async def missed(self) -> dict[str, int]:
        """How many of each kind of object nothing but asking has told."""
        return {line.kind: line.missed for line in (await self.drift()).kinds if line.missed}

    async def ours(self) -> list[tuple[Any, ...]]:
        """The events by which something entered that no webhook told."""
        return await rows(self.services.db, "SELECT vendor_event_id, status FROM inbox WHERE event_type = 'recoup.reconciliation'")

    async def cases(self) -> list[tuple[str, str]]:
        """Invoice and status of every case."""
        return await rows(
            self.services.db, "SELECT i.vendor_id, c.status FROM cases c JOIN invoices i ON i.id = c.invoice_id ORDER BY c.id"
        )

    async def standing(self, invoice: Invoice) -> tuple[str, int] | None:
        """Its status and what remains, by our rows."""
        sql: LiteralString = "SELECT status, remaining_minor FROM invoices WHERE vendor_id = %s"
        found = await rows(self.services.db, sql, invoice.id)
        return (found[0][0], found[0][1]) if found else None


@pytest.fixture(params=list(Version))
async def shop(db: Database, request: pytest.FixtureRequest) -> AsyncGenerator[Shop]:
    """Connected yesterday: the platform's history before that is over, and all is quiet."""
    start = wall_now().replace(microsecond=0) - timedelta(minutes=1)
    with stage(request.param, start=start) as served:
        endpoint = served.double.add_endpoint(f"{DOOR}/webhooks/stripe-eu")
        connection = connection_on(served, webhook_secrets=(endpoint.secrets[0],))
        platform = stripe_billing(served)
        made = make_services(db, billing=platform, clock=FixedClock(served.double.clock.now()))
        connections, billing = {connection.name: connection}, {connection.name: platform}
        services = replace(made, connections=connections, billing=billing, facts=DatabaseFacts(db, connections, billing))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app(services)), base_url=DOOR) as client:
            opened = Shop(services, connection, served, client)
            await reconcile.begin(services)
            while (await opened.drift()).looked_at is None:
                await opened.reconcile()
            yield opened
        await platform.aclose()


async def test_where_every_webhook_came_nothing_is_found(shop: Shop) -> None:
    invoice, card = shop.stripe.double.owed_invoice("insufficient_funds")
    await shop.hear(times=2)
    await shop.catch_up()
    shop.stripe.double.customer_pays(invoice, card)
    await shop.hear()
    await shop.catch_up()
    await shop.catch_up()
    assert await shop.missed() == {}
    assert await shop.ours() == []
    assert await shop.cases() == [(invoice.id, CaseStatus.RECOVERED)]


async def test_what_webhooks_lost_is_found_and_told_once(shop: Shop) -> None:
    invoice, card = shop.stripe.double.owed_invoice("insufficient_funds")
    assert shop.lose()
    assert await shop.cases() == []
    await shop.catch_up()
    assert await shop.cases() == [(invoice.id, CaseStatus.OPEN)]
    assert await shop.missed() == {"invoice": 1, "attempt": 1, "payment_method": 1, "account": 1}
    shop.stripe.double.customer_pays(invoice, card)
    shop.lose()
    told_before = await shop.ours()
    await shop.catch_up()
    assert await shop.cases() == [(invoice.id, CaseStatus.RECOVERED)]
    assert (await shop.missed())["attempt"] == 2
    told = await shop.ours()
    assert len(told) > len(told_before)
    # Windows overlap, and what is known is known.
    await shop.reconcile()
    await shop.catch_up()
    await shop.catch_up()
    assert await shop.ours() == told
    assert {status for _, status in told} == {"processed"}


async def test_an_outage_longer_than_stripe_delivers_again_loses_nothing(shop: Shop) -> None:
    known, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    await shop.hear()
    before = shop.stripe.double.clock.now()
    lost = [shop.stripe.double.owed_invoice(*["insufficient_funds"] * tries) for tries in (1, 3, 3)]
    shop.stripe.double.customer_pays(*lost[0])
    assert known.subscription
    shop.stripe.client.delete(f"/v1/subscriptions/{known.subscription}").raise_for_status()
    # Nobody was there for six days, and by then every redelivery had been given up.
    await shop.pass_time(timedelta(days=6))
    shop.lose()
    await shop.catch_up()
    owed = {invoice.id: CaseStatus.OPEN for invoice, _ in lost[1:]}
    assert dict(await shop.cases()).items() >= owed.items()
    assert await shop.standing(lost[0][0]) == ("paid", 0)
    report = await shop.drift()
    told = {line.kind: line for line in report.kinds}
    assert (told["invoice"].unknown, told["account"].unknown) == (3, 3)
    assert told["attempt"].missed >= 4
    assert told["cancellation"].missed == 1
    assert told["attempt"].longest_late_seconds >= timedelta(days=6).total_seconds()
    assert report.told_from is not None
    assert report.told_from < before


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


async def test_a_webhook_that_was_only_late_counts_as_told(shop: Shop) -> None:
    shop.stripe.double.owed_invoice("insufficient_funds")
    await shop.catch_up()
    assert (await shop.missed())["invoice"] == 1
    await shop.hear()
    assert "invoice" not in await shop.missed()
    [line] = [line for line in (await shop.drift()).kinds if line.kind == "attempt"]
    assert (line.found, line.told_later, line.missed) == (1, 1, 0)
    assert 15 * 60 <= line.longest_late_seconds <= 16 * 60


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


async def test_webhooks_that_wait_go_first(shop: Shop) -> None:
    shop.stripe.double.owed_invoice("insufficient_funds")
    await shop.pass_time(15 * MINUTES)
    asked = shop.pages()
    await shop.post(shop.lose()[0])
    await change(shop.services.db, "UPDATE inbox SET received_at = received_at - interval '2 seconds'")
    await shop.reconcile()
    assert shop.pages() == asked
    await shop.take_in()
    await shop.reconcile()
    assert shop.pages() > asked


async def test_a_lost_cancellation_is_found_once(shop: Shop) -> None:
    invoice, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    assert invoice.subscription is not None
    await shop.hear()
    shop.stripe.client.delete(f"/v1/subscriptions/{invoice.subscription}").raise_for_status()
    assert shop.lose()
    await shop.catch_up()
    assert (await shop.missed())["cancellation"] == 1
    told = await shop.ours()
    await shop.reconcile()
    await shop.catch_up()
    assert await shop.ours() == told


async def test_a_lost_dispute_of_what_is_paid_closes_and_opens_nothing(shop: Shop) -> None:
    invoice, card = shop.stripe.double.owed_invoice("insufficient_funds")
    charge = shop.stripe.double.customer_pays(invoice, card)
    assert charge is not None
    await shop.hear()
    before = await shop.cases()
    shop.stripe.double.customer_disputes(charge)
    assert shop.lose()
    await shop.catch_up()
    assert await shop.cases() == before


async def test_a_lost_change_of_card_is_found_once_and_wants_a_decision(shop: Shop) -> None:
    invoice, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    await shop.hear()
    await change(shop.services.db, "UPDATE cases SET needs_decision = false")
    shop.stripe.double.add_card(shop.stripe.double.world.get(Customer, invoice.customer))
    assert shop.lose()
    await shop.catch_up()
    assert (await shop.missed())["payment_method"] == 2, "the new card, and the old one, which is the default no more"
    wanted = await rows(shop.services.db, "SELECT needs_decision FROM cases")
    assert wanted == [(True,)]
    await change(shop.services.db, "UPDATE cases SET needs_decision = false")
    told = await shop.ours()
    await shop.reconcile()
    await shop.catch_up()
    assert await shop.ours() == told
    assert await rows(shop.services.db, "SELECT needs_decision FROM cases") == [(False,)]


async def test_the_report_is_read_over_http(shop: Shop) -> None:
    invoice, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    shop.lose()
    await shop.catch_up()
    async with shop.services.db.write() as tx:
        key, _ = await keys.create(tx, person="vera", role=Role.VIEWER, by="test", at=wall_now())
    headers = {"Authorization": f"Bearer {key}"}
    assert (await shop.client.get(f"/api/v1/connections/{shop.name}/drift")).status_code == 401
    assert (await shop.client.get("/api/v1/connections/nobody/drift", headers=headers)).status_code == 404
    report = (await shop.client.get(f"/api/v1/connections/{shop.name}/drift", headers=headers)).json()
    assert (report["connection"], report["missed"], report["last_error"]) == (shop.name, 4, None)
    [line] = [line for line in report["kinds"] if line["kind"] == "invoice"]
    assert (line["found"], line["told_later"], line["missed"], line["unknown"]) == (1, 0, 1, 1)
    assert invoice.id not in str(report)


async def test_the_first_time_it_looks_back_as_far_as_webhooks_could_still_tell(shop: Shop) -> None:
    old, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    shop.stripe.client.post(f"/v1/invoices/{old.id}", data={"auto_advance": "false"}).raise_for_status()
    await shop.pass_time(FIRST_LOOK_BACK + MINUTES)
    lost, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    shop.lose()
    await shop.pass_time(timedelta(days=1))
    shop.lose()
    await shop.restart()
    assert await shop.cases() == [(lost.id, CaseStatus.OPEN)]
    assert await shop.standing(old) is None, "what is older is left to a backfill, and the report says from when on it was asked"
    assert (await shop.drift()).told_from == shop.stripe.double.clock.now() - FIRST_LOOK_BACK


async def test_a_platform_that_cannot_tell_what_changed_is_named_and_asked_again_later(shop: Shop) -> None:
    deaf = {shop.name: EventsOnly(shop.name)}
    services = replace(shop.services, billing=deaf)
    await shop.pass_time(15 * MINUTES)
    await reconcile.run(services, shop.name)
    report = await shop.drift()
    assert report.last_error is not None
    assert report.due_at is not None
    assert report.due_at > shop.stripe.double.clock.now()


async def test_every_event_ends_once_and_all_that_changed_is_on_record(shop: Shop) -> None:
    for number in range(3):
        invoice, card = shop.stripe.double.owed_invoice("insufficient_funds")
        if number != 1:
            shop.stripe.double.customer_pays(invoice, card)
        if number:
            shop.lose()
        await shop.catch_up()
    wanted = ["events_end_once", "audit_covers_every_change", "no_card_or_personal_data"]
    report = await check(shop.services.db, {}, None, patience_seconds=0, only=wanted)
    assert report.violations == dict.fromkeys(wanted, 0)


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


async def test_what_becomes_true_again_is_told_again(shop: Shop) -> None:
    invoice, _ = shop.stripe.double.owed_invoice("insufficient_funds")
    await shop.hear()
    customer = shop.stripe.double.world.get(Customer, invoice.customer)
    for address in ("bo@customer.example", "cy@customer.example", "bo@customer.example"):
        before, customer.email = customer.email, address
        shop.stripe.double.world.tell("customer.updated", customer, {"email": before})
        shop.lose()
        await shop.catch_up()
        assert await rows(shop.services.db, "SELECT email FROM contacts") == [(address,)]
    assert [status for _, status in await shop.ours()] == ["processed"] * 3


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
