"""What is done at Recurly is done once, and what nobody can tell from its books stays open: every lost answer, over real HTTP."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import httpx
import pytest

from recoup.errors import BillingUnavailable, Misconfigured, OutcomeUnknown
from recoup.ports import Absent, BillingPlatform, Effect, EffectResult, Found, Indeterminate
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.contract.tellings import what_was_done
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly_records import Invoice

HOUR = timedelta(hours=1)
BEFORE, MERCHANTS_FAILURE, MERCHANTS_SUCCESS = ("platform", "failed"), ("merchant", "failed"), ("merchant", "succeeded")


@pytest.fixture
async def recurly() -> AsyncGenerator[RecurlyBench]:
    with recurly_bench() as bench:
        yield bench
        for platform in bench.opened:
            await platform.aclose()


@pytest.fixture
def platform(recurly: RecurlyBench) -> BillingPlatform:
    return recurly.billing()


async def lost(platform: BillingPlatform, effect: Effect) -> None:
    """It is sent, and nobody knows what came of it."""
    with pytest.raises(OutcomeUnknown):
        await platform.perform(effect)


def newest(recurly: RecurlyBench, invoice: Invoice) -> str:
    """The newest transaction of an invoice in the double's own books."""
    return recurly.double.ledger()[-1].id if recurly.double.ledger()[-1].invoice == invoice.id else ""


# Charges


