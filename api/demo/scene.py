"""Sets the demo's scene: a home, keys, a configuration, a database whose clock stands at the start, and four programs."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from api.demo.processes import Program, free_port, stop_all
from graph.bootstrap import DatabaseUrls, database_urls, load_settings
from graph.settings import load_connections
from memory import keys, policies
from memory.database import Database
from memory.switches import StoredClock
from recoup.clock import wall_now
from recoup.errors import Misconfigured
from recoup.people import Role
from recoup.settings import Connection, Settings
from tools.sandbox.population import DEFAULT_START

LOOPBACK = "127.0.0.1"
CONNECTION = "sandbox"
# They name themselves wherever a person's name would stand.
DRIVER, APPROVER = "demo driver (simulated)", "approver (simulated)"
WORKERS = 2
RECOUP_TOML = """\
[connections.{name}]
platform = "sandbox"
livemode = false
api_base = "{api_base}"
api_key = "env:RECOUP_SANDBOX_API_KEY"
webhook_secrets = ["env:RECOUP_SANDBOX_WEBHOOK_SECRET"]
"""


@dataclass(frozen=True)
class Plot:
    """What is played."""

    cases: int
    days: int
    seed: int


@dataclass(frozen=True)
class Stage:
    """The running scene. ``operator_key`` moves the clock, ``approver_key`` answers approvals."""

    plot: Plot
    home: Path
    settings: Settings
    connections: dict[str, Connection]
    db: Database
    api_url: str
    sandbox_url: str
    sandbox_key: str
    operator_key: str
    approver_key: str
    sandbox: Program
    api: Program
    workers: tuple[Program, ...]

    @property
    def programs(self) -> list[Program]:
        """All of them, in the order in which they start."""
        return [self.sandbox, self.api, *self.workers]


@asynccontextmanager
async def stage(plot: Plot, home: Path) -> AsyncGenerator[Stage]:
    """Everything started and ready; stopped at the end, each program by its process id, then the database."""
    api_port, sandbox_port = free_port(), free_port()
    secret = {"RECOUP_SANDBOX_API_KEY": f"sk_test_{secrets.token_hex(16)}", "RECOUP_SANDBOX_WEBHOOK_SECRET": secrets.token_hex(32)}
    config, sandbox_url = home / "recoup.toml", f"http://{LOOPBACK}:{sandbox_port}"
    config.write_text(RECOUP_TOML.format(name=CONNECTION, api_base=sandbox_url), encoding="utf-8")
    # Mail goes into a Maildir under the home: the demo must never reach a real mail server.
    settings = load_settings().model_copy(update={"home": home, "config": config, "sandbox": True, "smtp_url": None, "admin_key": None})
    environment = {
        **secret,
        "RECOUP_HOME": str(home),
        "RECOUP_CONFIG": str(config),
        "RECOUP_SANDBOX": "1",
        "RECOUP_SMTP_URL": "",
        "RECOUP_ADMIN_KEY": "",
        "RECOUP_LOG_LEVEL": "warning",
    }
    async with _database(settings) as urls:
        await _migrate(settings)
        db = Database(urls.app, max_size=4)
        await db.open()
        api = _program(home, "api", environment, "serve", "--no-worker", "--host", LOOPBACK, "--port", str(api_port))
        sandbox = _program(home, "sandbox", environment, "sandbox", *_sandbox_arguments(plot, home, sandbox_port, api_port))
        workers = tuple(_program(home, f"worker-{n}", environment, "worker") for n in range(1, WORKERS + 1))
        programs = [sandbox, api, *workers]
        try:
            operator_key, approver_key = await _prepare(db)
            for program in programs:
                program.start()
            scene = Stage(
                plot=plot,
                home=home,
                settings=settings,
                connections=load_connections(settings, {**os.environ, **secret}),
                db=db,
                api_url=f"http://{LOOPBACK}:{api_port}",
                sandbox_url=sandbox_url,
                sandbox_key=secret["RECOUP_SANDBOX_API_KEY"],
                operator_key=operator_key,
                approver_key=approver_key,
                sandbox=sandbox,
                api=api,
                workers=workers,
            )
            await sandbox.wait_ready(f"{sandbox_url}/control/next", {"Authorization": f"Bearer {scene.sandbox_key}"})
            await api.wait_ready(f"{scene.api_url}/readyz")
            yield scene
        finally:
            stop_all(programs)
            await db.close()


@asynccontextmanager
async def _database(settings: Settings) -> AsyncGenerator[DatabaseUrls]:
    """The database for as long as the block lasts. Our own one is surely gone after it: until then its folder must not be deleted."""
    try:
        async with database_urls(settings) as urls:
            yield urls
    finally:
        if settings.database_url is None:
            await asyncio.to_thread(_wait_for_the_end_of_postgres, settings.home)


def _wait_for_the_end_of_postgres(home: Path) -> None:
    from memory.embedded.files import files_of, hold

    lock = hold(files_of(home).supervisor_lock, wait=True)
    if lock is not None:
        os.close(lock)


def _program(home: Path, name: str, environment: dict[str, str], *arguments: str) -> Program:
    return Program(name=name, arguments=arguments, environment=environment, log=home / "logs" / f"{name}.log")


def _sandbox_arguments(plot: Plot, home: Path, port: int, api_port: int) -> tuple[str, ...]:
    webhooks = f"http://{LOOPBACK}:{api_port}/webhooks/{CONNECTION}"
    world = ("--seed", str(plot.seed), "--cases", str(plot.cases), "--days", str(plot.days))
    return ("--home", str(home / "sandbox"), "--port", str(port), "--webhook-url", webhooks, *world)


async def _migrate(settings: Settings) -> None:
    from api.cli.migrate import bring_up_to_date

    await bring_up_to_date(settings)


async def _prepare(db: Database) -> tuple[str, str]:
    """Stops the clock at the start, puts the demo's policy in force and makes the two keys; raises Misconfigured where the database is
    in use, since the demo would play with its clock and policy."""
    async with db.read() as session:
        if await session.value("SELECT 1 FROM inbox LIMIT 1"):
            raise Misconfigured("the database of RECOUP_DATABASE_URL holds events; the demo needs an empty one")
    await StoredClock(db).set(DEFAULT_START)
    text = files("api.demo").joinpath("policy.toml").read_text(encoding="utf-8")
    async with db.write() as tx:
        await policies.save(tx, text, by=DRIVER, note="the demo's policy", at=DEFAULT_START)
        operator_key, _ = await keys.create(tx, person=DRIVER, role=Role.OPERATOR, by=DRIVER, at=wall_now())
        approver_key, _ = await keys.create(tx, person=APPROVER, role=Role.APPROVER, by=DRIVER, at=wall_now())
    return operator_key, approver_key
