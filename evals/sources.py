"""Where this installation's outer ledgers are: sandboxes by their connections, mail by the Maildir that it is delivered to."""

import logging
from collections.abc import Mapping

import httpx

from evals.ledgers import MailLedger, PlatformLedger, read_maildir, read_platform_ledger
from recoup.settings import Connection, Platform, Settings

log = logging.getLogger(__name__)

MAIL_FOLDER = "mail"


async def read_ledgers(settings: Settings, connections: Mapping[str, Connection]) -> tuple[dict[str, PlatformLedger], MailLedger | None]:
    """The ledger of every sandbox that answers, and the Maildir's; None where mail leaves by SMTP. The checks note what is missing."""
    platforms: dict[str, PlatformLedger] = {}
    for name, connection in connections.items():
        if connection.platform is not Platform.SANDBOX or not connection.api_base:
            continue
        try:
            platforms[name] = await read_platform_ledger(connection.api_base, connection.api_key or "")
        except httpx.HTTPError as exc:
            log.warning("the ledger of %s cannot be read: %s", name, type(exc).__name__)
    return platforms, None if settings.smtp_url else read_maildir(settings.home / MAIL_FOLDER)
