"""Each seeded fault of a connection to Recurly is named with its mend, and nothing is changed by looking."""

from collections.abc import AsyncGenerator

import pytest

from recoup.ports import BillingPlatform
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly import READ_ONLY_KEY


@pytest.fixture
async def recurly() -> AsyncGenerator[RecurlyBench]:
    with recurly_bench() as bench:
        yield bench
        for platform in bench.opened:
            await platform.aclose()


@pytest.fixture
def platform(recurly: RecurlyBench) -> BillingPlatform:
    return recurly.billing()


async def test_each_seeded_fault_of_a_connection_is_named_with_its_mend(recurly: RecurlyBench) -> None:
    for name, change, words in [
        ("credentials", {"api_key": "wrong"}, "api_key"),
        ("mode", {"livemode": True}, "livemode = false"),
        ("webhooks", {"webhook_secrets": ()}, "webhook_secrets"),
    ]:
        results = {one.name: one for one in await recurly.billing(None, **change).examine()}
        assert not results[name].ok
        assert words in (results[name].fix or "")


@pytest.mark.parametrize("what", ["invoices", "accounts", "transactions", "subscriptions"])
async def test_a_part_that_cannot_be_read_is_named(recurly: RecurlyBench, platform: BillingPlatform, what: str) -> None:
    recurly.double.misbehaviours.add(Trouble.UNAVAILABLE, "GET", f"/{what}")
    broken = [one for one in await platform.examine() if not one.ok and one.name != "clock"]
    assert [one.name for one in broken] == [f"read {what}"]
    assert broken[0].fix


async def test_a_key_that_may_only_read_is_named(recurly: RecurlyBench) -> None:
    assert {one.name: one.ok for one in await recurly.billing().examine()}["change"]
    (change,) = [one for one in await recurly.billing(api_key=READ_ONLY_KEY).examine() if one.name == "change"]
    assert (change.ok, "full access" in (change.fix or "")) == (False, True)
    assert recurly.double.ledger() == []


async def test_a_clock_that_is_wrong_is_named(recurly: RecurlyBench, platform: BillingPlatform) -> None:
    results = {one.name: one for one in await platform.examine()}
    assert not results["clock"].ok, "the double's clock stands on a day of its own"
    assert results["clock"].fix