async def test_a_charge_says_what_came_of_it(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    good, bad, slow = recurly.owing(), recurly.owing("try_again"), recurly.owing("processing")
    for invoice, detail in [(good, "succeeded"), (bad, "declined: try_again"), (slow, "processing")]:
        effect = recurly.charge(invoice)
        result = await platform.perform(effect)
        assert what_was_done(result) == EffectResult(state="done", detail=detail, vendor_ref=newest(recurly, invoice))
        assert await platform.find_effect(effect) == Found(result=what_was_done(result))


async def test_the_method_that_was_decided_on_is_charged_and_no_other(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing("expired_card")
    backup = recurly.double.billing_info(recurly.double.store.accounts[invoice.account_id], recurly.double.card(), backup=True)
    result = await platform.perform(recurly.charge(invoice, name="use_backup_method", info=backup))
    assert (result.detail, recurly.double.ledger()[-1].fingerprint) == ("succeeded", backup.card.fingerprint)


async def test_a_site_without_wallets_charges_the_one_method_that_there_is(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    recurly.double.site.has_wallet = False
    invoice = recurly.owing("try_again", "ok")
    effect = recurly.charge(invoice)
    first = await platform.perform(effect)
    again = await platform.perform(effect)
    assert (first.detail, what_was_done(again)) == ("declined: try_again", what_was_done(first))
    assert await platform.find_effect(effect) == Found(result=what_was_done(first))
    other = effect.model_copy(update={"key": "act_2", "args": effect.args | {"credential_vendor_id": "abc"}})
    assert (await platform.perform(other)).state == "refused"
    assert recurly.made(invoice) == [BEFORE, MERCHANTS_FAILURE]


async def test_a_method_that_is_gone_or_none_of_recurlys_is_not_charged(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    for number, method in enumerate(["past-card:recurly:00", "nobodys"]):
        effect = recurly.charge(invoice, key=f"act_{number}")
        asked = effect.model_copy(update={"args": effect.args | {"credential_vendor_id": method}})
        assert (await platform.perform(asked)).state == "refused"
    assert recurly.made(invoice) == [BEFORE]


async def test_what_the_customer_just_paid_is_not_charged(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    effect = recurly.charge(invoice)
    recurly.double.before_next("PUT", "/invoices/", lambda: recurly.double.customer_pays(invoice))
    assert (await platform.perform(effect)).state == "refused"
    assert await platform.find_effect(effect) == Absent()
    assert recurly.made(invoice) == [BEFORE, ("customer", "succeeded")]


# Lost answers


@pytest.mark.parametrize("answer", ["ok", "try_again"])
async def test_an_answer_lost_after_processing_is_found_as_the_exact_transaction(
    recurly: RecurlyBench, platform: BillingPlatform, answer: str
) -> None:
    invoice = recurly.owing(answer)
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.RESET_AFTER, "PUT", "/invoices/")
    await lost(platform, effect)
    found = await platform.find_effect(effect)
    assert isinstance(found, Found)
    assert found.result.vendor_ref == newest(recurly, invoice)
    assert what_was_done(await platform.perform(effect)) == found.result, "its key still gives the same answer"
    assert len(recurly.made(invoice)) == 2


@pytest.mark.parametrize("trouble", [Trouble.RESET_BEFORE, Trouble.SERVER_ERROR, Trouble.UNAVAILABLE])
async def test_what_did_not_happen_is_absent_and_may_be_sent_again(
    recurly: RecurlyBench, platform: BillingPlatform, trouble: Trouble
) -> None:
    invoice = recurly.owing()
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(trouble, "PUT", "/invoices/")
    await lost(platform, effect)
    assert await platform.find_effect(effect) == Absent()
    assert (await platform.perform(effect)).detail == "succeeded"
    assert recurly.made(invoice) == [BEFORE, MERCHANTS_SUCCESS]


async def test_a_replayed_500_of_a_charge_that_was_made_is_found_by_its_transaction(
    recurly: RecurlyBench, platform: BillingPlatform
) -> None:
    invoice = recurly.owing()
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.STORED_SERVER_ERROR, "PUT", "/invoices/")
    for _ in range(2):
        await lost(platform, effect)
    found = await platform.find_effect(effect)
    assert isinstance(found, Found)
    assert (found.result.detail, found.result.vendor_ref) == ("succeeded", newest(recurly, invoice))
    assert recurly.made(invoice) == [BEFORE, MERCHANTS_SUCCESS]


async def test_a_replayed_500_of_a_charge_that_was_never_made_stays_open(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.LOST_SERVER_ERROR, "PUT", "/invoices/")
    for _ in range(3):
        await lost(platform, effect)
        assert await platform.find_effect(effect) == Absent()
    assert recurly.made(invoice) == [BEFORE]


async def test_an_expired_key_does_not_hide_the_transaction(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing("try_again", "ok")
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.RESET_AFTER, "PUT", "/invoices/")
    await lost(platform, effect)
    exact = newest(recurly, invoice)
    recurly.double.advance(2 * HOUR)
    found = await platform.find_effect(effect)
    assert isinstance(found, Found)
    assert (found.result.detail, found.result.vendor_ref) == ("declined: try_again", exact)


@pytest.mark.parametrize(("trouble", "is_ours_made"), [(Trouble.RESET_AFTER, True), (Trouble.LOST_SERVER_ERROR, False)])
async def test_recurlys_own_retry_at_the_same_time_is_not_taken_for_ours(
    recurly: RecurlyBench, platform: BillingPlatform, trouble: Trouble, is_ours_made: bool
) -> None:
    """It falls due between our sending and the processing, for the same amount on the same card."""
    invoice = recurly.owing("try_again", "try_again")
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(trouble, "PUT", "/invoices/")
    recurly.double.before_next("PUT", "/invoices/", lambda: recurly.double.advance(timedelta(days=2)))
    await lost(platform, effect)
    found = await platform.find_effect(effect)
    if is_ours_made:
        assert recurly.made(invoice) == [BEFORE, BEFORE, MERCHANTS_FAILURE]
        assert isinstance(found, Found)
        assert found.result.vendor_ref == newest(recurly, invoice)
    else:
        assert recurly.made(invoice) == [BEFORE, BEFORE]
        assert found == Absent()


async def test_recurlys_own_retry_that_succeeds_meanwhile_is_not_taken_for_ours(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing("ok")
    effect = recurly.charge(invoice)
    recurly.double.before_next("PUT", "/invoices/", lambda: recurly.double.advance(timedelta(days=2)))
    recurly.double.misbehaviours.add(Trouble.RESET_AFTER, "PUT", "/invoices/")
    await lost(platform, effect)
    assert await platform.find_effect(effect) == Absent()
    assert (await platform.perform(effect)).state == "refused", "the invoice is paid"
    assert recurly.made(invoice) == [BEFORE, ("platform", "succeeded")]


async def test_two_that_look_like_ours_are_left_to_a_person(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    """Another program of the merchant's collects the invoice in the same moment."""
    invoice = recurly.owing("try_again", "try_again")
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.RESET_AFTER, "PUT", "/invoices/")
    await lost(platform, effect)
    await platform.perform(effect.model_copy(update={"key": "somebody_else"}))
    assert isinstance(await platform.find_effect(effect), Indeterminate)


async def test_another_amount_is_left_to_a_person(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing("try_again")
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.RESET_AFTER, "PUT", "/invoices/")
    await lost(platform, effect)
    asked = effect.model_copy(update={"args": effect.args | {"amount_minor": 1}})
    assert isinstance(await platform.find_effect(asked), Indeterminate)


async def test_an_earlier_attempt_of_ours_is_not_taken_for_this_one(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing("try_again", "ok")
    await platform.perform(recurly.charge(invoice, "act_1"))
    effect = recurly.charge(invoice, "act_2")
    assert await platform.find_effect(effect) == Absent()
    assert (await platform.perform(effect)).detail == "succeeded"


async def test_while_our_first_request_is_under_way_the_second_leaves_it_unknown(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice, go_on = recurly.owing(), threading.Event()
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.HELD, "PUT", "/invoices/", seconds=10.0, until=go_on)
    first = asyncio.create_task(platform.perform(effect))

    def under_way() -> None:
        with recurly.double.changed:
            assert recurly.double.changed.wait_for(lambda: recurly.double.is_in_flight(effect.key), timeout=10)

    await asyncio.to_thread(under_way)
    assert await platform.find_effect(effect) == Absent()
    await lost(platform, effect)
    go_on.set()
    assert (await first).detail == "succeeded"
    assert recurly.made(invoice) == [BEFORE, MERCHANTS_SUCCESS]


async def test_an_answer_that_is_no_answer_leaves_it_unknown(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    effect = recurly.charge(invoice)
    recurly.double.misbehaviours.add(Trouble.WRONG_CONTENT_TYPE, "PUT", "/invoices/")
    await lost(platform, effect)
    assert isinstance(await platform.find_effect(effect), Found)


@pytest.mark.parametrize(("trouble", "error"), [(Trouble.RATE_LIMITED, BillingUnavailable), (Trouble.REVOKED_KEY, Misconfigured)])
async def test_what_was_turned_away_at_the_door_surely_did_not_happen(
    recurly: RecurlyBench, platform: BillingPlatform, trouble: Trouble, error: type[Exception]
) -> None:
    invoice = recurly.owing()
    recurly.double.misbehaviours.add(trouble, "PUT", "/invoices/")
    with pytest.raises(error):
        await platform.perform(recurly.charge(invoice))
    assert recurly.made(invoice) == [BEFORE]


async def test_a_gateway_that_did_not_answer_recurly_leaves_it_unknown() -> None:
    """Recurly tells of no transaction then, and advises to look at the gateway."""
    told = {"object": "transaction_error", "transaction_id": None, "category": "communication", "code": "gateway_timeout"}
    error = {"error": {"type": "transaction", "message": "-", "transaction_error": told}}
    with recurly_bench() as bench:
        invoice = bench.owing()
        platform = bench.billing(httpx.MockTransport(lambda _: httpx.Response(422, json=error)))
        await lost(platform, bench.charge(invoice))
        await platform.aclose()


# Everything else


def end_of(at: str) -> Callable[[RecurlyBench, Invoice], Effect]:
    """Makes a cancellation."""
    return lambda recurly, invoice: recurly.effect(invoice, "cancel_subscription", at=at)


def write_off(recurly: RecurlyBench, invoice: Invoice) -> Effect:
    return recurly.effect(invoice, "write_off", amount_minor=invoice.balance, currency=invoice.currency)


@pytest.mark.parametrize(
    ("make", "detail"),
    [(end_of("now"), "subscription expired"), (end_of("period_end"), "subscription canceled"), (write_off, "invoice failed")],
)
@pytest.mark.parametrize("trouble", [None, Trouble.RESET_AFTER, Trouble.RESET_BEFORE, Trouble.STORED_SERVER_ERROR])
async def test_an_end_is_brought_about_once_and_found(
    recurly: RecurlyBench,
    platform: BillingPlatform,
    make: Callable[[RecurlyBench, Invoice], Effect],
    detail: str,
    trouble: Trouble | None,
) -> None:
    invoice = recurly.owing()
    effect = make(recurly, invoice)
    assert await platform.find_effect(effect) == Absent()
    if trouble:
        for method in ("PUT", "DELETE"):
            recurly.double.misbehaviours.add(trouble, method)
        await lost(platform, effect)
    if trouble in {None, Trouble.RESET_BEFORE}:
        assert await platform.find_effect(effect) == Absent()
        assert (await platform.perform(effect)).detail == detail
    found = await platform.find_effect(effect)
    assert isinstance(found, Found)
    assert (found.result.state, found.result.detail) == ("done", detail)


async def test_what_has_ended_already_is_as_it_was_wanted(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    with recurly.double.lock:
        recurly.double.subscriptions.cancel(recurly.double.store.subscriptions[invoice.subscription_ids[0]])
        recurly.double.collection.give_up(invoice)
    for effect in (end_of("period_end")(recurly, invoice), write_off(recurly, invoice)):
        assert (await platform.perform(effect)).state == "done"


async def test_a_part_of_an_invoice_cannot_be_written_off(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    result = await platform.perform(recurly.effect(invoice, "write_off", amount_minor=1, currency="USD"))
    assert (result.state, invoice.state) == ("refused", "past_due")


def paid_twice(recurly: RecurlyBench) -> tuple[Invoice, Effect]:
    """The customer pays on a page that was still open, after the platform had collected; the second payment is to go back."""
    invoice = recurly.double.invoice(recurly.double.account(recurly.double.card()))
    recurly.double.advance(timedelta(minutes=1))
    second = recurly.double.customer_pays(invoice)
    return invoice, recurly.effect(invoice, "refund_duplicate", attempt_vendor_key=second.id, amount_minor=2_000, currency="USD")


@pytest.mark.parametrize("trouble", [None, Trouble.RESET_AFTER, Trouble.STORED_SERVER_ERROR])
async def test_a_double_payment_goes_back_once(recurly: RecurlyBench, platform: BillingPlatform, trouble: Trouble | None) -> None:
    invoice, effect = paid_twice(recurly)
    assert await platform.find_effect(effect) == Absent()
    if trouble:
        recurly.double.misbehaviours.add(trouble, "POST")
        await lost(platform, effect)
    else:
        assert (await platform.perform(effect)).detail == "refunded"
    found = await platform.find_effect(effect)
    assert isinstance(found, Found)
    if trouble is not Trouble.STORED_SERVER_ERROR:
        assert what_was_done(await platform.perform(effect)) == found.result
    assert (invoice.refunded, found.result.detail) == (2_000, "refunded")


async def test_a_refund_that_was_made_before_is_not_taken_for_ours(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice, earlier = paid_twice(recurly)
    assert (await platform.perform(earlier)).detail == "refunded"
    recurly.double.advance(timedelta(days=1))
    effect = earlier.model_copy(update={"key": "act_2", "decided_at": recurly.double.clock.now()})
    assert await platform.find_effect(effect) == Absent()
    recurly.double.advance(timedelta(minutes=5))
    recurly.double.collection.refund(invoice, 2_000, None)
    assert isinstance(await platform.find_effect(effect), Found)


async def test_what_recurly_might_give_back_to_the_wrong_place_is_left_to_a_person(
    recurly: RecurlyBench, platform: BillingPlatform
) -> None:
    invoice = recurly.double.invoice(recurly.double.account(recurly.double.card()))
    second = recurly.double.customer_pays(invoice, recurly.double.card(last_four="9999"))
    effect = recurly.effect(invoice, "refund_duplicate", attempt_vendor_key=second.id, amount_minor=2_000, currency="USD")
    assert (await platform.perform(effect)).state == "refused"
    too_much = effect.model_copy(update={"args": effect.args | {"amount_minor": 9_000}})
    assert (await platform.perform(too_much)).state == "refused"
    assert invoice.refunded == 0


async def test_an_invoice_that_is_not_there_is_refused(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    effect = recurly.charge(invoice).model_copy(update={"invoice_vendor_id": "nosuchinvoice"})
    assert (await platform.perform(effect)).state == "refused"
