"""Recurly's adapter under the contract of the billing port, against the double over real HTTP; what is read and what changed."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from itertools import count

import httpx
import pytest

from api.demo.processes import free_port
from recoup.errors import BillingUnavailable, Misconfigured, NotFetchable, NotFound, Refused
from recoup.events import CancellationKind, EventKind, ObjectRef, Reading
from recoup.invoice import AttemptStatus, BillingReason, CollectionMethod, CredentialSlot, Initiator, InvoiceStatus, Rail
from recoup.ports import BillingPlatform, Effect, Found
from tests.contract.billing_platform import Bench, BillingPlatformContract
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.contract.tellings import what_was_done
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly import READ_ONLY_KEY
from tools.billing.recurly import KEY_VALID_SECONDS, RecurlyBilling

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class LosesAnswers(httpx.AsyncHTTPTransport):
    """Requests arrive; answers do not."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aclose()
        raise httpx.ReadError("connection reset", request=request)


@pytest.fixture
async def recurly() -> AsyncGenerator[RecurlyBench]:
    with recurly_bench() as bench:
        yield bench
        for platform in bench.opened:
            await platform.aclose()


@pytest.fixture
def platform(recurly: RecurlyBench) -> BillingPlatform:
    return recurly.billing()


class TestRecurlyBilling(BillingPlatformContract):
    @pytest.fixture
    async def bench(self, recurly: RecurlyBench) -> Bench:
        numbers = count()

        def new_charge() -> Effect:
            number = next(numbers)
            return recurly.charge(recurly.owing(*(("insufficient_funds",) if number == 0 else ())), f"act_{number}")

        async def times_done(key: str) -> int:
            return sum(attempt.idempotency_key == key for attempt in recurly.double.ledger())

        nowhere = f"http://127.0.0.1:{free_port()}"
        return Bench(
            platform=recurly.billing(),
            deaf=recurly.billing(api_base=nowhere),
            lossy=recurly.billing(LosesAnswers()),
            owed_invoice=recurly.owing().id,
            new_charge=new_charge,
            times_done=times_done,
        )

    async def test_a_charge_is_made_and_found_and_read(self, bench: Bench) -> None:
        """Nothing at Recurly bears our key: whoever asked for an attempt knows it by the id that the answer gave."""
        effect = bench.new_charge()
        result = await bench.platform.perform(effect)
        assert result.state == "done"
        assert await bench.platform.find_effect(effect) == Found(result=what_was_done(result))
        reading = await bench.platform.read_invoice(effect.invoice_vendor_id)
        new = [attempt for attempt in reading.attempts if attempt.vendor_key not in effect.known_transactions]
        assert [(attempt.vendor_key, attempt.initiator) for attempt in new] == [(result.vendor_ref, Initiator.MERCHANT)]


# What is read


