"""Everything as real processes on loopback, with a wire between any two that speak: our PostgreSQL, sandbox, API, workers, mail server."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from api.demo.processes import Program, free_port, stop_all
from api.demo.scene import CONNECTION, LOOPBACK, RECOUP_TOML, Plot, Stage
from graph.bootstrap import database_urls, load_settings
from graph.settings import load_connections
from memory import keys, policies
from memory.database import Database
from memory.embedded.files import files_of, is_held
from memory.switches import StoredClock
from recoup.clock import wall_now
from recoup.people import Role
from recoup.settings import Settings
from tests.crash.points import DATABASE, MAIL, PLATFORM, WEBHOOKS
from tests.crash.protocols import Protocol, http, postgres, smtp
from tests.crash.storm import MAIL_SERVER, Storm
from tests.crash.wires import Streams, Wire
from tools.sandbox.population import DEFAULT_START

ROOT = Path(__file__).parents[2]
SECRETS = {"RECOUP_SANDBOX_API_KEY": "sk_test_crash", "RECOUP_SANDBOX_WEBHOOK_SECRET": "whsec_crash"}
TWICE_SHARE, SHUFFLED_SHARE = "0.2", "0.2"
WORKERS = ("worker-1", "worker-2")
PATIENCE_SECONDS = 60.0


class MailProgram(Program):
    """The mail server beside the programs of ``recoup``."""

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.crash.mail_server", *self.arguments]
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.starts += 1


@dataclass(frozen=True)
class Scene:
    """All that runs. ``stage`` is what the demo's driver drives."""

    stage: Stage
    storm: Storm
    home: Path
    mail_ledger: Path
    sandbox_file: Path


@asynccontextmanager
async def scene(plot: Plot, home: Path) -> AsyncGenerator[Scene]:
    """Everything started and ready; at the end each program is stopped by its process id, then the database."""
    settings = load_settings().model_copy(
        update={"home": home, "config": home / "api.toml", "database_url": None, "migrate_url": None, "sandbox": True, "admin_key": None}
    )
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(database_urls(settings))
        db = Database(urls.app, max_size=4)
        await db.open()
        stack.push_async_callback(db.close)
        ports = {name: free_port() for name in ("api", "sandbox", MAIL_SERVER)}
        programs: dict[str, Program] = {}
        storm = Storm(home, db, programs)
        await _add_programs(stack, storm, programs, plot, socket_of(urls.app), ports)
        # In a thread: what the programs still have to say goes through the wires of this loop.
        stack.push_async_callback(lambda: asyncio.to_thread(stop_all, list(programs.values())))
        stage = await _stage(plot, settings, db, programs, ports)
        storm.revive()
        await programs["sandbox"].wait_ready(f"{stage.sandbox_url}/control/next", {"Authorization": f"Bearer {stage.sandbox_key}"})
        await programs["api"].wait_ready(f"{stage.api_url}/readyz")
        yield Scene(stage, storm, home, home / "mail.jsonl", home / "sandbox" / "sandbox.sqlite3")
    await asyncio.to_thread(wait_until_nothing_runs, home)


async def _add_programs(
    stack: AsyncExitStack, storm: Storm, programs: dict[str, Program], plot: Plot, socket: str, ports: dict[str, int]
) -> None:
    async def wire(name: str, caller: str, protocol: Protocol, port: int | None) -> Wire:
        """``port`` None leads to PostgreSQL's socket."""
        made = Wire(name, caller, protocol, partial(connect, socket if port is None else port), storm)
        if name == MAIL:
            made.on_answer = partial(storm.hear_mail, caller)
        if name == WEBHOOKS:
            made.on_answer = storm.hear_webhook
        return await stack.enter_async_context(made.open())

    home = storm.home
    webhooks = await wire(WEBHOOKS, "sandbox", http, ports["api"])
    programs[MAIL_SERVER] = MailProgram(MAIL_SERVER, (str(ports[MAIL_SERVER]), str(home / "mail.jsonl")), {}, home / "logs" / "mail.log")
    address = f"http://{LOOPBACK}:{webhooks.port}/webhooks/{CONNECTION}"
    world = ("--seed", str(plot.seed), "--cases", str(plot.cases), "--days", str(plot.days), "--webhook-url", address)
    channel = ("--twice-share", TWICE_SHARE, "--shuffled-share", SHUFFLED_SHARE)
    arguments = ("sandbox", "--home", str(home / "sandbox"), "--port", str(ports["sandbox"]), *world, *channel)
    programs["sandbox"] = Program("sandbox", arguments, SECRETS, home / "logs" / "sandbox.log")
    commands = {"api": ("serve", "--no-worker", "--host", LOOPBACK, "--port", str(ports["api"])), **dict.fromkeys(WORKERS, ("worker",))}
    for name, command in commands.items():
        database = await wire(DATABASE, name, postgres, None)
        platform = await wire(PLATFORM, name, http, ports["sandbox"])
        mail = await wire(MAIL, name, smtp, ports[MAIL_SERVER])
        config = home / f"{name}.toml"
        config.write_text(RECOUP_TOML.format(name=CONNECTION, api_base=f"http://{LOOPBACK}:{platform.port}"), encoding="utf-8")
        environment = {
            **SECRETS,
            "RECOUP_HOME": str(home / name),
            "RECOUP_CONFIG": str(config),
            "RECOUP_DATABASE_URL": f"postgresql://recoup_app@{LOOPBACK}:{database.port}/recoup?sslmode=disable&gssencmode=disable",
            "RECOUP_SMTP_URL": f"smtp://{LOOPBACK}:{mail.port}",
            "RECOUP_SANDBOX": "1",
            "RECOUP_ADMIN_KEY": "",
            "RECOUP_LOG_LEVEL": "info",
        }
        programs[name] = Program(name, command, environment, home / "logs" / f"{name}.log")


async def _stage(plot: Plot, settings: Settings, db: Database, programs: dict[str, Program], ports: dict[str, int]) -> Stage:
    await StoredClock(db).set(DEFAULT_START)
    policy = files("api.demo").joinpath("policy.toml").read_text(encoding="utf-8")
    async with db.write() as tx:
        await policies.save(tx, policy, by="the crash suite", note="the demo's policy", at=DEFAULT_START)
        operator_key, _ = await keys.create(tx, person="driver", role=Role.OPERATOR, by="the crash suite", at=wall_now())
        approver_key, _ = await keys.create(tx, person="approver", role=Role.APPROVER, by="the crash suite", at=wall_now())
    return Stage(
        plot=plot,
        home=settings.home,
        settings=settings,
        connections=load_connections(settings, SECRETS),
        db=db,
        api_url=f"http://{LOOPBACK}:{ports['api']}",
        sandbox_url=f"http://{LOOPBACK}:{ports['sandbox']}",
        sandbox_key=SECRETS["RECOUP_SANDBOX_API_KEY"],
        operator_key=operator_key,
        approver_key=approver_key,
        sandbox=programs["sandbox"],
        api=programs["api"],
        workers=tuple(programs[name] for name in WORKERS),
    )


async def connect(target: str | int) -> Streams:
    if isinstance(target, str):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection(LOOPBACK, target)


def socket_of(url: str) -> str:
    query = parse_qs(urlsplit(url).query)
    return f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"


def wait_until_nothing_runs(home: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_held(files_of(home).supervisor_lock) or is_held(files_of(home).server_lock):
        assert time.monotonic() < deadline, "PostgreSQL did not end with its last client"
        time.sleep(0.05)
