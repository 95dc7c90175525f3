"""A mail server as a process of its own that books every message on the disk before it says that it took it: ``PORT LEDGER``."""

import asyncio
import json
import os
import sys
from email import message_from_bytes
from pathlib import Path
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK = "127.0.0.1"


class Clerk:
    """Takes everything, after it has written it down."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger.open("ab", buffering=0)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's names
        message = message_from_bytes(cast("bytes", envelope.content))
        self._ledger.write(json.dumps({"message_id": message["Message-ID"]}).encode() + b"\n")
        os.fsync(self._ledger.fileno())
        return "250 taken"


async def main(port: int, ledger: Path) -> None:
    """Serves until it is ended."""
    clerk = Clerk(ledger)
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(clerk, hostname="localhost", enable_SMTPUTF8=True), LOOPBACK, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
