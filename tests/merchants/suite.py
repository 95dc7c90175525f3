"""Runs many histories, each by its seed, on one database that is made as new between them."""

import random
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from tests.conftest import database_url_of
from tests.disorder.databases import Databases
from tests.disorder.dying import DyingDatabase
from tests.merchants.clean import CleanSlate
from tests.merchants.history import History, random_policy
from tests.merchants.merchant import merchant
from tests.merchants.recurly_life import RecurlyLife
from tests.merchants.shop import Kind
from tests.merchants.stripe_life import StripeLife
from tests.vendors.stripe_state import Version

TURNS = (6, 9, 12, 18)
REPEAT = ".venv/bin/pytest -m soak tests/soak/test_vendor_histories.py"


async def run_histories(on: Databases, kind: Kind, seeds: Iterable[int]) -> None:
    """Raises AssertionError with the seeds that failed, what was found, and the command that repeats one alone."""
    failed: dict[int, str] = {}
    async with _database(on) as (db, slate):
        for seed in seeds:
            try:
                await live(db, kind, seed)
            except Exception as exc:  # noqa: BLE001 - told with its seed below, after the others
                failed[seed] = f"{type(exc).__name__}: {exc}"
            slate.wipe()
    told = "\n".join(f"RECOUP_HISTORY={kind}:{seed} {REPEAT}\n  {why}" for seed, why in failed.items())
    assert not failed, f"{len(failed)} histories failed; each is repeated alone by the command before it:\n{told}"


async def live(db: DyingDatabase, kind: Kind, seed: int) -> None:
    """One history on a database that is as new."""
    chance = random.Random(f"{kind}:{seed}")
    policy = random_policy(chance)
    version = Version.OLD if chance.random() < 0.25 else Version.NEW
    async with merchant(db, kind, seed=seed, policy=policy, version=version) as made:
        life = StripeLife(made.double) if kind == "stripe" else RecurlyLife(made.double)
        history = History(made, life, db, chance)
        await history.live(chance.choice(TURNS))
        await history.end()


@asynccontextmanager
async def _database(on: Databases) -> AsyncGenerator[tuple[DyingDatabase, CleanSlate]]:
    url = on.create()
    name = url.rpartition("/")[2].partition("?")[0]
    slate = CleanSlate(database_url_of(on.server_url, name))
    db = DyingDatabase(url, max_size=4)
    await db.open()
    try:
        yield db, slate
    finally:
        await db.close()
        slate.close()
        on.drop(url)
