"""What changed at Recurly, from its lists: also what no invoice shows, nothing lost while pages are turned, and from when on."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import httpx
import pytest

from recoup.errors import Malformed
from recoup.events import EventKind, ObjectRef
from recoup.invoice import AttemptStatus
from recoup.ports import FIRST_LOOK_BACK, BillingPlatform
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.vendors.recurly import headers_for

HOUR = timedelta(hours=1)


@pytest.fixture
async def recurly() -> AsyncGenerator[RecurlyBench]:
    with recurly_bench() as bench:
        yield bench
        for platform in bench.opened:
            await platform.aclose()


@pytest.fixture
def platform(recurly: RecurlyBench) -> BillingPlatform:
    return recurly.billing()


async def changed(platform: BillingPlatform, cursor: str | None) -> tuple[list[ObjectRef], str]:
    """Every ref from the cursor on, and the cursor to go on from."""
    refs: list[ObjectRef] = []
    while True:
        page = await platform.changed_since(cursor)
        refs += page.refs
        cursor = page.cursor
        if not page.has_more:
            return refs, cursor


def of(refs: list[ObjectRef], kind: str) -> list[str]:
    return [ref.vendor_id for ref in refs if ref.kind == kind]


async def quiet(recurly: RecurlyBench, platform: BillingPlatform) -> str:
    """A cursor at which all that happened has been told and lies behind every overlap."""
    recurly.double.advance(HOUR)
    _, cursor = await changed(platform, None)
    recurly.double.advance(HOUR)
    again, cursor = await changed(platform, cursor)
    assert again == []
    return cursor


async def test_what_changes_while_pages_are_turned_is_not_lost(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    account = recurly.double.account(recurly.double.card())
    invoices = [recurly.double.invoice(account).id for _ in range(205)]
    recurly.double.advance(HOUR)
    page = await platform.changed_since(None)
    told = list(page.refs)
    while not of(list(page.refs), "invoice"):
        page = await platform.changed_since(page.cursor)
        told += page.refs
    with recurly.double.lock:
        recurly.double.store.touch(recurly.double.store.invoices[invoices[0]], recurly.double.clock.now())
    rest, cursor = await changed(platform, page.cursor)
    assert set(of([*told, *rest], "invoice")) == set(invoices)
    assert rest[-1].vendor_id == invoices[0]
    again, cursor = await changed(platform, cursor)
    assert of(again, "invoice") == [invoices[0]], "windows overlap"
    recurly.double.advance(HOUR)
    _, cursor = await changed(platform, cursor)
    assert (await changed(platform, cursor))[0] == []


async def test_what_changes_in_a_list_that_is_behind_is_told_in_the_next_round(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    cursor = await quiet(recurly, platform)
    page = await platform.changed_since(cursor)
    recurly.double.advance(HOUR)
    recurly.double.close(recurly.double.store.accounts[invoice.account_id])
    recurly.double.advance(HOUR)
    rest, cursor = await changed(platform, page.cursor)
    assert of(rest, "account") == []
    assert of((await changed(platform, cursor))[0], "account") == [invoice.account_id]


async def test_a_closed_account_and_its_subscription_are_told_though_its_invoice_did_not_change(
    recurly: RecurlyBench, platform: BillingPlatform
) -> None:
    invoice = recurly.owing()
    cursor = await quiet(recurly, platform)
    recurly.double.close(recurly.double.store.accounts[invoice.account_id])
    refs, _ = await changed(platform, cursor)
    assert (of(refs, "account"), of(refs, "subscription"), of(refs, "invoice")) == ([invoice.account_id], invoice.subscription_ids, [])
    account, subscription = [await platform.fetch(ref) for ref in refs]
    assert account.kind is EventKind.ACCOUNT_CLOSED
    assert subscription.cancellation is not None


async def test_a_new_card_of_somebody_who_owes_is_told(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice, card = recurly.owing(), recurly.double.card("insufficient_funds")
    settled = recurly.double.account(recurly.double.card())
    cursor = await quiet(recurly, platform)
    for account, token in ((invoice.account_id, recurly.double.token(card)), (settled.id, recurly.double.token(recurly.double.card()))):
        await put(recurly, f"/accounts/{account}/billing_info", {"token_id": token})
    refs, _ = await changed(platform, cursor)
    assert of(refs, "billing_info") == [f"{invoice.account_id}/{recurly.primary(invoice).id}"]
    [credential] = (await platform.fetch(ObjectRef(kind="billing_info", vendor_id=of(refs, "billing_info")[0]))).credentials
    assert credential.vendor_id == recurly.primary(invoice).id


async def test_a_chargeback_is_told_though_the_invoice_stays_paid(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing("ok")
    payment = recurly.double.customer_pays(invoice)
    cursor = await quiet(recurly, platform)
    recurly.double.customer_disputes(payment)
    [ref], _ = await changed(platform, cursor)
    assert ref == ObjectRef(kind="invoice", vendor_id=invoice.id)
    assert (await platform.fetch(ref)).attempts[-1].status is AttemptStatus.REVERSED


async def test_a_refund_is_told_of_the_invoice_whose_payment_it_gives_back(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing("ok")
    recurly.double.customer_pays(invoice)
    cursor = await quiet(recurly, platform)
    with recurly.double.lock:
        recurly.double.collection.refund(invoice, 500, None)
    refs, _ = await changed(platform, cursor)
    for ref in refs:
        read = (await platform.fetch(ref)).invoice
        assert read
        assert (read.vendor_id, read.refunded_minor) == (invoice.id, 500)
    assert len(refs) == len(set(refs)) + 1 == 3, "the payment, the refund, and the invoice once in each of two lists"


async def test_the_first_time_only_what_webhooks_could_still_tell_is_asked_for(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    recurly.owing()
    recurly.double.advance(timedelta(days=1))
    old = recurly.double.account(recurly.double.card())
    recurly.double.advance(FIRST_LOOK_BACK + HOUR)
    lost = recurly.double.account(recurly.double.card())
    recurly.double.advance(FIRST_LOOK_BACK - HOUR)
    first = await platform.changed_since(None)
    assert first.begins == recurly.double.clock.now() - FIRST_LOOK_BACK
    assert (await platform.changed_since(first.cursor)).begins is None
    told = of((await changed(platform, None))[0], "account")
    assert lost.id in told
    assert old.id not in told


@pytest.mark.parametrize("cursor", ["next-page-please", "1767600000:3600", '{"since":"yesterday"}'])
async def test_a_cursor_of_somebody_else_is_refused(platform: BillingPlatform, cursor: str) -> None:
    with pytest.raises(Malformed):
        await platform.changed_since(cursor)


async def put(recurly: RecurlyBench, path: str, body: dict[str, str]) -> None:
    """The merchant's own page does something."""
    async with httpx.AsyncClient(base_url=recurly.url, headers=headers_for()) as client:
        (await client.put(path, json=body)).raise_for_status()
