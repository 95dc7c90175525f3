"""What changed at Stripe, from the list of its events: everything that a webhook would have told, and from when on."""

from datetime import timedelta

import pytest

from recoup.errors import Malformed
from recoup.events import ObjectRef
from recoup.ports import FIRST_LOOK_BACK
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_paperwork import credit, revoke
from tests.vendors.stripe_stage import Stage
from tests.vendors.stripe_state import Customer, Invoice
from tools.billing.stripe import StripeBilling
from tools.billing.stripe_changes import LISTS, TYPES
from tools.billing.stripe_types import TYPES as READ_TYPES

# What is read of a webhook and not asked for, and what comes with it and is.
NO_DEBT = "no debt yet, and nothing that pays one"
IMPLIED = {
    "invoice.created": "invoice.finalized",
    "invoice.sent": "invoice.finalized",
    "invoice.finalization_failed": NO_DEBT,
    "invoice.will_be_due": NO_DEBT,
    "invoice.payment_attempt_required": "invoice.finalized",
    "invoice.payment_succeeded": "invoice.paid",
    "charge.captured": "charge.updated",
    "payment_intent.succeeded": "charge.succeeded",
    "payment_method.card_automatically_updated": "payment_method.automatically_updated",
    "customer.created": NO_DEBT,
}


@pytest.fixture
def owed(here: Stage) -> tuple[Invoice, Card]:
    return here.double.owed_invoice("insufficient_funds", "do_not_honor")


async def test_all_that_changed_is_found_again_window_by_window(here: Stage, platform: StripeBilling) -> None:
    billed = [here.double.owed_invoice("insufficient_funds", "ok")[0] for _ in range(3)]
    here.double.advance(timedelta(days=5))
    billed += [here.double.owed_invoice("ok")[0]]
    here.double.advance(timedelta(hours=2))
    refs, cursor, pages = await everything_since(platform, None)
    assert {ref.vendor_id for ref in refs if ref.kind == "invoice"} == {invoice.id for invoice in billed}
    assert pages < 40
    for ref in dict.fromkeys(refs):
        assert (await platform.fetch(ref)).event_type
    here.double.advance(timedelta(hours=2))
    again, _, pages = await everything_since(platform, cursor)
    assert (again, pages) == ([], 1)


async def test_every_type_that_is_read_of_a_webhook_is_asked_for_or_comes_with_one_that_is() -> None:
    assert set(IMPLIED) == set(READ_TYPES) - set(TYPES)
    assert set(IMPLIED.values()) <= {*TYPES, NO_DEBT}
    assert set(TYPES) <= set(READ_TYPES)
    assert all(len(types) <= 20 for types in LISTS)


async def test_what_happens_beside_paying_is_found_though_the_invoice_itself_tells_nothing(here: Stage, platform: StripeBilling) -> None:
    paid, card = here.double.owed_invoice("ok")
    here.double.advance(timedelta(hours=1))
    _, cursor, _ = await everything_since(platform, None)
    here.double.advance(timedelta(hours=1))
    credit(here.double.world, paid, 900)
    here.double.advance(timedelta(seconds=1))
    revoke(here.double.world, card)
    refs, _, _ = await everything_since(platform, cursor)
    credited, revoked = [await platform.fetch(ref) for ref in refs]
    assert credited.invoice
    assert (credited.invoice.vendor_id, credited.invoice.credited_minor) == (paid.id, 900)
    assert [(one.vendor_id, one.is_usable, one.mandate_status) for one in revoked.credentials] == [(card.id, False, "inactive")]


async def test_the_first_time_only_what_webhooks_could_still_tell_is_asked_for(here: Stage, platform: StripeBilling) -> None:
    old, _ = here.double.owed_invoice("ok")
    here.double.advance(timedelta(days=4, hours=1))
    lost, _ = here.double.owed_invoice("ok")
    here.double.advance(timedelta(days=3, hours=23))
    first = await platform.changed_since(None)
    assert first.begins == here.double.clock.now() - FIRST_LOOK_BACK
    told = {ref.vendor_id for ref in (await everything_since(platform, None))[0]}
    assert lost.id in told
    assert old.id not in told
    assert (await platform.changed_since(first.cursor)).begins is None


async def test_what_stripe_has_forgotten_is_said_to_be_missing(here: Stage, platform: StripeBilling) -> None:
    _, cursor, _ = await everything_since(platform, None)
    here.double.advance(timedelta(days=31))
    kept, _ = here.double.owed_invoice("ok")
    page = await platform.changed_since(cursor)
    assert page.begins == here.double.clock.now() - timedelta(days=30)
    assert kept.id in {ref.vendor_id for ref in (await everything_since(platform, cursor))[0]}


async def test_where_a_window_ends_no_event_of_that_second_is_lost(here: Stage, platform: StripeBilling) -> None:
    _, cursor, _ = await everything_since(platform, None)
    start = int(cursor.partition(":")[0])
    here.double.advance(timedelta(hours=1, seconds=start % 60))
    for _ in range(4):
        here.double.owed_invoice("ok")
        here.double.advance(timedelta(seconds=30))
    here.double.advance(timedelta(hours=2))
    for width in (60, 61, 90):
        refs, _, pages = await everything_since(platform, f"{start}:{width}")
        assert pages > 2
        for kind, kept in (("invoice", Invoice), ("payment_method", Card), ("customer", Customer)):
            assert {ref.vendor_id for ref in refs if ref.kind == kind} == {one.id for one in here.double.world.all(kept)}, kind


async def test_the_newest_changes_are_told_twice_in_case_some_came_late(
    here: Stage, platform: StripeBilling, owed: tuple[Invoice, Card]
) -> None:
    first, cursor, _ = await everything_since(platform, None)
    second, _, _ = await everything_since(platform, cursor)
    assert set(second) <= set(first)
    assert ObjectRef(kind="invoice", vendor_id=owed[0].id) in second


async def test_changes_are_told_oldest_first_and_each_object_once_a_page(here: Stage, platform: StripeBilling) -> None:
    invoices = [here.double.owed_invoice("insufficient_funds")[0] for _ in range(2)]
    here.double.advance(timedelta(minutes=5))
    here.pay(invoices[0], next(iter(here.double.world.all(Card))))
    refs, _, _ = await everything_since(platform, None)
    told = [ref.vendor_id for ref in refs if ref.kind == "invoice"]
    assert told == [invoices[1].id, invoices[0].id]


async def test_a_busy_minute_is_read_to_its_end(here: Stage, platform: StripeBilling) -> None:
    invoices = [here.double.owed_invoice("ok")[0] for _ in range(110)]
    refs, _, _ = await everything_since(platform, None)
    assert {ref.vendor_id for ref in refs if ref.kind == "invoice"} == {invoice.id for invoice in invoices}


async def test_a_cursor_of_another_platform_is_refused(platform: StripeBilling) -> None:
    with pytest.raises(Malformed):
        await platform.changed_since("2026-11-01T00:00:00Z")


async def everything_since(platform: StripeBilling, cursor: str | None) -> tuple[list[ObjectRef], str, int]:
    refs: list[ObjectRef] = []
    for pages in range(1, 10_000):
        page = await platform.changed_since(cursor)
        refs += page.refs
        cursor = page.cursor
        if not page.has_more:
            return refs, cursor, pages
    raise AssertionError("the changes have no end")
