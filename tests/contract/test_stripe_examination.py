"""Each thing that can be wrong with a connection to Stripe, one at a time: the check names that fault, and how to mend it."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recoup.errors import BillingUnavailable
from recoup.ports import CheckResult
from tests.contract.stripe_bench import billing
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_stage import Stage, stage
from tests.vendors.stripe_state import Version
from tools.billing.stripe import StripeBilling
from tools.billing.stripe_changes import TYPES

URL = "https://recoup.shop.example/webhooks/stripe-eu"
NEEDED = {
    **dict.fromkeys(("invoice", "subscription", "charge"), "write"),
    **dict.fromkeys(("payment_intent", "customer", "payment_method", "dispute", "event", "webhook"), "read"),
}
# What a key lacks when one of its permissions is taken away, in the words of the check.
READS = {
    "payment_intent": "PaymentIntents: Read",
    "customer": "Customers: Read",
    "payment_method": "PaymentMethods: Read",
    "dispute": "Disputes: Read",
    "event": "Events: Read",
    "webhook": "Webhook Endpoints: Read",
}
WRITES = {"invoice": "Invoices: Write", "subscription": "Subscriptions: Write", "charge": "Charges and Refunds: Write"}


@pytest.fixture(params=list(Version))
def here(request: pytest.FixtureRequest) -> Generator[Stage]:
    with stage(request.param, start=datetime.now(UTC)) as served:
        yield served


def with_endpoint(here: Stage, **how: Any) -> None:
    values: dict[str, Any] = {"url": URL, "events": TYPES}
    here.double.add_endpoint(**(values | how))


@asynccontextmanager
async def connected(here: Stage, permissions: dict[str, str] | None = None, **changes: Any) -> AsyncGenerator[StripeBilling]:
    values: dict[str, Any] = {"api_key": here.double.add_key(NEEDED if permissions is None else permissions)}
    async with billing(here, **(values | changes)) as platform:
        yield platform


async def faults(platform: StripeBilling) -> dict[str, CheckResult]:
    return {result.name: result for result in await platform.examine() if not result.ok}


async def test_a_key_with_the_least_permissions_and_one_endpoint_are_all_that_is_needed(here: Stage) -> None:
    with_endpoint(here)
    invoice, _ = here.double.owed_invoice("insufficient_funds")
    before = here.double.ledger()
    async with connected(here) as platform:
        results = await platform.examine()
        assert [result for result in results if not result.ok] == []
        assert {result.fix for result in results} == {None}
        assert (await platform.read_invoice(invoice.id)).invoice
    assert here.double.ledger() == before


@pytest.mark.parametrize("taken", sorted(READS))
async def test_a_missing_permission_to_read_is_named(here: Stage, taken: str) -> None:
    with_endpoint(here)
    async with connected(here, {name: granted for name, granted in NEEDED.items() if name != taken}) as platform:
        found = await faults(platform)
    assert list(found) == [f"permission {READS[taken]}"]
    [fault] = found.values()
    assert fault.fix
    assert READS[taken] in fault.fix
    assert f"rak_{taken}_read" in fault.found


@pytest.mark.parametrize("reduced", sorted(WRITES))
async def test_a_missing_permission_to_write_is_named_with_what_it_is_needed_for(here: Stage, reduced: str) -> None:
    with_endpoint(here)
    async with connected(here, NEEDED | {reduced: "read"}) as platform:
        found = await faults(platform)
    assert list(found) == [f"permission {WRITES[reduced]}"]
    [fault] = found.values()
    assert fault.fix
    assert WRITES[reduced] in fault.fix
    assert f"rak_{reduced}_write" in fault.found


@pytest.mark.parametrize("missing", TYPES)
async def test_a_type_of_event_that_is_not_sent_is_named(here: Stage, missing: str) -> None:
    with_endpoint(here, events=[event_type for event_type in TYPES if event_type != missing])
    async with connected(here) as platform:
        found = await faults(platform)
    assert list(found) == ["webhook events"]
    assert found["webhook events"].found == f"not sent: {missing}"
    assert found["webhook events"].fix == f"add {missing} to the events of {URL}"


async def test_an_endpoint_that_is_sent_everything_is_enough(here: Stage) -> None:
    with_endpoint(here, events=["*"])
    async with connected(here) as platform:
        assert await faults(platform) == {}


@pytest.mark.parametrize(
    ("how", "found", "fix"),
    [
        ({"url": "https://elsewhere.example/hooks"}, "none of 1 endpoints leads to /webhooks/stripe-eu", "ends in /webhooks/stripe-eu"),
        ({"status": "disabled"}, f"{URL} is disabled", "enable it"),
    ],
    ids=["elsewhere", "disabled"],
)
async def test_an_endpoint_that_does_not_reach_us_is_named(here: Stage, how: dict[str, Any], found: str, fix: str) -> None:
    with_endpoint(here, **how)
    async with connected(here) as platform:
        fault = (await faults(platform))["webhook endpoint"]
    assert fault.found == found
    assert fault.fix
    assert fix in fault.fix


async def test_a_missing_webhook_secret_is_named(here: Stage) -> None:
    with_endpoint(here)
    async with connected(here, webhook_secrets=()) as platform:
        found = await faults(platform)
    assert list(found) == ["webhook secret"]
    assert found["webhook secret"].fix == "copy the endpoint's signing secret to where connections.stripe-eu.webhook_secrets points"


async def test_a_test_key_in_a_live_connection_is_named(here: Stage) -> None:
    with_endpoint(here)
    async with connected(here, livemode=True) as platform:
        found = await faults(platform)
    assert list(found) == ["live or test"]
    assert found["live or test"].fix == "use a live key, or correct connections.stripe-eu.livemode"


@pytest.mark.parametrize(("skew", "word"), [(timedelta(minutes=3), "behind"), (timedelta(minutes=-3), "ahead of")])
async def test_a_clock_that_goes_wrong_is_named(here: Stage, skew: timedelta, word: str) -> None:
    with_endpoint(here)
    here.double.date_skew = skew
    async with connected(here) as platform:
        found = await faults(platform)
    assert list(found) == ["clock"]
    assert word in found["clock"].found
    assert "signatures" in (found["clock"].fix or "")


async def test_a_revoked_key_is_all_that_is_said(here: Stage) -> None:
    async with connected(here) as platform:
        here.double.misbehaviours.add(Trouble.REVOKED_KEY, "GET")
        [result] = await platform.examine()
    assert (result.name, result.ok) == ("credentials", False)
    assert "connections.stripe-eu.api_key" in (result.fix or "")


async def test_no_result_holds_a_secret(here: Stage) -> None:
    async with connected(here, {}) as platform:
        said = repr(await platform.examine())
    assert "rk_test_double" not in said
    assert "whsec" not in said


async def test_a_platform_that_is_away_is_no_fault_of_the_set_up(here: Stage) -> None:
    here.double.misbehaviours.add(Trouble.UNAVAILABLE, times=None)
    async with connected(here) as platform:
        with pytest.raises(BillingUnavailable):
            await platform.examine()
