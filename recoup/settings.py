"""The types of settings. What is read from the environment and from files is loaded in graph/bootstrap.py."""

from enum import StrEnum
from pathlib import Path

from recoup.record import Record

DEFAULT_LIMIT_SHARE = 0.25


class Platform(StrEnum):
    """Platforms whose webhooks Recoup understands."""

    STRIPE = "stripe"
    RECURLY = "recurly"
    SANDBOX = "sandbox"


class Connection(Record):
    """One ``[connections.NAME]`` of recoup.toml with its secret references resolved. Secrets stay out of ``repr``.

    ``webhook_secrets``: several may be live during rotation. ``basic_auth`` is ``user:password`` for platforms that do not sign
    (Recurly XML). ``livemode`` None accepts the platform's own flag only for sandbox; ``simulated`` money never enters real totals.
    ``limit_share``: the part of the vendor's published limits that one process of ours may use.
    """

    name: str
    platform: Platform
    livemode: bool
    simulated: bool
    entity: str = "default"
    api_key: str | None = None
    api_base: str | None = None
    webhook_secrets: tuple[str, ...] = ()
    basic_auth: tuple[str, ...] = ()
    limit_share: float = DEFAULT_LIMIT_SHARE

    def __repr__(self) -> str:
        return f"Connection({self.name!r}, {self.platform}, livemode={self.livemode})"

    __str__ = __repr__


class Settings(Record):
    """Everything from RECOUP_*; see docs/configuration.md. ``database_url`` None means the embedded PostgreSQL under ``home``."""

    home: Path
    config: Path
    database_url: str | None
    migrate_url: str | None
    smtp_url: str | None
    mail_from: str
    admin_name: str
    admin_key: str | None
    sandbox: bool
    model: str
    host: str
    port: int
    backlog_limit: int
    log_level: str

    def __repr__(self) -> str:
        return f"Settings(home={self.home}, sandbox={self.sandbox})"

    __str__ = __repr__
