"""Whatever a network does to a charge at Stripe: it ends in the exact transaction, in "surely not", or with a person; never in two."""

import asyncio
import threading
from datetime import timedelta

import httpx
import pytest

from recoup.errors import BillingUnavailable, Misconfigured, OutcomeUnknown
from recoup.ports import Absent, Effect, EffectResult, Found, Indeterminate
from tests.contract.stripe_bench import Mangles, billing, charge_of, effect_on
from tests.contract.tellings import looked_up, what_was_done
from tests.vendors.chassis import Attempt
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_stage import Stage
from tests.vendors.stripe_state import Charge, Invoice
from tools.billing.stripe import StripeBilling

KEY = "act_lost"
DAY = timedelta(days=1)
PAY = "/v1/invoices"
Owed = tuple[Invoice, Card]


@pytest.fixture
def owed(here: Stage) -> Owed:
    return here.double.owed_invoice("insufficient_funds", "do_not_honor")


def known_of(here: Stage, invoice: Invoice) -> tuple[str, ...]:
    return tuple(attempt.id for attempt in here.double.ledger() if attempt.invoice == invoice.id)


def charge(here: Stage, owed: Owed) -> Effect:
    return charge_of(*owed, KEY, known=known_of(here, owed[0]))


def ours(here: Stage) -> list[Attempt]:
    return [attempt for attempt in here.double.ledger() if attempt.idempotency_key == KEY]


def the_exact_one(here: Stage) -> Found:
    [attempt] = ours(here)
    said = {"succeeded": "succeeded", "pending": "processing"}.get(attempt.outcome, f"declined: {attempt.codes.get('decline_code')}")
    return Found(result=EffectResult(state="done", detail=said, vendor_ref=attempt.id))


async def lose(platform: StripeBilling, effect: Effect) -> None:
    with pytest.raises(OutcomeUnknown):
        await platform.perform(effect)


@pytest.mark.parametrize("trouble", [Trouble.RESET_AFTER, Trouble.STORED_SERVER_ERROR, Trouble.WRONG_CONTENT_TYPE])
async def test_a_charge_that_was_made_is_found_though_its_answer_is_lost(
    here: Stage, platform: StripeBilling, owed: Owed, trouble: Trouble
) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(trouble, "POST", PAY)
    await lose(platform, effect)
    assert await looked_up(platform, effect) == the_exact_one(here)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b'{"id": "in_1", "obj'), (200, b"{} {}"), (400, b"{}"), (424, b'{"error": {"message": "a dependency failed"}}')],
    ids=["cut off", "two objects", "no error in it", "a status of its own"],
)
async def test_an_answer_that_nobody_can_read_is_lost_too(here: Stage, owed: Owed, status: int, body: bytes) -> None:
    effect = charge(here, owed)
    async with billing(here, transport=Mangles(status, body)) as mangled:
        await lose(mangled, effect)
    async with billing(here) as platform:
        assert await looked_up(platform, effect) == the_exact_one(here)


async def test_an_answer_that_takes_too_long_is_lost_as_well(here: Stage, owed: Owed) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(Trouble.SLOW_BODY, "POST", PAY, seconds=5)
    async with billing(here, transport=Impatient()) as platform:
        await lose(platform, effect)
        assert await looked_up(platform, effect) == the_exact_one(here)


@pytest.mark.parametrize("trouble", [Trouble.RESET_BEFORE, Trouble.SERVER_ERROR, Trouble.UNAVAILABLE])
async def test_a_charge_that_never_arrived_is_absent_and_can_be_sent_again(
    here: Stage, platform: StripeBilling, owed: Owed, trouble: Trouble
) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(trouble, "POST", PAY)
    await lose(platform, effect)
    assert await platform.find_effect(effect) == Absent()
    assert (await platform.perform(effect)).detail == "declined: do_not_honor"
    assert len(ours(here)) == 1


