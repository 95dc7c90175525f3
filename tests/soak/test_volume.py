"""A hundred thousand events and what became of every one: RECOUP_SOAK_EVENTS, RECOUP_SOAK_SEED."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from api.demo.processes import Program, free_port, stop_all
from evals.invariants import check
from memory.database import Database
from tests.soak.crowd import Post, posts
from tools.billing.signatures import sign_stripe

EVENTS = int(os.environ.get("RECOUP_SOAK_EVENTS", "100000"))
SEED = int(os.environ.get("RECOUP_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
POSTING_AT_ONCE = 16
STUCK_SECONDS = 180.0
PAGE = 200
SECRET, KEY = "whsec_volume", "rk_test_key_of_the_volume_suite_only"
RECOUP_TOML = """\
[connections.stripe]
platform = "stripe"
livemode = false
webhook_secrets = ["env:RECOUP_VOLUME_SECRET"]
"""

pytestmark = pytest.mark.soak


class Kept(NamedTuple):
    """What the API says of an event."""

    status: str
    duplicates: int


@asynccontextmanager
async def serving(home: Path, database_url: str) -> AsyncGenerator[httpx.AsyncClient]:
    """API and two workers as processes of their own, and a client of the API."""
    (home / "recoup.toml").write_text(RECOUP_TOML, encoding="utf-8")
    environment = {
        "RECOUP_HOME": str(home),
        "RECOUP_CONFIG": str(home / "recoup.toml"),
        "RECOUP_DATABASE_URL": database_url,
        "RECOUP_VOLUME_SECRET": SECRET,
        "RECOUP_ADMIN_KEY": KEY,
        "RECOUP_LOG_LEVEL": "critical",
    }
    port = free_port()
    commands = {"api": ("serve", "--no-worker", "--port", str(port)), "worker-1": ("worker",), "worker-2": ("worker",)}
    programs = [Program(name, command, environment, home / f"{name}.log") for name, command in commands.items()]
    async with AsyncExitStack() as stack:
        stack.callback(stop_all, programs)
        for program in programs:
            program.start()
        address = f"http://127.0.0.1:{port}"
        await programs[0].wait_ready(f"{address}/readyz")
        limits = httpx.Limits(max_connections=POSTING_AT_ONCE)
        headers = {"Authorization": f"Bearer {KEY}"}
        yield await stack.enter_async_context(httpx.AsyncClient(base_url=address, headers=headers, timeout=60, limits=limits))


async def test_every_event_of_a_hundred_thousand_is_accounted_for(tmp_path: Path, database_url: str, db: Database) -> None:
    started = time.monotonic()
    async with serving(tmp_path, database_url) as client:
        delivered = await _post_all(client, posts(EVENTS, SEED))
        posted_seconds = time.monotonic() - started
        await _all_finished(db)
        seconds = time.monotonic() - started
        kept = await _every_event(client)
    ends = {post.event_id: post.ends for post in posts(EVENTS, SEED)}
    states = Counter(row.status for row in kept.values())
    duplicates = sum(row.duplicates for row in kept.values())
    print(
        f"\nvolume soak: seed {SEED}: {EVENTS} deliveries in {posted_seconds:.0f} s, all done after {seconds:.0f} s: "
        f"{dict(states)}, {duplicates} duplicates"
    )
    assert kept.keys() == delivered.keys() == ends.keys()
    wrong = {event_id: row.status for event_id, row in kept.items() if row.status != ends[event_id]}
    assert wrong == {}, f"seed {SEED}"
    miscounted = {event_id: row.duplicates for event_id, row in kept.items() if row.duplicates != delivered[event_id] - 1}
    assert miscounted == {}, f"seed {SEED}"
    assert states["processed"] + duplicates + states["ignored"] + states["dead"] == delivered.total() == EVENTS
    assert (await check(db, {}, None, patience_seconds=0)).findings == {}, f"seed {SEED}"


async def _post_all(client: httpx.AsyncClient, crowd: Iterator[Post]) -> Counter[str]:
    """Posts each until it is taken, several at once, and counts how often each id was."""
    taken: Counter[str] = Counter()

    async def post_in_turn() -> None:
        for post in crowd:
            while not await _is_taken(client, post):  # noqa: ASYNC110 - asked again as a platform does, until it is taken
                await asyncio.sleep(0.5)
            taken[post.event_id] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(POSTING_AT_ONCE):
            group.create_task(post_in_turn())
    return taken


async def _is_taken(client: httpx.AsyncClient, post: Post) -> bool:
    headers = {"Content-Type": "application/json", "Stripe-Signature": sign_stripe(post.body, SECRET, int(time.time()))}
    response = await client.post("/webhooks/stripe", content=post.body, headers=headers)
    assert response.status_code in {202, 503}, response.text
    return response.status_code == 202


async def _all_finished(db: Database) -> None:
    """Waits for the last event, as long as there is progress."""
    least, since = EVENTS + 1, time.monotonic()
    while least:
        async with db.read() as session:
            waiting = int(await session.value("SELECT count(*) FROM inbox WHERE status = 'accepted'"))
        if waiting < least:
            least, since = waiting, time.monotonic()
        assert time.monotonic() - since < STUCK_SECONDS, f"{waiting} events are not finished, and none has been for a while"
        await asyncio.sleep(0.5)


async def _every_event(client: httpx.AsyncClient) -> dict[str, Kept]:
    """The second pass: what the API says of every event, by the vendor's id."""
    kept: dict[str, Kept] = {}
    cursor: str | None = None
    while True:
        asked = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/v1/events", params=asked)).raise_for_status().json()
        for row in page["items"]:
            assert row["vendor_event_id"] not in kept
            kept[row["vendor_event_id"]] = Kept(row["status"], row["duplicates"])
        cursor = page["next_cursor"]
        if cursor is None:
            return kept
