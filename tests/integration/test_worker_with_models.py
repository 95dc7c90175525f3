"""A worker whose decisions wait for a model: many wait at once, and what need not wait goes on beside them."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from api.worker import run_worker
from graph.bootstrap import Services
from graph.offline import FilePolicy
from memory import queue
from memory.database import Database
from memory.model_calls import ModelCalls, ModelLimits
from memory.outbox import ActionState
from recoup.drafts import NoDrafts
from recoup.policy import Policy
from recoup.settings import ModelSettings
from tests.deciding import failure_of, rows
from tests.drafts import GOOD
from tests.fakes import FakeBilling, make_services
from tests.models import MODEL, models_on
from tests.scenes import a_retry, absorb_reading, action_of, change, commit, open_case
from tests.vendors.model_server import Asked, ModelServer, Reply, answers

CASES = 50
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def working(services: Services) -> AsyncGenerator[None]:
    """One worker at work while the block lasts."""
    stop = asyncio.Event()
    async with services.app.open_async(), asyncio.TaskGroup() as group:
        group.create_task(run_worker(services, stop))
        try:
            yield
        finally:
            stop.set()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for it; the test's patience ends it where it does not come."""
    while not await condition():  # noqa: ASYNC110 - what is awaited is a row, or another thread
        await asyncio.sleep(0.02)


async def _is(condition: bool) -> bool:
    return condition


async def _is_done(db: Database, action_id: str) -> bool:
    return (await action_of(db, action_id)).state is ActionState.DONE


async def _all_asked(db: Database) -> bool:
    return await rows(db, "SELECT count(*) FROM approvals") == [(CASES,)]


async def test_fifty_decisions_wait_for_a_model_at_once_and_a_charge_goes_out_meanwhile(db: Database) -> None:
    thought = threading.Event()

    def think(asked: Asked) -> Reply:
        thought.wait(PATIENCE_SECONDS)
        return answers(GOOD["en"].model_dump())

    with ModelServer(think).running() as server:
        books = ModelCalls(db, FilePolicy(Policy()), ModelLimits(in_flight=100, tokens_a_minute=10**7))
        billing = FakeBilling()
        patient = models_on(server, books, call_seconds=PATIENCE_SECONDS)
        services = make_services(db, billing=billing, model=patient, drafts=NoDrafts())
        services = replace(services, settings=services.settings.model_copy(update={"models": ModelSettings(chain=(MODEL,))}))
        facts = await open_case(services)
        charge = await commit(services, facts, a_retry(facts))
        await change(db, "UPDATE cases SET needs_decision = false")
        for customer in range(CASES):
            await absorb_reading(services, failure_of(customer))
        try:
            async with working(services), asyncio.timeout(PATIENCE_SECONDS):
                await until(lambda: _is(server.most_at_once == CASES))
                async with db.write() as tx:
                    await queue.wake(tx, "execute", charge)
                await until(lambda: _is_done(db, charge))
                assert await rows(db, "SELECT count(*) FROM approvals") == [(0,)]
                thought.set()
                await until(lambda: _all_asked(db))
        finally:
            thought.set()

    assert billing.calls == [charge]
    assert len(server.asked) == CASES
    assert await rows(db, "SELECT calls, tokens FROM model_spend WHERE scope = 'day'") == [(CASES, CASES * 120)]
