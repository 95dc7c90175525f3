"""Real workers, and the command that reads the past, before a vendor's double that told nobody anything: each dies at its named points."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from api.demo.processes import Program, stop_all
from graph.bootstrap import database_urls, load_settings
from memory.database import Database
from recoup.clock import wall_now
from tests.crash.points import BACKFILL, DATABASE, PLATFORM
from tests.crash.protocols import Protocol, http, postgres
from tests.crash.scene import LOOPBACK, WORKERS, connect, socket_of, wait_until_nothing_runs
from tests.crash.storm import Storm
from tests.crash.wires import Wire
from tests.vendors.stripe import StripeDouble

CONNECTION = "stripe-eu"
# The double bears all that a vendor would take of us, and more would not be waited for.
RECOUP_TOML = """\
[connections.stripe-eu]
platform = "stripe"
livemode = true
api_key = "env:CRASH_STRIPE_KEY"
api_base = "http://{host}:{port}"
limit_share = 1
"""
PATIENCE_SECONDS, POLL_SECONDS = 240.0, 0.1


@dataclass
class CatchingUp:
    """All that runs."""

    double: StripeDouble
    storm: Storm
    db: Database

    async def until(self, is_done: Callable[[], Awaitable[bool]], *names: str) -> None:
        """Starts again whoever of these died, until it is done. What a dead worker held is free at once: the lease is not waited for."""
        deaths, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        while not await is_done():
            assert time.monotonic() < deadline, f"still armed: {[point.name for point in self.storm.armed]}"
            for name in names:
                if not self.storm.programs[name].is_running:
                    self.storm.programs[name].start()
            if len(self.storm.kills) > deaths:
                deaths = len(self.storm.kills)
                async with self.db.write() as tx:
                    await tx.run("UPDATE reconciliations SET lease_until = NULL")
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def catching_up(home: Path) -> AsyncGenerator[CatchingUp]:
    """A migrated database and a double with a wire before each for everybody; nobody is started yet, and all are stopped at the end."""
    changes = {"home": home, "config": home / "none.toml", "database_url": None, "migrate_url": None, "sandbox": False, "admin_key": None}
    settings = load_settings().model_copy(update=changes)
    double = StripeDouble(start=wall_now().replace(microsecond=0) - timedelta(days=40), livemode=True)
    async with AsyncExitStack() as stack:
        address = stack.enter_context(double.serve())
        urls = await stack.enter_async_context(database_urls(settings))
        db = Database(urls.app, max_size=4)
        await db.open()
        stack.push_async_callback(db.close)
        programs: dict[str, Program] = {}
        storm = Storm(home, db, programs)
        commands = {**dict.fromkeys(WORKERS, ("worker",)), BACKFILL: ("connections", "backfill", CONNECTION, "--since", "90d")}
        for name, command in commands.items():
            database = await _wire(stack, storm, DATABASE, name, postgres, socket_of(urls.app))
            platform = await _wire(stack, storm, PLATFORM, name, http, int(address.rpartition(":")[2]))
            config = home / f"{name}.toml"
            config.write_text(RECOUP_TOML.format(host=LOOPBACK, port=platform.port), encoding="utf-8")
            environment = {
                "CRASH_STRIPE_KEY": double.secret_key,
                "RECOUP_HOME": str(home / name),
                "RECOUP_CONFIG": str(config),
                "RECOUP_DATABASE_URL": f"postgresql://recoup_app@{LOOPBACK}:{database.port}/recoup?sslmode=disable&gssencmode=disable",
                "RECOUP_SANDBOX": "",
                "RECOUP_ADMIN_KEY": "",
            }
            programs[name] = Program(name, command, environment, home / "logs" / f"{name}.log")
        # In a thread: what the programs still have to say goes through the wires of this loop.
        stack.push_async_callback(lambda: asyncio.to_thread(stop_all, list(programs.values())))
        yield CatchingUp(double, storm, db)
    await asyncio.to_thread(wait_until_nothing_runs, home)


async def _wire(stack: AsyncExitStack, storm: Storm, name: str, caller: str, protocol: Protocol, target: str | int) -> Wire:
    return await stack.enter_async_context(Wire(name, caller, protocol, partial(connect, target), storm).open())
