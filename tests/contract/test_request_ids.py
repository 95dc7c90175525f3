"""The platform's own name for an exchange is in every answer, and in every error of one that it answered: its support asks for it."""

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import pytest

from recoup.errors import BillingUnavailable, Misconfigured, OutcomeUnknown, RecoupError
from recoup.ports import BillingPlatform, Effect
from tests.contract.recurly_bench import recurly_bench
from tests.contract.stripe_bench import billing, charge_of, effect_on
from tests.vendors.chassis import Site
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_stage import stage

KEY = "act_1"
NAMED = re.compile(r"\(request ([\w-]+)\)$")


@dataclass
class Bench:
    """One platform. ``charge`` is an effect under KEY on a new invoice, whose bank will answer so; ``end`` ends a subscription."""

    platform: BillingPlatform
    double: Site
    charges_by: str
    charge: Callable[[str], Effect]
    end: Callable[[], Effect]

    def newest_request_id(self) -> str:
        """As the double's own log has it."""
        answer = self.double.log[-1].answer
        assert answer is not None
        return next(value for name, value in answer.headers.items() if name.lower() in {"request-id", "x-request-id"})

    def is_under_way(self) -> bool:
        """Returns when the charge has arrived."""
        with self.double.changed:
            return self.double.changed.wait_for(lambda: self.double.is_in_flight(KEY), 10)


async def at_stripe() -> AsyncGenerator[Bench]:
    with stage() as here:

        def charge(answer: str) -> Effect:
            return charge_of(*here.double.owed_invoice("insufficient_funds", answer), KEY)

        def end() -> Effect:
            return effect_on(here.double.owed_invoice("insufficient_funds")[0], "cancel_subscription", "act_end", at="period_end")

        async with billing(here) as platform:
            yield Bench(platform, here.double, "POST", charge, end)


async def at_recurly() -> AsyncGenerator[Bench]:
    with recurly_bench() as here:

        def charge(answer: str) -> Effect:
            return here.charge(here.owing(answer), KEY)

        def end() -> Effect:
            return here.effect(here.owing(), "cancel_subscription", "act_end", at="now")

        platform = here.billing()
        yield Bench(platform, here.double, "PUT", charge, end)
        await platform.aclose()


@pytest.fixture(params=[at_stripe, at_recurly], ids=["stripe", "recurly"])
async def bench(request: pytest.FixtureRequest) -> AsyncGenerator[Bench]:
    async for made in request.param():
        yield made


def named_in(error: RecoupError) -> str | None:
    found = NAMED.search(str(error))
    return found[1] if found else None


@pytest.mark.parametrize("answer", ["ok", "insufficient_funds"])
async def test_an_attempt_bears_it_whatever_came_of_it(bench: Bench, answer: str) -> None:
    result = await bench.platform.perform(bench.charge(answer))
    assert (result.state, result.request_id) == ("done", bench.newest_request_id())


async def test_what_changes_how_things_stand_bears_it(bench: Bench) -> None:
    result = await bench.platform.perform(bench.end())
    assert (result.state, result.request_id) == ("done", bench.newest_request_id())


async def test_a_refusal_bears_it(bench: Bench) -> None:
    wrong = bench.charge("ok").model_copy(update={"invoice_vendor_id": "nosuchinvoice"})
    result = await bench.platform.perform(wrong)
    assert result.state == "refused"
    assert bench.newest_request_id() in {result.request_id, (NAMED.search(result.detail) or [None, None])[1]}


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.RATE_LIMITED, BillingUnavailable),
        (Trouble.SERVER_ERROR, OutcomeUnknown),
        (Trouble.UNAVAILABLE, OutcomeUnknown),
        (Trouble.STORED_SERVER_ERROR, OutcomeUnknown),
        (Trouble.REVOKED_KEY, Misconfigured),
    ],
)
async def test_an_effect_that_failed_names_it(bench: Bench, trouble: Trouble, error: type[RecoupError]) -> None:
    effect = bench.charge("ok")
    bench.double.misbehaviours.add(trouble)
    with pytest.raises(error) as told:
        await bench.platform.perform(effect)
    assert named_in(told.value) == bench.newest_request_id()


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.RATE_LIMITED, BillingUnavailable),
        (Trouble.SERVER_ERROR, BillingUnavailable),
        (Trouble.REVOKED_KEY, Misconfigured),
    ],
)
async def test_a_reading_that_failed_names_it(bench: Bench, trouble: Trouble, error: type[RecoupError]) -> None:
    effect = bench.charge("ok")
    bench.double.misbehaviours.add(trouble)
    with pytest.raises(error) as told:
        await bench.platform.read_invoice(effect.invoice_vendor_id)
    assert named_in(told.value) == bench.newest_request_id()


async def test_what_is_not_there_names_it(bench: Bench) -> None:
    with pytest.raises(RecoupError) as told:
        await bench.platform.read_invoice("nosuchinvoice")
    assert named_in(told.value) == bench.newest_request_id()


async def test_a_request_that_is_refused_because_it_is_under_way_already_names_it(bench: Bench) -> None:
    effect, release = bench.charge("ok"), threading.Event()
    bench.double.misbehaviours.add(Trouble.HELD, bench.charges_by, until=release)
    first = asyncio.create_task(bench.platform.perform(effect))
    assert await asyncio.to_thread(bench.is_under_way)
    with pytest.raises(OutcomeUnknown) as told:
        await bench.platform.perform(effect)
    assert named_in(told.value) == bench.newest_request_id()
    release.set()
    assert (await first).request_id == bench.newest_request_id()
