"""How often a platform is called: a quarter of what its vendor publishes at most, people before backfill."""

import asyncio
import random
from collections.abc import Callable

import pytest

from recoup.settings import Platform
from tests.manual_time import ManualTime, settled
from tools.http_admission import Admission
from tools.http_errors import Crowded
from tools.http_limits import Lane, Limits, current_lane, endpoint_of, in_backfill, limits_for, published_limits

PATIENCE = 10_000.0


def limits(**changes: object) -> Limits:
    values: dict[str, object] = {"requests": 4, "window_seconds": 1.0, "endpoint_requests": None, "in_flight": 100}
    return Limits.model_validate(values | changes)


class Queue:
    """An admission and what it let in, in order."""

    def __init__(self, allowed: Limits) -> None:
        self.time = ManualTime()
        self.admission = Admission(allowed, self.time)
        self.starts: list[tuple[float, Lane, str]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def ask(self, lane: Lane, endpoint: str = "GET invoices 2", lasts: asyncio.Event | None = None) -> asyncio.Task[None]:
        """A request that lasts until its event is set, or no time at all."""

        async def request() -> None:
            async with self.admission.room(lane, endpoint, PATIENCE):
                self.starts.append((self.time.now(), lane, endpoint))
                if lasts is not None:
                    await lasts.wait()

        self._tasks.append(asyncio.create_task(request()))
        return self._tasks[-1]

    def most_in(self, seconds: float, which: Callable[[Lane, str], bool]) -> int:
        """How many of those requests started within some span of that length, at most."""
        at = [start for start, lane, endpoint in self.starts if which(lane, endpoint)]
        return max(sum(first <= other < first + seconds for other in at) for first in at)


@pytest.mark.parametrize("published", published_limits(), ids=lambda limit: f"{limit.platform}-{limit.livemode}")
def test_the_defaults_are_never_above_a_quarter_of_what_is_published(published: object) -> None:
    told = next(limit for limit in published_limits() if limit == published)
    ours = limits_for(told.platform, livemode=told.livemode)
    assert ours.requests / ours.window_seconds <= told.requests / told.window_seconds / 4
    assert (ours.endpoint_requests is None) == (told.endpoint_requests is None)
    assert (ours.endpoint_requests or 0) <= (told.endpoint_requests or 0) / 4
    assert told.in_flight is None or ours.in_flight <= told.in_flight / 4
    assert told.source


@pytest.mark.parametrize("platform", Platform)
def test_every_platform_has_limits_in_both_modes(platform: Platform) -> None:
    for livemode in (True, False):
        assert limits_for(platform, livemode=livemode).requests >= 1


async def test_no_window_ever_holds_more_than_the_limit_and_backfill_no_more_than_half() -> None:
    queue, draw = Queue(limits(requests=8, endpoint_requests=4)), random.Random(7)
    for _ in range(200):
        queue.ask(draw.choice(list(Lane)), draw.choice(["GET invoices 2", "GET customers 2", "POST invoices 3"]))
        await queue.time.advance(draw.choice([0.0, 0.0, 0.03, 0.4]))
    await queue.time.advance(200.0)
    assert len(queue.starts) == 200
    assert queue.most_in(1.0, lambda _lane, _endpoint: True) == 8
    assert queue.most_in(1.0, lambda lane, _endpoint: lane is Lane.BACKFILL) <= 4
    for name in ("GET invoices 2", "GET customers 2", "POST invoices 3"):
        assert queue.most_in(1.0, lambda _lane, endpoint, name=name: endpoint == name) <= 4
        assert queue.most_in(1.0, lambda lane, endpoint, name=name: endpoint == name and lane is Lane.BACKFILL) <= 2


async def test_a_person_never_waits_behind_backfill() -> None:
    queue = Queue(limits())
    for _ in range(20):
        queue.ask(Lane.BACKFILL)
    await settled()
    assert len(queue.starts) == 2  # half of four; the other half is kept for people
    for _ in range(5):
        queue.ask(Lane.PROMPT)
    await settled()
    assert [lane for _, lane, _ in queue.starts] == [Lane.BACKFILL] * 2 + [Lane.PROMPT] * 2
    await queue.time.advance(1.0)
    # Whoever starts in the same instant does so in any order.
    assert sorted(lane for _, lane, _ in queue.starts[4:]) == [Lane.PROMPT] * 3 + [Lane.BACKFILL]
    await queue.time.advance(20.0)


async def test_backfill_leaves_half_of_the_places_under_way_to_others() -> None:
    queue, end = Queue(limits(requests=100, in_flight=4)), asyncio.Event()
    for _ in range(5):
        queue.ask(Lane.BACKFILL, lasts=end)
    for _ in range(5):
        queue.ask(Lane.PROMPT, lasts=end)
    await settled()
    assert [lane for _, lane, _ in queue.starts] == [Lane.BACKFILL] * 2 + [Lane.PROMPT] * 2
    end.set()
    await settled()
    assert len(queue.starts) == 10


async def test_a_full_endpoint_does_not_hold_up_the_others() -> None:
    queue = Queue(limits(endpoint_requests=1))
    for endpoint in ("GET invoices 2", "GET invoices 2", "GET customers 2"):
        queue.ask(Lane.PROMPT, endpoint)
    await settled()
    assert [endpoint for _, _, endpoint in queue.starts] == ["GET invoices 2", "GET customers 2"]
    await queue.time.advance(1.0)
    assert len(queue.starts) == 3


async def test_nothing_starts_while_the_platform_asked_for_silence() -> None:
    queue = Queue(limits())
    queue.admission.pause(30.0)
    queue.admission.pause(5.0)
    queue.ask(Lane.PROMPT)
    await queue.time.advance(29.0)
    assert queue.starts == []
    await queue.time.advance(1.0)
    assert len(queue.starts) == 1


async def test_who_would_wait_longer_than_it_has_patience_is_told_at_once() -> None:
    queue = Queue(limits())
    queue.admission.pause(30.0)
    with pytest.raises(Crowded):
        async with queue.admission.room(Lane.PROMPT, "POST invoices 3", 2.0):
            pytest.fail("there was no room")


async def test_who_waits_for_a_place_gives_up_when_its_patience_is_over() -> None:
    queue, end = Queue(limits(in_flight=1)), asyncio.Event()
    queue.ask(Lane.PROMPT, lasts=end)

    async def impatient() -> None:
        async with queue.admission.room(Lane.PROMPT, "POST invoices 3", 2.0):
            pytest.fail("there was no room")

    second = asyncio.create_task(impatient())
    await queue.time.advance(2.0)
    with pytest.raises(Crowded):
        await second
    end.set()


async def test_a_cancelled_request_gives_back_its_place_and_its_turn() -> None:
    queue, end = Queue(limits(in_flight=1)), asyncio.Event()
    running, waiting, last = queue.ask(Lane.PROMPT, lasts=end), queue.ask(Lane.PROMPT), queue.ask(Lane.PROMPT)
    await settled()
    waiting.cancel()
    running.cancel()
    await last
    assert len(queue.starts) == 2


async def test_a_request_cancelled_at_the_moment_it_is_let_in_gives_back_its_place() -> None:
    queue, end = Queue(limits(in_flight=1)), asyncio.Event()
    queue.ask(Lane.PROMPT, lasts=end)
    waiting, last = queue.ask(Lane.PROMPT), queue.ask(Lane.PROMPT)
    await settled()
    end.set()
    while len(queue.starts) == 1 and not waiting.cancelling():
        await asyncio.sleep(0)
        waiting.cancel()
    await last


def test_the_lane_is_that_of_the_block() -> None:
    assert current_lane() is Lane.PROMPT
    with in_backfill():
        assert current_lane() is Lane.BACKFILL
    assert current_lane() is Lane.PROMPT


def test_one_endpoint_has_one_name_whatever_the_ids() -> None:
    assert endpoint_of("GET", "/v1/invoices/in_1") == endpoint_of("GET", "/v1/invoices/in_2") != endpoint_of("GET", "/v1/invoices")
    assert endpoint_of("PUT", "/invoices/abc/collect") == endpoint_of("PUT", "/invoices/number-7/collect")
    assert endpoint_of("GET", "/v1/invoices") != endpoint_of("POST", "/v1/invoices")


def test_a_share_of_the_limits_is_never_less_than_one_request() -> None:
    some = limits_for(Platform.STRIPE, livemode=True, share=0.1)
    assert (some.requests, some.endpoint_requests, some.in_flight) == (10, 2, 10)
    least = limits_for(Platform.STRIPE, livemode=False, share=0.001)
    assert (least.requests, least.endpoint_requests, least.in_flight) == (1, 1, 1)
