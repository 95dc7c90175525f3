"""Where this installation's outer ledgers are: sandboxes by their connections, mail by the Maildir that it is delivered to."""

from collections.abc import Mapping

from evals.ledgers import MailLedger, PlatformLedger, read_maildir, read_platform_ledger
from recoup.settings import Connection, Platform, Settings

MAIL_FOLDER = "mail"


async def read_ledgers(settings: Settings, connections: Mapping[str, Connection]) -> tuple[dict[str, PlatformLedger], MailLedger | None]:
    """The ledger of every sandbox connection, and the Maildir's; None where mail leaves by SMTP."""
    platforms = {
        name: await read_platform_ledger(connection.api_base, connection.api_key or "")
        for name, connection in connections.items()
        if connection.platform is Platform.SANDBOX and connection.api_base
    }
    return platforms, None if settings.smtp_url else read_maildir(settings.home / MAIL_FOLDER)
