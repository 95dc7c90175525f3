"""Reads everything that a decision may rest on, in one statement and so from one consistent snapshot of the rows."""

from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, LiteralString, Protocol, cast

from memory.database import Database, Read
from recoup.errors import Defect, NotFound
from recoup.facts import CaseFacts, ConnectionFacts
from recoup.settings import Connection

# The statement is a file of ours, not text from outside.
FACTS_SQL = cast("LiteralString", files("memory").joinpath("facts.sql").read_text(encoding="utf-8"))

INVOICE_FIELDS = (
    "id",
    "vendor_id",
    "status",
    "currency",
    "total_minor",
    "paid_minor",
    "remaining_minor",
    "credited_minor",
    "refunded_minor",
    "collection_method",
    "billing_reason",
    "subscription_vendor_id",
    "next_platform_attempt_at",
    "platform_retries",
    "observed_at",
    "read_at",
)
AMOUNTS_THAT_DEFAULT_TO_ZERO = ("paid_minor", "credited_minor", "refunded_minor")


class HasCapabilities(Protocol):
    """What is needed of a billing platform here."""

    @property
    def capabilities(self) -> frozenset[str]:
        """``read`` and action names."""
        ...


class DatabaseFacts:
    """The FactsSource over PostgreSQL."""

    def __init__(self, database: Database, connections: Mapping[str, Connection], billing: Mapping[str, HasCapabilities]) -> None:
        self._database = database
        self._connections = {
            name: ConnectionFacts(
                name=name,
                platform=connection.platform,
                livemode=connection.livemode,
                simulated=connection.simulated,
                capabilities=tuple(sorted(billing[name].capabilities)),
                reserved_platform_attempts=connection.reserved_platform_attempts,
            )
            for name, connection in connections.items()
        }

    async def load(self, case_id: str, now: datetime) -> CaseFacts:
        """All facts of the case at ``now``; raises NotFound."""
        async with self._database.read() as session:
            return await self.load_in(session, case_id, now)

    async def load_in(self, session: Read, case_id: str, now: datetime, excluding_action: str | None = None) -> CaseFacts:
        """The same inside the caller's transaction. ``excluding_action`` is about to start and must not count against itself."""
        parameters = {"case_id": case_id, "now": now, "excluding_action": excluding_action}
        document = await session.value(FACTS_SQL, parameters)
        if document is None:
            raise NotFound(f"there is no case {case_id}")
        return self._facts(document, now)

    def _facts(self, document: dict[str, Any], now: datetime) -> CaseFacts:
        connection = self._connections.get(document["connection"])
        if connection is None:
            raise Defect(f"connection {document['connection']} has cases but is not in recoup.toml; add it again")
        invoice = _invoice(document["invoice"])
        paid = max(invoice["paid_minor"], document.pop("charged_minor"))
        overpaid = paid - invoice["refunded_minor"] - invoice["total_minor"]
        methods = document.pop("methods")
        usable = [method for method in methods if method["is_usable"]]
        return CaseFacts.model_validate(
            document
            | {
                "now": now,
                "connection": connection,
                "account": _account(document["account"]),
                "case": document["case"] | {"overpaid_minor": max(0, overpaid)},
                "invoice": invoice,
                "credential": (usable or methods or [None])[0],
                "backups": usable[1:],
            }
        )


def _account(row: dict[str, Any]) -> dict[str, Any]:
    """The account with the channels on which it can be reached, instead of its addresses."""
    addresses = {"email": row.pop("has_email"), "sms": row.pop("has_phone")}
    blocked = set(row["suppressed"])
    reachable = [] if "all" in blocked else [channel for channel, known in addresses.items() if known and channel not in blocked]
    return row | {"reachable": reachable}


def _invoice(snapshot: dict[str, Any]) -> dict[str, Any]:
    """The merged snapshot as facts. A case is only opened on an invoice whose amount and currency are known."""
    # A row that was written before a field existed does not tell it.
    invoice = {field: snapshot.get(field) for field in INVOICE_FIELDS}
    for field in AMOUNTS_THAT_DEFAULT_TO_ZERO:
        invoice[field] = invoice[field] or 0
    invoice["total_minor"] = invoice["total_minor"] or snapshot["due_minor"] or invoice["remaining_minor"]
    invoice["collection_method"] = invoice["collection_method"] or "charge_automatically"
    invoice["billing_reason"] = invoice["billing_reason"] or "other"
    # Who has planned an attempt collects, also where the platform does not say so in a word of its own.
    planned = "platform" if invoice["next_platform_attempt_at"] else "recoup"
    return invoice | {"payment_link": bool(snapshot["payment_link"]), "collector": snapshot.get("collector") or planned}
