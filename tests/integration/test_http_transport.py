"""The guarded transport against a real loopback server that misbehaves on command."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from recoup.errors import BillingUnavailable, Misconfigured, OutcomeUnknown
from recoup.monotonic import MachineTime
from recoup.ports import LONGEST_EFFECT_SECONDS
from recoup.settings import Platform
from tests.factories import make_connection
from tests.manual_time import SkippingTime
from tests.vendors.chassis import Answer, Request, Site
from tests.vendors.chassis_trouble import Trouble
from tools.http import EFFECT_PATIENCE_SECONDS, TIMEOUT, TRIES_OF_READS, Bounds, GuardedTransport, pinned
from tools.http_breaker import Breaker
from tools.http_errors import Call, CircuitOpen, Crowded, EgressRefused, TooLate, TooLong, failure, json_object, refusal, request_id_of
from tools.http_limits import Limits
from tools.starting import started_only_while

SECRET = "sk_live_never_to_be_shown"
STATUSES = {Trouble.RATE_LIMITED: 429, Trouble.UNAVAILABLE: 503, Trouble.REVOKED_KEY: 401}
READ = Call(connection="stripe-eu", what="GET /v1/invoices/in_1")
EFFECT = Call(connection="stripe-eu", what="act_1", is_effect=True)


class Counting(Site):
    """Counts what it was asked to do, and answers with the number."""

    def __init__(self) -> None:
        super().__init__(timedelta(hours=24))
        self.done = 0

    def answer(self, request: Request) -> Answer:
        self.done += 1
        match request.path:
            case "/elsewhere":
                return Answer(302, headers={"Location": "http://169.254.169.254/latest"})
            case "/long":
                return Answer(200, {"text": "x" * 200_000})
            case _:
                return Answer(200, {"done": self.done, "host": request.headers["host"]}, {"Request-Id": f"req_{self.done}"})

    def trouble_answer(self, trouble: Trouble, request: Request) -> Answer:
        return Answer(STATUSES.get(trouble, 500), {"error": "no"}, {"Request-Id": "req_trouble"})

    def next_due(self) -> datetime | None:
        return None

    def run_due(self) -> None:
        return


@pytest.fixture
def site() -> Counting:
    return Counting()


@pytest.fixture
def address(site: Counting) -> Generator[str]:
    with site.serve() as base_url:
        yield base_url


@asynccontextmanager
async def client_of(address: str, **guard: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """A client as an adapter has one; redirects would be followed if the transport let them through."""
    connection = make_connection(name="stripe-eu", platform=Platform.STRIPE, api_base=address, api_key=SECRET)
    settings: dict[str, Any] = {"time": SkippingTime(), "jitter": lambda: 1.0}
    transport = GuardedTransport(connection, **(settings | guard))
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, transport=transport, follow_redirects=True) as client:
        yield client


def few(in_flight: int) -> Limits:
    """Limits of which only the number under way matters."""
    return Limits(requests=100, window_seconds=1.0, endpoint_requests=None, in_flight=in_flight)


def wait_for(site: Site, condition: Callable[[], bool]) -> None:
    """Blocks until the site is in that state."""
    with site.changed:
        assert site.changed.wait_for(condition, timeout=30)


async def test_an_answer_comes_back_whole_with_its_request_id(address: str) -> None:
    async with client_of(address) as client:
        response = await client.get("/v1/invoices/in_1")
    assert response.json() == {"done": 1, "host": address.removeprefix("http://")}
    assert request_id_of(response.headers) == "req_1"


@pytest.mark.parametrize("trouble", [Trouble.SERVER_ERROR, Trouble.RESET_BEFORE, Trouble.UNAVAILABLE, Trouble.RATE_LIMITED])
async def test_a_read_is_tried_again_a_bounded_number_of_times(site: Counting, address: str, trouble: Trouble) -> None:
    site.misbehaviours.add(trouble, times=2)
    async with client_of(address) as client:
        assert (await client.get("/v1/invoices/in_1")).is_success
        site.misbehaviours.add(trouble, times=None)
        before = len(site.exchanges())
        if trouble is Trouble.RESET_BEFORE:
            with pytest.raises(httpx.TransportError):
                await client.get("/v1/invoices/in_1")
        else:
            assert (await client.get("/v1/invoices/in_1")).is_error
    assert len(site.exchanges()) - before == TRIES_OF_READS


@pytest.mark.parametrize("trouble", [t for t in Trouble if t not in {Trouble.HELD, Trouble.SLOW_BODY, Trouble.WRONG_CONTENT_TYPE}])
async def test_an_effect_is_never_sent_twice(site: Counting, address: str, trouble: Trouble) -> None:
    site.misbehaviours.add(trouble)
    async with client_of(address) as client:
        try:
            response = await client.post("/v1/invoices/in_1/pay", json={})
        except httpx.TransportError as exc:
            error = failure(EFFECT, exc)
        else:
            error = refusal(EFFECT, response.status_code, request_id_of(response.headers))
            assert "req_trouble" in str(error)
    assert len(site.exchanges("POST")) == 1
    surely_not_done = trouble in {Trouble.RATE_LIMITED, Trouble.REVOKED_KEY}
    assert isinstance(error, (BillingUnavailable, Misconfigured) if surely_not_done else OutcomeUnknown)
    assert SECRET not in str(error)


async def test_a_platform_that_asks_for_silence_gets_it(site: Counting, address: str) -> None:
    site.misbehaviours.add(Trouble.RATE_LIMITED, seconds=3)
    time = SkippingTime()
    async with client_of(address, time=time) as client:
        started_at = time.now()
        assert (await client.get("/v1/invoices/in_1")).is_success
        assert time.now() - started_at >= 3.0


async def test_a_long_silence_is_told_at_once_and_kept_by_everybody(site: Counting, address: str) -> None:
    site.misbehaviours.add(Trouble.RATE_LIMITED, seconds=120)
    time = SkippingTime()
    async with client_of(address, time=time) as client:
        assert (await client.get("/v1/invoices/in_1")).status_code == 429
        for send in (client.get, client.post):
            with pytest.raises(Crowded) as caught:
                await send("/v1/invoices/in_1")
            assert isinstance(failure(EFFECT, caught.value), BillingUnavailable)
        assert len(site.exchanges()) == 1
        time.pass_by(120.0)
        assert (await client.get("/v1/invoices/in_1")).is_success


async def test_after_failures_in_a_row_the_platform_is_left_alone_until_one_read_succeeds(site: Counting, address: str) -> None:
    outage, time = site.misbehaviours.add(Trouble.SERVER_ERROR, times=None), SkippingTime()
    async with client_of(address, time=time, breaker=Breaker(opens_after=3, first_pause_seconds=30.0)) as client:
        assert (await client.get("/v1/invoices/in_1")).status_code == 500
        for send in (client.get, client.post):
            with pytest.raises(CircuitOpen) as caught:
                await send("/v1/invoices/in_1")
            assert isinstance(failure(EFFECT, caught.value), BillingUnavailable)
        assert len(site.exchanges()) == 3
        site.misbehaviours.lift(outage)
        time.pass_by(30.0)
        assert (await client.get("/v1/invoices/in_1")).is_success
        assert (await client.post("/v1/invoices/in_1/pay")).is_success


async def test_a_redirect_is_not_followed(site: Counting, address: str) -> None:
    async with client_of(address) as client:
        for send, call, meant in ((client.get, READ, Misconfigured), (client.post, EFFECT, OutcomeUnknown)):
            with pytest.raises(httpx.TransportError) as caught:
                await send("/elsewhere")
            assert isinstance(failure(call, caught.value), meant)
    assert site.done == 2


async def test_another_origin_is_not_called(site: Counting, address: str) -> None:
    async with client_of(address) as client:
        with pytest.raises(EgressRefused) as caught:
            await client.get("http://127.0.0.1:1/v1/invoices")
        assert isinstance(failure(READ, caught.value), Misconfigured)
    assert site.done == 0


async def test_what_is_not_json_says_nothing_about_what_was_done(site: Counting, address: str) -> None:
    site.misbehaviours.add(Trouble.WRONG_CONTENT_TYPE, times=2)
    async with client_of(address) as client:
        with pytest.raises(BillingUnavailable):
            json_object(READ, await client.get("/v1/invoices/in_1"))
        with pytest.raises(OutcomeUnknown):
            json_object(EFFECT, await client.post("/v1/invoices/in_1/pay"))
        assert json_object(READ, await client.get("/v1/invoices/in_1"))["done"] == 3


async def test_an_answer_without_end_is_given_up(address: str) -> None:
    async with client_of(address, bounds=Bounds(answer_bytes=100_000)) as client:
        with pytest.raises(TooLong):
            await client.get("/long")


async def test_a_body_that_does_not_come_leaves_an_effect_unknown(site: Counting, address: str) -> None:
    site.misbehaviours.add(Trouble.SLOW_BODY, seconds=30)
    async with client_of(address, bounds=Bounds(exchange_seconds=0.2)) as client:
        with pytest.raises(httpx.ReadTimeout) as caught:
            await client.post("/v1/invoices/in_1/pay")
    assert isinstance(failure(EFFECT, caught.value), OutcomeUnknown)
    assert site.done == 1


async def test_no_more_requests_are_under_way_than_allowed(site: Counting, address: str) -> None:
    until = threading.Event()
    site.misbehaviours.add(Trouble.HELD, path_prefix="/v1/invoices", times=None, until=until)
    async with client_of(address, limits=few(2), time=MachineTime()) as client, client_of(address) as other:
        keys = [f"key_{number}" for number in range(5)]
        sent = [asyncio.create_task(client.get("/v1/invoices/in_1", headers={"Idempotency-Key": key})) for key in keys]
        await asyncio.to_thread(wait_for, site, lambda: sum(map(site.is_in_flight, keys)) == 2)
        # While somebody else's requests come and go the other three have every chance to be sent.
        for _ in range(5):
            assert (await other.get("/v1/charges")).is_success
        assert sum(map(site.is_in_flight, keys)) == 2
        until.set()
        assert all(response.is_success for response in await asyncio.gather(*sent))


async def test_a_caller_who_goes_away_gives_back_the_place(site: Counting, address: str) -> None:
    until = threading.Event()
    site.misbehaviours.add(Trouble.HELD, until=until)
    async with client_of(address, limits=few(1), time=MachineTime()) as client:
        first = asyncio.create_task(client.get("/v1/invoices/in_1", headers={"Idempotency-Key": "first"}))
        await asyncio.to_thread(wait_for, site, lambda: site.is_in_flight("first"))
        first.cancel()
        assert (await client.get("/v1/invoices/in_2")).is_success
        until.set()


async def test_where_nobody_listens_nothing_was_sent(address: str) -> None:
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.post("/v1/invoices/in_1/pay")
    assert isinstance(failure(EFFECT, caught.value), BillingUnavailable)


async def test_a_name_with_a_deaf_address_is_called_at_its_next_one(site: Counting, address: str) -> None:
    async def both(_host: str, _port: int) -> tuple[str, ...]:
        return ("::1", "127.0.0.1")

    named = address.replace("127.0.0.1", "localhost")
    async with client_of(named, resolver=both) as client:
        assert (await client.post("/v1/invoices/in_1/pay")).json()["host"] == named.removeprefix("http://")
    assert site.done == 1


async def test_what_may_not_start_any_more_is_stopped_at_the_last_moment_and_surely_not_sent(site: Counting, address: str) -> None:
    asked: list[int] = []

    def is_over_once_the_connection_stands() -> bool:
        asked.append(site.done)
        return False

    async with client_of(address) as client:
        with started_only_while(is_over_once_the_connection_stands):
            with pytest.raises(TooLate) as told:
                await client.post("/v1/charges")
            assert (await client.get("/v1/charges")).is_success, "reading changes nothing"
        assert isinstance(failure(EFFECT, told.value), BillingUnavailable)
        assert (asked, site.done) == ([0], 1)
        assert (await client.post("/v1/charges")).is_success


def test_an_exchange_ends_before_the_job_that_waits_for_it() -> None:
    assert EFFECT_PATIENCE_SECONDS + Bounds().exchange_seconds < LONGEST_EFFECT_SECONDS
    assert max(limit or 0.0 for limit in TIMEOUT.as_dict().values()) < Bounds().exchange_seconds


def test_the_pinned_request_keeps_the_name_where_it_counts() -> None:
    request = httpx.Request("GET", "https://api.stripe.com/v1/invoices?limit=1")
    sent = pinned(request, "2600::1")
    assert str(sent.url) == "https://[2600::1]/v1/invoices?limit=1"
    assert (sent.headers["host"], sent.extensions["sni_hostname"]) == ("api.stripe.com", "api.stripe.com")
