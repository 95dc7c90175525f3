"""Who collects at Recurly, as its adapter reads it from the double: the platform until its dunning has nothing left to try."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from typing import Any

import pytest

from recoup.invoice import Collector
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.vendors.recurly_records import Invoice

DAY = timedelta(days=1)


@pytest.fixture
async def recurly() -> AsyncGenerator[RecurlyBench]:
    with recurly_bench() as bench:
        yield bench
        for platform in bench.opened:
            await platform.aclose()


async def collector(recurly: RecurlyBench, invoice: Invoice) -> Collector | None:
    platform = recurly.billing()
    told = (await platform.read_invoice(invoice.id)).invoice
    assert told is not None
    assert told.next_platform_attempt_at is None, "Recurly does not tell when"
    return told.collector


async def test_while_its_dunning_runs_recurly_collects(recurly: RecurlyBench) -> None:
    invoice = recurly.owing("insufficient_funds")
    assert await collector(recurly, invoice) is Collector.PLATFORM
    recurly.double.advance(3 * DAY)
    assert await collector(recurly, invoice) is Collector.PLATFORM


def _is_paid(recurly: RecurlyBench, invoice: Invoice) -> None:
    recurly.double.customer_pays(invoice, recurly.double.card("ok"))
    assert invoice.state == "paid"


def _is_given_up(recurly: RecurlyBench, invoice: Invoice) -> None:
    recurly.double.advance(40 * DAY)
    assert invoice.state == "failed"


def _is_left_past_due(recurly: RecurlyBench, invoice: Invoice) -> None:
    recurly.double.store.campaigns[invoice.dunning_campaign_id or ""].fail_invoice = False
    recurly.double.advance(40 * DAY)
    assert (invoice.state, invoice.final_dunning_event) == ("past_due", True)


def _was_tried_twenty_times(recurly: RecurlyBench, invoice: Invoice) -> None:
    with recurly.double.lock:
        while len(recurly.known(invoice)) < 20:
            recurly.double.collection.charge(invoice, recurly.primary(invoice), origin="force_collect", by="merchant")


def _is_sixty_days_old(recurly: RecurlyBench, invoice: Invoice) -> None:
    recurly.double.store.campaigns[invoice.dunning_campaign_id or ""].total_days = 90
    recurly.double.advance(60 * DAY)
    assert invoice.state == "past_due"


@pytest.mark.parametrize("happens", [_is_paid, _is_given_up, _is_left_past_due, _was_tried_twenty_times, _is_sixty_days_old])
async def test_after_its_end_nobody_but_us_collects(recurly: RecurlyBench, happens: Callable[[RecurlyBench, Any], None]) -> None:
    invoice = recurly.owing("insufficient_funds")
    happens(recurly, invoice)
    assert await collector(recurly, invoice) is Collector.RECOUP


async def test_an_invoice_that_is_sent_is_not_collected(recurly: RecurlyBench) -> None:
    invoice = recurly.owing("insufficient_funds", collection_method="manual")
    assert await collector(recurly, invoice) is Collector.RECOUP


async def test_a_method_that_was_refused_for_good_is_left_alone_until_it_is_changed(recurly: RecurlyBench) -> None:
    account = recurly.double.account(recurly.double.card("expired_card", "ok"))
    invoice = recurly.double.invoice(account, subscription=recurly.double.subscription(account))
    assert invoice.next_retry_at is None
    assert await collector(recurly, invoice) is Collector.RECOUP
    recurly.double.advance(DAY)
    with recurly.double.lock:
        primary = recurly.primary(invoice)
        primary.card = recurly.double.card("insufficient_funds")
        recurly.double.store.touch(primary, recurly.double.clock.now())
    assert await collector(recurly, invoice) is Collector.PLATFORM


async def test_a_backup_that_may_still_work_is_tried_as_well(recurly: RecurlyBench) -> None:
    account = recurly.double.account(recurly.double.card("expired_card"))
    recurly.double.billing_info(account, recurly.double.card("insufficient_funds"), backup=True)
    invoice = recurly.double.invoice(account, subscription=recurly.double.subscription(account))
    assert await collector(recurly, invoice) is Collector.PLATFORM