async def test_a_stored_500_is_replayed_and_the_charge_behind_it_found(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(Trouble.STORED_SERVER_ERROR, "POST", PAY)
    await lose(platform, effect)
    await lose(platform, effect)
    assert await looked_up(platform, effect) == the_exact_one(here)
    assert len(ours(here)) == 1


async def test_a_stored_500_with_nothing_behind_it_never_becomes_a_charge(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(Trouble.LOST_SERVER_ERROR, "POST", PAY)
    for _ in range(2):
        await lose(platform, effect)
        assert await platform.find_effect(effect) == Absent()
    assert ours(here) == []


async def test_a_charge_is_found_after_its_key_has_expired(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(Trouble.RESET_AFTER, "POST", PAY)
    await lose(platform, effect)
    here.double.advance(DAY + timedelta(hours=1))
    assert await looked_up(platform, effect) == the_exact_one(here)
    assert timedelta(seconds=platform.key_valid_seconds) < DAY


async def test_a_retry_of_the_platform_at_the_same_moment_is_told_apart(here: Stage, platform: StripeBilling) -> None:
    owed = here.double.owed_invoice("insufficient_funds", "generic_decline", "do_not_honor")
    effect = charge(here, owed)
    here.double.before_next("POST", PAY, lambda: here.double.advance(timedelta(days=3)))
    here.double.misbehaviours.add(Trouble.RESET_AFTER, "POST", PAY)
    await lose(platform, effect)
    assert here.outcomes(owed[0]) == [("platform", "failed"), ("platform", "failed"), ("merchant", "failed")]
    assert await looked_up(platform, effect) == the_exact_one(here)


async def test_a_retry_of_the_platform_is_not_taken_for_ours(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(Trouble.RESET_BEFORE, "POST", PAY)
    await lose(platform, effect)
    here.double.advance(timedelta(days=3))
    assert here.outcomes(owed[0])[-1] == ("platform", "failed")
    assert await platform.find_effect(effect) == Absent()


async def test_what_another_key_of_the_merchant_made_is_not_ours(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect = charge(here, owed)
    here.pay(*owed, key="somebody-else")
    assert await platform.find_effect(effect) == Absent()


async def test_the_platform_that_was_faster_leaves_nothing_to_charge(here: Stage, platform: StripeBilling) -> None:
    owed = here.double.owed_invoice("insufficient_funds", "ok")
    effect = charge(here, owed)
    here.double.before_next("POST", PAY, lambda: here.double.advance(timedelta(days=3)))
    here.double.misbehaviours.add(Trouble.RESET_AFTER, "POST", PAY)
    await lose(platform, effect)
    assert await platform.find_effect(effect) == Absent()
    assert (await platform.perform(effect)).state == "refused"
    assert ours(here) == []


async def test_a_request_that_is_still_under_way_is_not_sent_beside_itself(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect, release = charge(here, owed), threading.Event()
    here.double.misbehaviours.add(Trouble.HELD, "POST", PAY, until=release)
    first = asyncio.create_task(platform.perform(effect))
    await asyncio.to_thread(wait_for, here, KEY)
    assert await platform.find_effect(effect) == Absent()
    await lose(platform, effect)
    release.set()
    assert Found(result=what_was_done(await first)) == the_exact_one(here) == await looked_up(platform, effect)


async def test_a_direct_debit_is_found_while_it_is_under_way(here: Stage, platform: StripeBilling) -> None:
    owed = here.double.owed_invoice("insufficient_funds", token="pm_sepa_debit")
    here.double.advance(timedelta(days=6))
    effect = charge(here, owed)
    here.double.misbehaviours.add(Trouble.RESET_AFTER, "POST", PAY)
    await lose(platform, effect)
    assert await looked_up(platform, effect) == the_exact_one(here)
    assert the_exact_one(here).result.detail == "processing"


async def test_nobody_can_tell_once_the_events_are_gone(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect = charge(here, owed)
    here.double.misbehaviours.add(Trouble.RESET_AFTER, "POST", PAY)
    await lose(platform, effect)
    here.double.advance(timedelta(days=31))
    async with billing(here) as restarted:
        lookup = await restarted.find_effect(effect)
    assert isinstance(lookup, Indeterminate)
    assert ours(here)[0].id in lookup.why


async def test_what_was_known_before_needs_no_event(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    here.client.post(f"/v1/invoices/{owed[0].id}", data={"auto_advance": "false"})
    here.double.advance(timedelta(days=31))
    assert await platform.find_effect(charge(here, owed)) == Absent()
    assert isinstance(await platform.find_effect(charge_of(*owed, KEY)), Indeterminate)


async def test_a_charge_whose_event_is_late_is_asked_for_again(here: Stage, platform: StripeBilling, owed: Owed) -> None:
    effect = charge(here, owed)
    here.double.world.tells = False
    here.pay(*owed, key="somebody-else")
    with pytest.raises(BillingUnavailable):
        await platform.find_effect(effect)
    here.double.advance(timedelta(minutes=6))
    assert isinstance(await platform.find_effect(effect), Indeterminate)


@pytest.mark.parametrize(
    ("trouble", "error"), [(Trouble.RATE_LIMITED, BillingUnavailable), (Trouble.REVOKED_KEY, Misconfigured)], ids=["429", "401"]
)
async def test_what_stripe_surely_did_not_do(
    here: Stage, platform: StripeBilling, owed: Owed, trouble: Trouble, error: type[Exception]
) -> None:
    here.double.misbehaviours.add(trouble, "POST", PAY)
    with pytest.raises(error):
        await platform.perform(charge(here, owed))
    assert ours(here) == []


async def test_a_key_that_may_not_read_events_says_so_and_guesses_nothing(here: Stage, owed: Owed) -> None:
    names = ("customer", "invoice", "charge", "payment_method", "payment_intent", "subscription")
    api_key = here.double.add_key(dict.fromkeys(names, "write"))
    async with billing(here, api_key=api_key) as platform:
        with pytest.raises(Misconfigured, match="rak_event_read"):
            await platform.find_effect(charge_of(*owed, KEY))


async def test_a_refund_whose_answer_is_lost_is_found(here: Stage, platform: StripeBilling) -> None:
    invoice, card = here.double.owed_invoice("insufficient_funds", "ok")
    here.pay(invoice, card)
    paid = here.double.ledger()[-1]
    refund = effect_on(invoice, "refund_duplicate", KEY, attempt_vendor_key=paid.id, amount_minor=900, currency="EUR")
    assert await platform.find_effect(refund) == Absent()
    here.double.misbehaviours.add(Trouble.RESET_AFTER, "POST", "/v1/refunds")
    await lose(platform, refund)
    found = await looked_up(platform, refund)
    assert found == Found(result=what_was_done(await platform.perform(refund)))
    assert [charge.amount_refunded for charge in here.double.world.all(Charge) if charge.id == paid.id] == [900]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("take_over_collection", {}),
        ("suspend_service", {}),
        ("cancel_subscription", {"at": "now"}),
        ("cancel_subscription", {"at": "period_end"}),
        ("write_off", {"amount_minor": 4900, "currency": "EUR"}),
    ],
)
@pytest.mark.parametrize("trouble", [Trouble.RESET_AFTER, Trouble.STORED_SERVER_ERROR, Trouble.RESET_BEFORE])
async def test_what_only_sets_how_things_stand_is_read_off_them(
    here: Stage, platform: StripeBilling, owed: Owed, name: str, args: dict[str, object], trouble: Trouble
) -> None:
    effect = effect_on(owed[0], name, KEY).model_copy(update={"args": args})
    here.double.misbehaviours.add(trouble, "DELETE" if args.get("at") == "now" else "POST")
    await lose(platform, effect)
    lookup = await platform.find_effect(effect)
    if trouble is Trouble.RESET_BEFORE:
        assert lookup == Absent()
        lookup = Found(result=what_was_done(await platform.perform(effect)))
    assert isinstance(lookup, Found)
    assert await platform.find_effect(effect) == lookup


class Impatient(httpx.AsyncHTTPTransport):
    """Waits for no answer longer than half a second."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), 0.5)
        return await super().handle_async_request(request)


def wait_for(here: Stage, key: str) -> None:
    with here.double.changed:
        assert here.double.changed.wait_for(lambda: here.double.is_in_flight(key), 10)
