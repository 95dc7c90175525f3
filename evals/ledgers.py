"""The other sides' own books, read by the checks: what the sandbox platform says it did, what the mail server says it took."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class PlatformAttempt:
    """One attempt in the platform's own ledger. ``key`` is the idempotency key it came with (None: the platform's or customer's own).

    ``code`` is a word of ``processor``."""

    id: str
    invoice: str
    fingerprint: str
    brand: str | None
    amount_minor: int
    currency: str
    at: datetime
    initiator: str
    key: str | None
    status: str
    code: str | None
    processor: str = "sandbox"


@dataclass(frozen=True)
class PlatformInvoice:
    """An invoice as the platform holds it."""

    vendor_id: str
    status: str
    remaining_minor: int
    paid_minor: int


@dataclass(frozen=True)
class PlatformEffect:
    """One effect that the platform was asked for: ``done``, or ``refused`` and only booked."""

    key: str
    name: str
    invoice: str
    state: str


@dataclass(frozen=True)
class PlatformLedger:
    """Everything one platform did, for one connection."""

    attempts: tuple[PlatformAttempt, ...]
    invoices: tuple[PlatformInvoice, ...]
    effects: tuple[PlatformEffect, ...]


@dataclass(frozen=True)
class MailLedger:
    """How often the mail server took each ``Message-ID``."""

    accepted: Mapping[str, int]


def parse_platform_ledger(document: Mapping[str, Any]) -> PlatformLedger:
    """The ledger from the sandbox's JSON."""
    return PlatformLedger(
        attempts=tuple(
            PlatformAttempt(
                id=row["id"],
                invoice=row["invoice"],
                fingerprint=row["fingerprint"],
                brand=row.get("brand"),
                amount_minor=row["amount_minor"],
                currency=row["currency"],
                at=datetime.fromisoformat(row["at"]),
                initiator=row["initiator"],
                key=row.get("key"),
                status=row["status"],
                code=row.get("code"),
            )
            for row in document["attempts"]
        ),
        invoices=tuple(
            PlatformInvoice(row["vendor_id"], row["status"], row["remaining_minor"], row["paid_minor"]) for row in document["invoices"]
        ),
        effects=tuple(PlatformEffect(row["key"], row["name"], row["invoice"], row["state"]) for row in document["effects"]),
    )


async def read_platform_ledger(base_url: str, api_key: str) -> PlatformLedger:
    """Asks a sandbox for its ledger; raises httpx.HTTPError where it does not answer."""
    async with httpx.AsyncClient(base_url=base_url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30) as client:
        response = await client.get("/control/ledger")
        response.raise_for_status()
        return parse_platform_ledger(response.json())


def read_maildir(folder: Path) -> MailLedger:
    """Counts the messages of a Maildir by ``Message-ID``; one that a reader moves meanwhile is counted once."""
    messages = {file.name.split(":")[0]: file for place in ("new", "cur") for file in folder.glob(f"{place}/*")}
    return MailLedger(accepted=Counter(str(_headers(file)["Message-ID"]) for file in messages.values()))


def _headers(file: Path) -> Message:
    with file.open("rb") as opened:
        return BytesHeaderParser().parse(opened)
