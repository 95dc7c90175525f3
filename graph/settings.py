"""Reads what is set from outside: RECOUP_* for machines, recoup.toml for connections. Everything wrong is named with its mend."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from recoup.actions import Tag
from recoup.errors import Misconfigured
from recoup.record import Record
from recoup.settings import (
    API_VERSIONS,
    DEFAULT_EMBEDDING_MODEL,
    DEFAULT_LIMIT_SHARE,
    RECURLY_RETRIES_KEPT,
    Connection,
    ModelSettings,
    Platform,
    Settings,
)

DEFAULT_HOME = "~/.recoup"
CONFIG_NAME = "recoup.toml"
REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
# Agents that may have models of their own: RECOUP_MODEL_ORCHESTRATOR and so on.
MODEL_AGENTS = ("orchestrator", "communication", "exception", "reader")
RULES_MODEL = "rules"
MODEL_NAME = re.compile(r"openai:([A-Za-z0-9][A-Za-z0-9._:/@-]{0,99})")
SANDBOX_URL = "http://127.0.0.1:8420"


class Environment(BaseSettings):
    """RECOUP_*, typed. An empty value counts as not set."""

    model_config = SettingsConfigDict(env_prefix="RECOUP_", env_ignore_empty=True)

    home: Path = Path(DEFAULT_HOME)
    config: Path | None = None
    database_url: str | None = None
    migrate_url: str | None = None
    smtp_url: str | None = None
    mail_from: str = "Billing <billing@recoup.invalid>"
    admin: str = "admin"
    admin_key: str | None = None
    sandbox: bool = False
    model: str = "rules"
    model_orchestrator: str | None = None
    model_communication: str | None = None
    model_exception: str | None = None
    model_reader: str | None = None
    model_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20
    model_retries: Annotated[int, Field(ge=0, le=5)] = 1
    model_in_flight: Annotated[int, Field(ge=1)] = 64
    model_tokens_per_minute: Annotated[int, Field(ge=1)] = 1_000_000
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8321
    backlog_limit: Annotated[int, Field(ge=1)] = 100_000
    log_level: str = "info"
    chroma_url: str | None = None
    embedding_model: str = DEFAULT_EMBEDDING_MODEL


class ConnectionTable(Record):
    """One ``[connections.NAME]``. ``livemode``: whether real money moves; where it is left out, a live or test api_key tells, else test.
    ``limit_share``: of the vendor's published limits. ``api_version``: of the vendor's API, the newest that is spoken where it is left out.
    ``reserved_platform_attempts``: kept for retries that the platform makes by itself and cannot be told to stop. ``mirror`` is off unless
    it is said: it writes into the merchant's own books."""

    platform: Platform
    livemode: bool | None = None
    entity: str = "default"
    api_key: str | None = None
    api_base: str | None = None
    webhook_secrets: tuple[str, ...] = ()
    basic_auth: tuple[str, ...] = ()
    limit_share: Annotated[float, Field(gt=0, le=1)] = DEFAULT_LIMIT_SHARE
    api_version: str | None = None
    reserved_platform_attempts: Annotated[int | None, Field(ge=0, le=20)] = None
    mirror: bool = False
    mirror_tags: tuple[Tag, ...] = ()
    site: Annotated[str | None, Field(pattern=r"^[a-z0-9-]+$")] = None


