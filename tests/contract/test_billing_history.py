"""The past of every platform that can be read: complete, newest first, in pages that can be gone on with."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from recoup.errors import Malformed, NotFetchable
from recoup.events import Reading
from recoup.ports import BillingPlatform
from tests.contract.recurly_bench import recurly_bench
from tests.contract.stripe_bench import billing
from tests.factories import make_connection
from tests.sandbox_server import API_KEY, advance, client_of, ledger, running_sandbox, sandbox_options
from tests.vendors.chassis import DEFAULT_START
from tests.vendors.stripe_stage import stage
from tests.vendors.stripe_state import Version
from tools.billing.events_only import EventsOnly
from tools.billing.sandbox import SandboxBilling
from tools.sandbox.population import DEFAULT_START as SANDBOX_START

LONG_AGO = timedelta(days=365)
HOW_MANY = 120


@dataclass(frozen=True)
class Past:
    """A platform with more than one page of invoices. ``invoices``: their ids by its own books; ``begins``: its first day."""

    platform: BillingPlatform
    invoices: frozenset[str]
    begins: datetime


@asynccontextmanager
async def stripe(version: Version, _home: Path) -> AsyncGenerator[Past]:
    with stage(version) as here:
        made: set[str] = set()
        for number in range(HOW_MANY):
            made.add(here.double.owed_invoice(*(("insufficient_funds",) if number % 2 else ("ok",)))[0].id)
            here.double.advance(timedelta(hours=3))
        async with billing(here) as platform:
            yield Past(platform, frozenset(made), DEFAULT_START)


@asynccontextmanager
async def recurly(_version: Version, _home: Path) -> AsyncGenerator[Past]:
    with recurly_bench() as here:
        made: set[str] = set()
        for _ in range(HOW_MANY):
            made.add(here.owing().id)
            here.double.advance(timedelta(hours=3))
        yield Past(here.billing(), frozenset(made), DEFAULT_START)
        for platform in here.opened:
            await platform.aclose()


@asynccontextmanager
async def sandbox(_version: Version, home: Path) -> AsyncGenerator[Past]:
    with running_sandbox(sandbox_options(home, cases=150)) as address, client_of(address) as control:
        advance(control, 20)
        made = frozenset(row["vendor_id"] for row in ledger(control)["invoices"] if row["status"] != "draft")
        async with SandboxBilling(make_connection(api_base=address, api_key=API_KEY)) as platform:
            yield Past(platform, made, SANDBOX_START)


PLATFORMS = {
    "stripe-old": (stripe, Version.OLD),
    "stripe-new": (stripe, Version.NEW),
    "recurly": (recurly, Version.NEW),
    "sandbox": (sandbox, Version.NEW),
}


@pytest.fixture(params=list(PLATFORMS))
async def past(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Past]:
    opened, version = PLATFORMS[request.param]
    async with opened(version, tmp_path) as made:
        yield made


async def told(past: Past, since: datetime, cursor: str | None = None) -> list[Reading]:
    """Every reading from the cursor on."""
    readings: list[Reading] = []
    while True:
        page = await past.platform.history(since, cursor)
        assert page.unread == ()
        readings += page.readings
        cursor = page.cursor
        if not page.has_more:
            return readings


def ids(readings: list[Reading]) -> list[str]:
    return [reading.invoice.vendor_id for reading in readings if reading.invoice]


def issued(readings: list[Reading]) -> list[datetime]:
    return [reading.invoice.issued_at for reading in readings if reading.invoice and reading.invoice.issued_at]


async def test_the_whole_past_is_told_once_newest_first(past: Past) -> None:
    readings = await told(past, past.begins - LONG_AGO)
    assert len(readings) == len(past.invoices) > 40
    assert set(ids(readings)) == past.invoices
    assert issued(readings) == sorted(issued(readings), reverse=True)


async def test_each_is_as_complete_as_when_it_is_read_alone(past: Past) -> None:
    page = await past.platform.history(past.begins - LONG_AGO, None)
    for reading in page.readings:
        assert reading.invoice
        alone = await past.platform.read_invoice(reading.invoice.vendor_id)
        assert (reading.attempts, reading.credentials) == (alone.attempts, alone.credentials)
        assert (reading.invoice, reading.account) == (alone.invoice, alone.account)


async def test_it_goes_back_no_further_than_it_is_asked_to(past: Past) -> None:
    everything = issued(await told(past, past.begins - LONG_AGO))
    middle = everything[len(everything) // 2]
    some = issued(await told(past, middle))
    assert some == [at for at in everything if at >= middle]


async def test_a_cursor_goes_on_where_its_page_ended(past: Past) -> None:
    since = past.begins - LONG_AGO
    first = await past.platform.history(since, None)
    assert first.has_more
    assert first.reached == min(issued(list(first.readings)))
    rest = await told(past, since, first.cursor)
    assert [*ids(list(first.readings)), *ids(rest)] == ids(await told(past, since))


async def test_a_day_without_invoices_is_an_empty_page(past: Past) -> None:
    page = await past.platform.history(past.begins + LONG_AGO, None)
    assert (page.readings, page.has_more, page.reached) == ((), False, None)


async def test_a_cursor_of_somebody_else_is_refused(past: Past) -> None:
    with pytest.raises(Malformed):
        await past.platform.history(past.begins, "next page, please")


async def test_a_platform_known_by_events_alone_has_no_past() -> None:
    with pytest.raises(NotFetchable):
        await EventsOnly("stripe-eu").history(DEFAULT_START, None)
