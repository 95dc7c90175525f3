"""The sandbox's adapter, and the port with no capability, under the contract of the billing port."""

from collections.abc import AsyncGenerator
from itertools import count
from pathlib import Path

import httpx
import pytest

from api.demo.processes import free_port
from recoup.errors import BillingUnavailable, Misconfigured, NotFetchable, OutcomeUnknown, Refused
from recoup.events import ObjectRef
from recoup.ports import Effect, Indeterminate
from tests.contract.billing_platform import Bench, BillingPlatformContract
from tests.factories import make_connection
from tests.sandbox_server import API_KEY, advance, client_of, ledger, owed_invoices, running_sandbox, sandbox_options
from tools.billing.events_only import EventsOnly
from tools.billing.sandbox import SandboxBilling


class LosesAnswers(httpx.AsyncHTTPTransport):
    """Requests arrive; answers do not."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aclose()
        raise httpx.ReadError("connection reset", request=request)


class TestSandboxBilling(BillingPlatformContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncGenerator[Bench]:
        with running_sandbox(sandbox_options(tmp_path)) as address, client_of(address) as control:
            advance(control, 6)
            owed = iter(owed_invoices(control))
            numbers = count()

            def new_charge() -> Effect:
                document = next(owed)
                return Effect(
                    key=f"act_{next(numbers)}",
                    name="retry_payment",
                    invoice_vendor_id=document["invoice"]["id"],
                    subscription_vendor_id=document["invoice"]["subscription"],
                    account_vendor_id=document["invoice"]["customer"],
                    args={
                        "credential_id": "crd_ours",
                        "credential_vendor_id": document["methods"][0]["id"],
                        "amount_minor": document["invoice"]["remaining"],
                        "currency": "USD",
                    },
                )

            async def times_done(key: str) -> int:
                return sum(effect["key"] == key for effect in ledger(control)["effects"])

            here = make_connection(api_base=address, api_key=API_KEY)
            nowhere = make_connection(api_base=f"http://127.0.0.1:{free_port()}", api_key=API_KEY)
            async with (
                SandboxBilling(here) as platform,
                SandboxBilling(nowhere) as deaf,
                SandboxBilling(here, transport=LosesAnswers()) as lossy,
            ):
                yield Bench(platform, deaf, lossy, owed_invoices(control)[0]["invoice"]["id"], new_charge, times_done)


def effect(**changes: object) -> Effect:
    values: dict[str, object] = {
        "key": "act_1",
        "name": "suspend_service",
        "invoice_vendor_id": "in_1",
        "subscription_vendor_id": "sub_1",
        "account_vendor_id": "cus_1",
        "args": {},
    }
    return Effect.model_validate(values | changes)


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, BillingUnavailable), (503, BillingUnavailable), (500, OutcomeUnknown), (502, OutcomeUnknown), (401, Misconfigured)],
)
async def test_what_an_answer_says_about_the_effect(status: int, error: type[Exception]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json={"error": "no"}))
    async with SandboxBilling(make_connection(), transport=transport) as platform:
        with pytest.raises(error):
            await platform.perform(effect())


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (httpx.ConnectError("refused"), BillingUnavailable),
        (httpx.ConnectTimeout("slow"), BillingUnavailable),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.WriteError("reset"), OutcomeUnknown),
        (httpx.RemoteProtocolError("cut"), OutcomeUnknown),
    ],
)
async def test_only_what_surely_was_not_sent_may_be_sent_again(raised: Exception, error: type[Exception]) -> None:
    def lose(_: httpx.Request) -> httpx.Response:
        raise raised

    async with SandboxBilling(make_connection(), transport=httpx.MockTransport(lose)) as platform:
        with pytest.raises(error):
            await platform.perform(effect())


async def test_a_platform_known_by_events_alone_can_do_nothing() -> None:
    platform = EventsOnly("stripe-eu")
    assert platform.capabilities == frozenset()
    with pytest.raises(NotFetchable):
        await platform.fetch(ObjectRef(kind="invoice", vendor_id="in_1"))
    with pytest.raises(NotFetchable):
        await platform.read_invoice("in_1")
    with pytest.raises(Refused, match="capability missing"):
        await platform.perform(effect())
    assert isinstance(await platform.find_effect(effect()), Indeterminate)


async def test_the_sandboxs_connection_is_examined(tmp_path: Path) -> None:
    with running_sandbox(sandbox_options(tmp_path)) as address:
        right = {"api_base": address, "api_key": API_KEY}
        for changes, faults in (
            ({}, []),
            ({"api_key": "sk_wrong"}, ["credentials"]),
            ({"webhook_secrets": ()}, ["webhook secret"]),
            ({"livemode": True}, ["live or test"]),
        ):
            async with SandboxBilling(make_connection(**(right | changes))) as platform:
                checks = await platform.examine()
            assert [check.name for check in checks if not check.ok] == faults
            assert all(check.ok == (check.fix is None) for check in checks)
            assert not any("sk_" in f"{check.found}{check.fix}" for check in checks)


async def test_a_connection_to_nowhere_is_refused_before_any_call() -> None:
    for nowhere in ({"api_key": None}, {"api_base": None}):
        with pytest.raises(Misconfigured):
            SandboxBilling(make_connection(**nowhere))