async def test_an_invoice_is_read_with_its_attempts_its_methods_and_its_account(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    account = recurly.double.account(recurly.double.card("expired_card"), preferred_locale="de-DE", preferred_time_zone="Europe/Berlin")
    recurly.double.billing_info(account, recurly.double.card("try_again", last_four="4242"), backup=True)
    invoice = recurly.double.invoice(account, 4_900, "EUR", recurly.double.subscription(account), tax=900)
    recurly.double.advance(MINUTE)
    recurly.double.customer_pays(invoice)
    reading = await platform.read_invoice(invoice.id)
    told = reading.invoice
    assert told is not None
    assert (told.status, told.number, told.currency, told.account_vendor_id) == (InvoiceStatus.OPEN, invoice.number, "EUR", account.id)
    assert (told.total_minor, told.tax_minor, told.paid_minor, told.remaining_minor, told.credited_minor) == (4_900, 900, 0, 4_900, 0)
    assert (told.collection_method, told.billing_reason) == (CollectionMethod.CHARGE_AUTOMATICALLY, BillingReason.SUBSCRIPTION_CYCLE)
    assert (told.attempt_count, told.subscription_vendor_id) == (3, invoice.subscription_ids[0])
    assert told.payment_link == f"https://sample.recurly.com/account/billing_info/edit?ht={account.hosted_login_token}"
    assert [credential.slot for credential in reading.credentials] == [CredentialSlot.CUSTOMER, CredentialSlot.BACKUP]
    main, backup = reading.credentials
    assert (main.rail, main.brand, main.funding, main.country, main.last4, main.expires) == (
        Rail.CARD,
        "visa",
        "credit",
        "US",
        "1111",
        "2029-12",
    )
    assert main.fingerprint not in {None, backup.fingerprint}
    made = [(attempt.initiator, attempt.customer_initiated, attempt.credential_vendor_id) for attempt in reading.attempts]
    assert sorted(made[:2]) == sorted((Initiator.PLATFORM, False, one.vendor_id) for one in (main, backup))
    assert made[2:] == [(Initiator.CUSTOMER, True, main.vendor_id)]
    codes = {a.credential_vendor_id: (a.codes.processor, a.codes.decline_code, a.codes.gateway_code) for a in reading.attempts if a.codes}
    assert codes == {main.vendor_id: ("recurly", "expired_card", "54"), backup.vendor_id: ("recurly", "try_again", "19")}
    person = reading.account
    assert person is not None
    assert (person.full_name, person.locale, person.timezone, person.country) == ("Ada Example", "de-DE", "Europe/Berlin", "US")


async def test_an_invoice_is_also_found_by_its_number(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    reading = await platform.read_invoice(f"number-{invoice.number}")
    assert reading.invoice is not None
    assert reading.invoice.vendor_id == invoice.id


async def test_money_without_decimals_is_read_in_its_own_minor_units(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    account = recurly.double.account(recurly.double.card("declined"))
    reading = await platform.read_invoice(recurly.double.invoice(account, 900, "JPY").id)
    assert reading.invoice is not None
    assert (reading.invoice.total_minor, reading.attempts[0].amount_minor) == (900, 900)


async def test_an_attempt_stays_on_the_card_it_was_made_on(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    (before,) = (await platform.read_invoice(invoice.id)).credentials
    recurly.primary(invoice).card = recurly.double.card(last_four="9999")
    reading = await platform.read_invoice(invoice.id)
    new, old = reading.credentials
    assert (new.vendor_id, new.last4, new.is_usable) == (before.vendor_id, "9999", True)
    assert (old.fingerprint, old.is_usable) == (before.fingerprint, False)
    assert [attempt.credential_vendor_id for attempt in reading.attempts] == [old.vendor_id]


async def test_a_method_that_merely_lies_in_the_wallet_is_left_alone(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    recurly.double.billing_info(recurly.double.store.accounts[invoice.account_id], recurly.double.card(last_four="0001"))
    reading = await platform.read_invoice(invoice.id)
    assert [credential.last4 for credential in reading.credentials] == ["1111"]


async def test_the_method_of_the_subscription_comes_before_the_primary_one(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    account = recurly.double.account(recurly.double.card("declined"))
    own = recurly.double.billing_info(account, recurly.double.card("declined", last_four="0002"))
    subscription = recurly.double.subscription(account)
    subscription.billing_info_id = own.id
    reading = await platform.read_invoice(recurly.double.invoice(account, subscription=subscription).id)
    assert next((one.vendor_id, one.slot) for one in reading.credentials) == (own.id, CredentialSlot.SUBSCRIPTION)
    assert reading.attempts[0].credential_vendor_id == own.id


# Thin events


@pytest.mark.parametrize("kind", ["invoice", "charge_invoice", "dunning_event"])
async def test_whatever_bears_the_invoices_id_is_read_as_the_invoice(recurly: RecurlyBench, platform: BillingPlatform, kind: str) -> None:
    invoice = recurly.owing()
    assert invoice_of(await platform.fetch(ObjectRef(kind=kind, vendor_id=invoice.id))) == invoice.id


async def test_a_payment_a_refund_and_a_credit_invoice_stand_for_the_invoice_they_concern(
    recurly: RecurlyBench, platform: BillingPlatform
) -> None:
    invoice = recurly.double.invoice(recurly.double.account(recurly.double.card()))
    with recurly.double.lock:
        credit = recurly.double.collection.refund(invoice, 500, None)
    (payment,), (refund,) = recurly.double.store.transactions_of(invoice), recurly.double.store.transactions_of(credit)
    for kind, vendor_id in [("payment", payment.id), ("payment", refund.id), ("credit_invoice", credit.id)]:
        reading = await platform.fetch(ObjectRef(kind=kind, vendor_id=vendor_id))
        assert reading.invoice is not None
        assert (reading.invoice.vendor_id, reading.invoice.paid_minor, reading.invoice.refunded_minor) == (invoice.id, 2_000, 500)
        assert [attempt.status for attempt in reading.attempts] == [AttemptStatus.SUCCEEDED]


async def test_a_subscription_tells_how_it_ended(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    kept, left, thrown_out = (recurly.double.subscription(recurly.double.account(recurly.double.card())) for _ in range(3))
    with recurly.double.lock:
        recurly.double.subscriptions.cancel(left)
        recurly.double.subscriptions.expire(thrown_out, "nonpayment")
    readings = [await platform.fetch(ObjectRef(kind="subscription", vendor_id=one.id)) for one in (kept, left, thrown_out)]
    assert [reading.cancellation for reading in readings] == [None, CancellationKind.PERIOD_END, CancellationKind.NON_PAYMENT]
    assert readings[1].account is not None
    assert (readings[1].subscription_vendor_id, readings[1].account.vendor_id) == (left.id, left.account_id)


async def test_an_account_is_read_by_id_or_code(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    account = recurly.double.account(code="ada@customer.example")
    for told in (account.id, f"code-{account.code}"):
        reading = await platform.fetch(ObjectRef(kind="account", vendor_id=told))
        assert reading.account is not None
        assert (reading.account.vendor_id, reading.account.email) == (account.id, account.email)


async def test_a_new_card_is_told_alone_and_with_its_account(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    account = recurly.double.account(recurly.double.card(), recurly.double.card(last_four="7777"))
    _, second = recurly.double.store.wallet(account.id)
    ref = ObjectRef(kind="billing_info", vendor_id=f"code-{account.code}/{second.id}")
    reading = await platform.fetch(ref)
    assert reading.account is not None
    assert (reading.account.vendor_id, reading.invoice) == (account.id, None)
    assert [(one.vendor_id, one.last4, one.is_usable) for one in reading.credentials] == [(second.id, "7777", False)]
    recurly.double.subscription(account).billing_info_id = second.id
    (credential,) = (await platform.fetch(ref)).credentials
    assert (credential.slot, credential.is_usable) == (CredentialSlot.SUBSCRIPTION, True)


async def test_a_card_that_was_taken_away_meanwhile_can_no_longer_be_used(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    account = recurly.double.account(recurly.double.card())
    reading = await platform.fetch(ObjectRef(kind="billing_info", vendor_id=f"code-{account.code}/gone1"))
    assert [(one.vendor_id, one.is_usable) for one in reading.credentials] == [("gone1", False)]
    primary = await platform.fetch(ObjectRef(kind="billing_info", vendor_id=f"code-{account.code}/"))
    assert [one.slot for one in primary.credentials] == [CredentialSlot.CUSTOMER]


async def test_what_cannot_be_found_is_said_without_names(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    with pytest.raises(NotFound) as told:
        await platform.fetch(ObjectRef(kind="account", vendor_id="code-ada@customer.example"))
    assert "ada@" not in str(told.value)
    with pytest.raises(NotFound):
        await platform.read_invoice("../accounts")
    with pytest.raises(NotFetchable):
        await platform.fetch(ObjectRef(kind="billing_info", vendor_id="abc"))


async def test_a_read_that_fails_says_why_and_shows_no_secret(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    for trouble, error in [
        (Trouble.RATE_LIMITED, BillingUnavailable),
        (Trouble.SERVER_ERROR, BillingUnavailable),
        (Trouble.RESET_BEFORE, BillingUnavailable),
        (Trouble.WRONG_CONTENT_TYPE, BillingUnavailable),
        (Trouble.REVOKED_KEY, Misconfigured),
    ]:
        recurly.double.misbehaviours.add(trouble, "GET", "/invoices/")
        with pytest.raises(error) as told:
            await platform.read_invoice(invoice.id)
        assert "recurly-double-key" not in str(told.value)


async def test_it_is_reached_through_the_guarded_way_out(recurly: RecurlyBench) -> None:
    invoice = recurly.owing()
    recurly.double.misbehaviours.add(Trouble.SERVER_ERROR, "GET", "/invoices/")
    async with RecurlyBilling(recurly.connection()) as guarded:
        assert invoice_of(await guarded.read_invoice(invoice.id)) == invoice.id, "reads are tried again"
        assert (await guarded.perform(recurly.charge(invoice))).detail == "succeeded"


async def test_a_site_without_wallets_has_the_one_method_of_the_account(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    invoice = recurly.owing()
    told = await platform.read_invoice(invoice.id)
    refusal = {"error": {"type": "missing_feature", "message": "-"}}

    class WithoutWallets(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/billing_infos"):
                return httpx.Response(422, json=refusal)
            return await super().handle_async_request(request)

    reading = await recurly.billing(WithoutWallets()).read_invoice(invoice.id)
    assert reading.credentials == told.credentials


# What it is


async def test_it_claims_nothing_that_recurly_does_otherwise(platform: BillingPlatform) -> None:
    cannot = {"take_over_collection", "hand_back_collection", "suspend_service", "reinstate_service", "extend_grace", "offer_discount"}
    assert not cannot & platform.capabilities
    assert KEY_VALID_SECONDS < 3600 <= KEY_VALID_SECONDS + 900


async def test_what_it_cannot_do_is_refused_before_anything_is_sent(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    with pytest.raises(Refused, match="capability missing"):
        await platform.perform(recurly.effect(recurly.owing(), "suspend_service"))
    assert recurly.double.exchanges("PUT") == []


async def test_a_key_that_may_only_read_reads_and_cannot_charge(recurly: RecurlyBench) -> None:
    platform, invoice = recurly.billing(api_key=READ_ONLY_KEY), recurly.owing()
    assert invoice_of(await platform.read_invoice(invoice.id)) == invoice.id
    with pytest.raises(Misconfigured):
        await platform.perform(recurly.charge(invoice))
    assert recurly.made(invoice) == [("platform", "failed")]


def invoice_of(reading: Reading) -> str | None:
    """The invoice that a reading is of."""
    assert reading.kind is EventKind.INVOICE_CHANGED
    return reading.invoice.vendor_id if reading.invoice else None
