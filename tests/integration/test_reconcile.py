"""What webhooks had lost is found by asking the platform what changed, enters once by the inbox, and is told in the drift report."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import pytest

from api.jobs import reconcile
from evals.invariants import check
from memory import keys
from memory.database import Database
from recoup.case import CaseStatus
from recoup.clock import wall_now
from recoup.people import Role
from recoup.ports import FIRST_LOOK_BACK
from tests.deciding import rows
from tests.integration.shop import MINUTES, Shop, open_shop
from tests.scenes import change
from tests.vendors.stripe_state import Customer, Version
from tools.billing.events_only import EventsOnly


@pytest.fixture(params=list(Version))
async def shop(db: Database, request: pytest.FixtureRequest) -> AsyncGenerator[Shop]:
    async with open_shop(db, request.param) as opened:
        yield opened


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


async def test_a_webhook_that_was_only_late_counts_as_told(shop: Shop) -> None:
    shop.stripe.double.owed_invoice("insufficient_funds")
    await shop.catch_up()
    assert (await shop.missed())["invoice"] == 1
    await shop.hear()
    assert "invoice" not in await shop.missed()
    [line] = [line for line in (await shop.drift()).kinds if line.kind == "attempt"]
    assert (line.found, line.told_later, line.missed) == (1, 1, 0)
    assert 15 * 60 <= line.longest_late_seconds <= 16 * 60


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
