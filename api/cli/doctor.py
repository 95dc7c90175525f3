"""``recoup doctor``: looks at everything that can be set up wrongly, and says what to mend."""

from collections.abc import AsyncGenerator, Generator, Sequence
from itertools import groupby
from typing import Literal

import click

from agents.model_prices import price_of
from api.cli.output import json_option, print_json
from api.model_overview import ModelLine, overview
from graph.bootstrap import Services, load_connections, open_services
from graph.readiness import check_readiness
from memory import keys, mirror, switches
from memory.database import Read
from recoup.errors import RecoupError
from recoup.record import Record
from recoup.settings import ModelSettings, Settings

Level = Literal["ok", "warn", "fail"]
COLOURS: dict[Level, str] = {"ok": "green", "warn": "yellow", "fail": "red"}
SHORTEST_ADMIN_KEY = 24


class Finding(Record):
    """One thing looked at. ``warn``: it works, but somebody should know; ``fail``: it does not work."""

    level: Level
    name: str
    detail: str


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """Check this installation and say what to mend. Exit code 1 where something does not work."""
    from api.cli.running import run

    findings = run(examine)
    healthy = all(finding.level != "fail" for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": findings})
    else:
        for finding in findings:
            click.echo(f"{click.style(f'{finding.level:4}', fg=COLOURS[finding.level])}  {finding.name:<12}  {finding.detail}")
    if not healthy:
        raise click.exceptions.Exit(1)


async def examine(settings: Settings) -> list[Finding]:
    """Everything, as far as it can be reached."""
    findings: list[Finding] = []
    try:
        findings += _configuration(settings)
        async with open_services(settings) as services:
            findings += [finding async for finding in _installation(services)]
    except RecoupError as exc:
        findings.append(_fail("start", str(exc)))
    return findings


def _configuration(settings: Settings) -> Generator[Finding]:
    yield _ok("home", str(settings.home))
    connections = load_connections(settings)
    if not connections:
        yield _warn("connections", f"there are none; write [connections.NAME] into {settings.config}")
    for connection in connections.values():
        name = f"/{connection.name}"
        if not connection.webhook_secrets and not connection.basic_auth:
            yield _fail(name, "has neither webhook_secrets nor basic_auth, so every webhook is refused")
            continue
        money = "simulated" if connection.simulated else "live"
        reach = (
            f"recoup connections check {connection.name} asks it"
            if connection.api_key
            else "events only, without an api_key: charges are denied, capability missing"
        )
        yield _ok(name, f"{connection.platform}, {money}, secrets resolved; {reach}")
    if settings.smtp_url:
        yield _ok("mail", f"by SMTP, as {settings.mail_from}")
    else:
        yield _warn("mail", f"nobody gets any: it goes into {settings.home / 'mail'}; set RECOUP_SMTP_URL")
    if settings.admin_key and len(settings.admin_key) < SHORTEST_ADMIN_KEY:
        yield _warn("admin key", f"RECOUP_ADMIN_KEY is shorter than {SHORTEST_ADMIN_KEY} characters")


async def _installation(services: Services) -> AsyncGenerator[Finding]:
    async with services.db.read() as session:
        server = await session.value("SHOW server_version")
        kind = "external" if services.settings.database_url else "embedded"
        yield _ok("database", f"{kind} PostgreSQL {server}")
        yield await _rights(session)
        if not [row for row in await keys.all_keys(session) if row.revoked_at is None]:
            yield _warn("keys", "nobody can use the HTTP API; recoup keys create NAME --role admin")
        if await switches.kill_switch_is_on(session):
            yield _warn("kill switch", "is on: nothing leaves")
        for name, lost in groupby(await mirror.dead(session), key=lambda one: one.connection):
            errors = [one.error for one in lost]
            number = f"{len(errors)} note{'s' * (len(errors) != 1)}"
            yield _warn(f"/{name}", f"did not take {number}: {errors[-1]}; see recoup connections mirror {name}")
    for check in (await check_readiness(services)).checks:
        if check.name != "database" or not check.ok:
            yield Finding(level="ok" if check.ok else "fail", name=check.name, detail=check.detail)
    yield _ok("graph", ", ".join(name for name in services.graph.nodes if not name.startswith("__")))
    for finding in _models(services.settings.models, (await overview(services, days=1)).models):
        yield finding
    version, policy = await services.policies.current()
    yield _ok("policy", f"version {version}, mode {policy.mode}")
    if not policy.approvals.four_eyes:
        yield Finding(
            level="warn", name="four eyes", detail="off: who edits an action may approve it; set approvals.four_eyes in the policy"
        )
    now = f"{await services.clock.now():%Y-%m-%d %H:%M} UTC"
    kind = "the stored one of sandbox mode" if services.settings.sandbox else "wall time"
    yield Finding(level="ok", name="clock", detail=f"{now}, {kind}")


def _models(settings: ModelSettings, lines: Sequence[ModelLine]) -> Generator[Finding]:
    """Who is asked, and whether they answer; nothing is asked here, since that would cost money."""
    if not lines:
        yield _ok("model", "none: rules decide alone")
        return
    where = settings.base_url or "the address of OpenAI"
    yield _ok("model", f"{', '.join(settings.names)} at {where}; recoup models shows what they cost")
    for line in lines:
        if line.breaker != "closed":
            yield _warn("model", f"{line.model} failed again and again and is left alone for a while; see recoup models")
        if price_of(line.model) is None:
            yield _warn("model", f"the price of {line.model} is not known: only its calls and tokens are limited, not its money")


async def _rights(session: Read) -> Finding:
    """Whether the grants on the audit log bind the role that Recoup works with."""
    role = await session.value("SELECT current_user")
    if await session.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        return Finding(
            level="warn", name="roles", detail=f"{role} is a superuser: no grant binds it; give RECOUP_DATABASE_URL a role of its own"
        )
    if await session.value("SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'audit_log'"):
        return Finding(
            level="warn", name="roles", detail=f"{role} owns the tables: only a trigger guards the audit log; see RECOUP_MIGRATE_URL"
        )
    if await session.value("SELECT has_table_privilege('audit_log', 'INSERT, UPDATE, DELETE, TRUNCATE')"):
        return _fail("roles", f"{role} may change the audit log; run recoup migrate as the owner")
    return _ok("roles", f"{role} may not change the audit log")


def _ok(name: str, detail: str) -> Finding:
    return Finding(level="ok", name=name, detail=detail)


def _warn(name: str, detail: str) -> Finding:
    return Finding(level="warn", name=name, detail=detail)


def _fail(name: str, detail: str) -> Finding:
    return Finding(level="fail", name=name, detail=detail)