def load_settings() -> Settings:
    """Settings from the environment. The config file is RECOUP_CONFIG, else ./recoup.toml, else recoup.toml in the home folder."""
    try:
        found = Environment()
    except ValidationError as exc:
        problems = "; ".join(f"RECOUP_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in exc.errors())
        raise Misconfigured(problems) from exc
    home = found.home.expanduser().absolute()
    if found.config and not found.config.is_file():
        raise Misconfigured(f"RECOUP_CONFIG names {found.config}, which is not a file")
    here = Path(CONFIG_NAME).absolute()
    values = found.model_dump(exclude={"home", "config", "admin", *(name for name in Environment.model_fields if name.startswith("model"))})
    return Settings(
        home=home,
        config=found.config or (here if here.is_file() else home / CONFIG_NAME),
        admin_name=found.admin,
        models=_models(found, os.environ),
        **values,
    )


def _models(found: Environment, environment: Mapping[str, str]) -> ModelSettings:
    """The models by agent, and where they are; raises Misconfigured for a name that nothing here speaks to, and for a missing key."""
    own = {agent: getattr(found, f"model_{agent}") for agent in MODEL_AGENTS}
    by_agent = {agent: _chain(f"RECOUP_MODEL_{agent.upper()}", text) for agent, text in own.items() if text is not None}
    base_url = environment.get("OPENAI_BASE_URL") or None
    models = ModelSettings(
        chain=_chain("RECOUP_MODEL", found.model),
        by_agent=by_agent,
        base_url=base_url,
        # A server of one's own asks for no key, and the client sends none without one.
        api_key=environment.get("OPENAI_API_KEY") or ("none" if base_url else ""),
        timeout_seconds=found.model_timeout_seconds,
        retries=found.model_retries,
        in_flight=found.model_in_flight,
        tokens_a_minute=found.model_tokens_per_minute,
    )
    if models.names and not models.api_key:
        raise Misconfigured(
            "a model is configured, and OPENAI_API_KEY is not set; set it, or OPENAI_BASE_URL for a server that asks for none"
        )
    return models


def _chain(variable: str, text: str) -> tuple[str, ...]:
    if text == RULES_MODEL:
        return ()
    named = [MODEL_NAME.fullmatch(part.strip()) for part in text.split(",")]
    chain = tuple(match[1] for match in named if match)
    if len(chain) != len(named) or len(set(chain)) != len(chain):
        raise Misconfigured(
            f"{variable} is {text!r}; it must be {RULES_MODEL!r}, or openai:MODEL, with ,openai:FALLBACK behind it where wanted"
        )
    return chain


def load_connections(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, Connection]:
    """The connections of recoup.toml by name, secrets resolved. Without a file: none, or in sandbox mode the sandbox."""
    if not settings.config.is_file():
        return {"sandbox": _sandbox_connection(environment)} if settings.sandbox else {}
    try:
        document = tomllib.loads(settings.config.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise Misconfigured(f"{settings.config} is not valid TOML: {exc}") from exc
    unknown = sorted(document.keys() - {"connections"})
    if unknown:
        raise Misconfigured(f"{settings.config}: unknown table {unknown[0]!r}; connections are [connections.NAME]")
    tables: dict[str, Any] = document.get("connections", {})
    return {name: _connection(name, table, environment) for name, table in tables.items()}


def _connection(name: str, values: object, environment: Mapping[str, str]) -> Connection:
    where = f"connections.{name}"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise Misconfigured(f"{where}: a name is lower-case letters, digits, - and _, since it is part of the webhook's address")
    try:
        table = ConnectionTable.model_validate(values)
    except ValidationError as exc:
        raise Misconfigured("; ".join(f"{where}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())) from exc

    def secret(key: str, reference: str) -> str:
        match = REFERENCE.fullmatch(reference)
        if match is None:
            raise Misconfigured(f"{where}.{key} holds a secret itself; put it into the environment and write env:NAME")
        value = environment.get(match[1], "")
        if not value:
            raise Misconfigured(f"{where}.{key} refers to the environment variable {match[1]}, which is not set")
        return value

    api_key = secret("api_key", table.api_key) if table.api_key else None
    livemode = table.livemode if table.livemode is not None else "_live_" in (api_key or "")
    return Connection(
        name=name,
        platform=table.platform,
        livemode=livemode,
        simulated=table.platform is Platform.SANDBOX or not livemode,
        entity=table.entity,
        api_key=api_key,
        api_base=table.api_base.rstrip("/") if table.api_base else None,
        webhook_secrets=tuple(secret("webhook_secrets", one) for one in table.webhook_secrets),
        basic_auth=tuple(secret("basic_auth", one) for one in table.basic_auth),
        limit_share=table.limit_share,
        api_version=_api_version(where, table),
        reserved_platform_attempts=_reserved(where, table),
        mirror=_mirror(where, table),
        mirror_tags=table.mirror_tags,
        site=_site(where, table),
    )


def _mirror(where: str, table: ConnectionTable) -> bool:
    """Whether notes are written; raises Misconfigured where they cannot be."""
    if table.mirror and not table.api_key:
        raise Misconfigured(f"{where}.mirror writes to the platform, which takes an api_key")
    if table.mirror_tags and not (table.mirror and table.platform is Platform.STRIPE):
        why = "goes with mirror = true" if table.platform is Platform.STRIPE else f"is for stripe alone: {table.platform} has no tags"
        raise Misconfigured(f"{where}.mirror_tags {why}")
    return table.mirror


def _api_version(where: str, table: ConnectionTable) -> str | None:
    """The version that is spoken; raises Misconfigured for one that nothing here understands."""
    spoken = API_VERSIONS[table.platform]
    if table.api_version is None:
        return spoken[0] if spoken else None
    if table.api_version not in spoken:
        which = f"one of {', '.join(spoken)}" if spoken else "left out"
        raise Misconfigured(f"{where}.api_version is {table.api_version!r}; for {table.platform} it must be {which}")
    return table.api_version


def _reserved(where: str, table: ConnectionTable) -> int:
    """The attempts that are kept for the platform; raises Misconfigured where it can be told to stop, so that nothing need be kept."""
    if table.platform is Platform.RECURLY:
        return RECURLY_RETRIES_KEPT if table.reserved_platform_attempts is None else table.reserved_platform_attempts
    if table.reserved_platform_attempts is not None:
        why = f"{table.platform} says when it tries by itself, and can be told not to"
        raise Misconfigured(f"{where}.reserved_platform_attempts is for recurly alone: {why}")
    return 0


def _site(where: str, table: ConnectionTable) -> str | None:
    """The site that the key must be of; raises Misconfigured for a platform that has none."""
    if table.site is not None and table.platform is not Platform.RECURLY:
        raise Misconfigured(f"{where}.site is for recurly alone: {table.platform} has no sites")
    return table.site


def _sandbox_connection(environment: Mapping[str, str]) -> Connection:
    # The sandbox holds no money: fixed words do where nobody chose secrets.
    return Connection(
        name="sandbox",
        platform=Platform.SANDBOX,
        livemode=False,
        simulated=True,
        api_key=environment.get("RECOUP_SANDBOX_API_KEY", "sk_sandbox"),
        api_base=environment.get("RECOUP_SANDBOX_URL", SANDBOX_URL).rstrip("/"),
        webhook_secrets=(environment.get("RECOUP_SANDBOX_WEBHOOK_SECRET", "whsec_sandbox"),),
    )
