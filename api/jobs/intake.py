"""The intake job: one accepted event is understood, completed by reading the platform, and absorbed with its row in one transaction.

A failure stands on the event's row and is tried again after a pause, or ends it as ``dead``, listed and replayable: nothing is lost,
and nothing is tried for ever.
"""

import json
import logging
from datetime import datetime

from api.jobs.absorb import absorb
from api.jobs.outcome import ACTION_RESULT
from api.jobs.unheard import as_news, unheard
from graph.bootstrap import Services
from memory import inbox, invoices
from memory.inbox import ClaimedEvent, EventStatus, Outcome
from recoup.clock import wall_now
from recoup.errors import Busy, Defect, Malformed, Misconfigured, RecoupError
from recoup.events import RECONCILED, EventKind, ObjectRef, Reading
from recoup.masking import redact
from recoup.settings import Connection
from tools.billing.webhook import read_webhook

log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0
MOST_TRIES = 8


async def run(services: Services, event_id: str) -> None:
    """Processes the event once; a no-op where it is finished, paused, or another worker has it."""
    async with services.db.write() as tx:
        event = await inbox.claim(tx, event_id, wall_now(), LEASE_SECONDS)
    if event is None:
        return
    try:
        await _process(services, event)
    except (Malformed, Defect) as exc:
        await _bury(services, event, describe(exc))
    except Exception as exc:  # noqa: BLE001 - whatever it was stands on the row, is tried again and then dead: never lost, never a loop
        await _fail(services, event, exc)


def describe(error: Exception) -> str:
    """What goes into the row. Only our own messages are repeated, and redacted: a driver's or a vendor's may quote a customer."""
    return f"{type(error).__name__}: {redact(str(error))}" if isinstance(error, RecoupError) else type(error).__name__


async def _process(services: Services, event: ClaimedEvent) -> None:
    connection = services.connections.get(event.connection)
    if connection is None:
        raise Misconfigured(f"connection {event.connection} is not in recoup.toml; add it again, then replay the event")
    now = await services.clock.now()
    reading = _read(connection, event, now)
    if reading.ignored_because is not None:
        log.info("event %s of type %s is ignored: %s", event.id, event.event_type, reading.ignored_because)
        ignored = Outcome(status=EventStatus.IGNORED, reason=reading.ignored_because, kind=reading.kind, occurred_at=reading.occurred_at)
        async with services.db.write() as tx:
            await inbox.finish(tx, event, ignored, wall_now())
        return
    complete = await _complete(services, connection, reading)
    if reading.kind is EventKind.RECONCILIATION:
        complete = as_news(complete, await unheard(services, connection, complete, now))
    _, policy = await services.policies.current()
    async with services.db.write() as tx:
        absorbed = await absorb(tx, connection, policy, complete, now, event_id=event.id)
        processed = Outcome(
            status=EventStatus.PROCESSED,
            reason=f"waits for an invoice with {', '.join(absorbed.waits_for)}" if absorbed.waits_for else None,
            kind=reading.kind,
            occurred_at=reading.occurred_at,
            invoice_id=absorbed.invoice_id,
            case_id=absorbed.case_ids[0] if absorbed.case_ids else None,
        )
        await inbox.finish(tx, event, processed, wall_now())


def _read(connection: Connection, event: ClaimedEvent, now: datetime) -> Reading:
    """What the event says; raises Malformed. An event of ours only says what to look at."""
    if event.event_type == ACTION_RESULT:
        invoice = ObjectRef(kind="invoice", vendor_id=json.loads(event.payload)["invoice_vendor_id"])
        return Reading(kind=EventKind.ACTION_RESULT, event_type=event.event_type, occurred_at=now, fetch=invoice)
    can_fetch = connection.api_key is not None
    if event.event_type == RECONCILED:
        ref = ObjectRef.model_validate_json(event.payload)
        return Reading(kind=EventKind.RECONCILIATION, event_type=event.event_type, occurred_at=now, fetch=ref)
    return read_webhook(connection.platform, event.payload, event.content_type, event.received_at, can_fetch=can_fetch)


async def _complete(services: Services, connection: Connection, reading: Reading) -> Reading:
    """The event with the object that it points at. Where the platform can be read, an event is a notification and no command: the
    invoice is read as it stands now, whatever the event says of it."""
    platform = services.billing[connection.name]
    if reading.kind is EventKind.RECONCILIATION and reading.fetch is not None:
        # Nobody said what happened: the object says it of itself.
        return await platform.fetch(reading.fetch)
    if reading.fetch is not None:
        return combined(reading, await platform.fetch(reading.fetch))
    if "read" not in platform.capabilities:
        return reading
    invoice = await _invoice_named(services, connection, reading)
    return reading if invoice is None else combined(reading, await platform.read_invoice(invoice))


async def _invoice_named(services: Services, connection: Connection, reading: Reading) -> str | None:
    """The vendor's id of the invoice that the event names, itself or by a payment of it."""
    if reading.invoice is not None:
        return reading.invoice.vendor_id
    refs = [ref for ref in (reading.charge_vendor_id, reading.intent_vendor_id) if ref is not None]
    if not refs:
        return None
    async with services.db.read() as session:
        invoice_id = await invoices.find_by_payment(session, connection.name, refs)
        return None if invoice_id is None else (await invoices.get(session, invoice_id)).vendor_id


def combined(event: Reading, read: Reading) -> Reading:
    """How things stand is what was read; what happened is what the event says."""
    names_accounts = event.kind is EventKind.ACCOUNT_MERGED or read.account is None
    return read.model_copy(
        update={
            "kind": event.kind,
            "event_type": event.event_type,
            "occurred_at": event.occurred_at,
            "livemode": event.livemode,
            "account": event.account if names_accounts else read.account,
            "subscription_vendor_id": event.subscription_vendor_id or read.subscription_vendor_id,
            "cancellation": event.cancellation or read.cancellation,
            "charge_vendor_id": event.charge_vendor_id,
            "intent_vendor_id": event.intent_vendor_id,
            "dispute_won": event.dispute_won,
            "channel": event.channel,
        }
    )


async def _fail(services: Services, event: ClaimedEvent, error: Exception) -> None:
    told = describe(error)
    if event.attempts >= MOST_TRIES:
        await _bury(services, event, f"given up after {event.attempts} tries: {told}")
        return
    try:
        async with services.db.write() as tx:
            pause = await inbox.retry_later(tx, event, told, wall_now())
    except Busy:
        log.info("event %s was taken over by another worker", event.id)
        return
    log.warning("event %s failed on try %s and is tried again in %s s: %s", event.id, event.attempts, pause, told)


async def _bury(services: Services, event: ClaimedEvent, reason: str) -> None:
    log.error("event %s is dead: %s", event.id, reason)
    async with services.db.write() as tx:
        await inbox.bury(tx, event, reason, wall_now())
