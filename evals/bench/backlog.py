"""Work for measured workers: put in at once, awaited until nothing of it is left."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import LiteralString

from memory import inbox
from memory.database import Database
from recoup.clock import wall_now
from recoup.events import EventIdentity

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 180.0


async def take_in(db: Database, connection: str, bodies: Iterable[str]) -> None:
    """Accepts all events in one transaction: the workers see all of them at the same moment."""
    async with db.write() as tx:
        for body in bodies:
            said: Mapping[str, str] = json.loads(body)
            await inbox.accept(tx, connection, EventIdentity(said["id"], said["type"], False), "application/json", body, wall_now())


async def until_quiet(db: Database) -> None:
    """Waits until every event is terminal, every wanted decision is made and every action has ended."""
    await _until(
        db,
        "SELECT EXISTS (SELECT FROM inbox WHERE status = 'accepted')"
        " OR EXISTS (SELECT FROM cases WHERE needs_decision AND decide_error IS NULL)"
        " OR EXISTS (SELECT FROM actions WHERE state IN ('ready', 'started'))",
    )


async def until_no_jobs(db: Database) -> None:
    """Waits until the queue is empty."""
    await _until(db, "SELECT EXISTS (SELECT FROM procrastinate_jobs)")


async def until_registered(db: Database, workers: int) -> None:
    """Waits until that many workers ask for work."""
    async with asyncio.timeout(PATIENCE_SECONDS), db.read() as session:
        while await session.value("SELECT count(*) FROM procrastinate_workers") < workers:  # noqa: ASYNC110 - what is awaited is a row
            await asyncio.sleep(POLL_SECONDS)


async def _until(db: Database, busy: LiteralString) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), db.read() as session:
        while await session.value(busy):  # noqa: ASYNC110 - what is awaited is a row
            await asyncio.sleep(POLL_SECONDS)
