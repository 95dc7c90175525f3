"""What a reading would change in our rows: it is absorbed as ever, in a transaction that is always undone."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from api.jobs.absorb import absorb
from api.jobs.rows import Saved, SavedInvoice, save_reading, subscription_invoices
from graph.bootstrap import Services
from memory import awaiting, contacts, credentials, invoices
from memory.database import Write
from memory.drift import DriftKind, Missed
from recoup.events import EventKind, Reading
from recoup.invoice import CredentialSnapshot
from recoup.news import AttemptChange
from recoup.policy import Policy
from recoup.settings import Connection

# What changes a case, or what is remembered of an invoice, without any other data of it.
KINDS: dict[EventKind, DriftKind] = {
    EventKind.DISPUTE_OPENED: "dispute",
    EventKind.DISPUTE_CLOSED: "dispute",
    EventKind.SUBSCRIPTION_CANCELLED: "cancellation",
    EventKind.ACCOUNT_MERGED: "account",
    EventKind.ACCOUNT_CLOSED: "account",
    EventKind.PAYMENT_REVERSED: "attempt",
    EventKind.PAYMENT_REFUNDED: "invoice",
}


async def unheard(services: Services, connection: Connection, reading: Reading, now: datetime) -> tuple[Missed, ...]:
    """Everything of the reading that our rows do not have; empty where they know it all. Changes nothing. Raises Busy."""
    if reading.ignored_because is not None:
        return ()
    _, policy = await services.policies.current()
    async with services.db.write() as tx:
        async with tx.connection.transaction(force_rollback=True):
            found = await _news(tx, connection, policy, as_news(reading, ()), now)
        # Whom it would have woken, and what it would have put on record, goes with it.
        tx.journal.clear()
        tx.woken.clear()
    return tuple(found)


def as_news(reading: Reading, missed: Sequence[Missed]) -> Reading:
    """What was read, as the event would have told it that never came.

    An object that is read says what it is, changed or not: only a payment method that is news was changed, whatever it was read with.
    A customer who is new altogether has changed none.
    """
    has_method = any(one.kind == "payment_method" for one in missed)
    has_new_account = any(one.kind == "account" and one.is_new for one in missed)
    if reading.kind is EventKind.METHOD_UPDATED and not has_method:
        return _as(reading, EventKind.ACCOUNT_CHANGED)
    if reading.kind is EventKind.INVOICE_CHANGED and has_method and not has_new_account:
        return _as(reading, EventKind.METHOD_UPDATED)
    return reading


async def _news(tx: Write, connection: Connection, policy: Policy, reading: Reading, now: datetime) -> list[Missed]:
    remembered = await _remembered(tx, connection, reading)
    methods = await _methods(tx, connection, reading)
    known = reading.account is not None and await contacts.find_account(tx, connection.name, reading.account.vendor_id) is not None
    saved = await save_reading(tx, connection, reading, now)
    found = _of_methods(methods, await _methods(tx, connection, reading))
    found += [*_of_account(reading, saved, is_new=not known), *(missed for invoice in saved.invoices for missed in _of_invoice(invoice))]
    if reading.kind in KINDS:
        written = len(tx.journal)
        await absorb(tx, connection, policy, reading, now)
        # A cancellation moves an open case whenever it is told, and is read again with its subscription: what was told is remembered.
        moves_once = reading.kind is not EventKind.SUBSCRIPTION_CANCELLED
        moved = moves_once and len(tx.journal) > written and not found
        if moved or await _remembered(tx, connection, reading) != remembered:
            return [*found, Missed(kind=KINDS[reading.kind], vendor_id=_subject(reading), is_new=False)]
    if await _names_the_unknown(tx, connection, reading, saved):
        found.append(Missed(kind=KINDS.get(reading.kind, "other"), vendor_id=_subject(reading), is_new=True))
    return found


async def _methods(tx: Write, connection: Connection, reading: Reading) -> dict[str, CredentialSnapshot]:
    named = [credential.vendor_id for credential in reading.credentials]
    return await credentials.snapshots(tx, connection.name, named)


def _of_methods(before: Mapping[str, CredentialSnapshot], after: Mapping[str, CredentialSnapshot]) -> list[Missed]:
    changed = [name for name, snapshot in after.items() if before.get(name) != snapshot]
    return [Missed(kind="payment_method", vendor_id=name, is_new=name not in before) for name in changed]


def _of_account(reading: Reading, saved: Saved, *, is_new: bool) -> list[Missed]:
    if not saved.account_changed or reading.account is None:
        return []
    return [Missed(kind="account", vendor_id=reading.account.vendor_id, is_new=is_new)]


def _as(reading: Reading, kind: EventKind) -> Reading:
    return reading.model_copy(update={"kind": kind})


def _of_invoice(saved: SavedInvoice) -> list[Missed]:
    tries = [_of_attempt(change) for change in saved.attempts if change.is_any]
    if saved.change is None or not saved.change.is_any:
        return tries
    # An invoice changes with its attempts: the newest that is news tells when.
    changed_at = max((one.changed_at for one in tries if one.changed_at is not None), default=None)
    after = saved.change.after
    if saved.change.before is None and changed_at is None:
        changed_at = after.issued_at
    return [Missed(kind="invoice", vendor_id=after.vendor_id, is_new=saved.change.before is None, changed_at=changed_at), *tries]


def _of_attempt(change: AttemptChange) -> Missed:
    is_new = change.before is None
    # Of an attempt that was known the platform tells when it was made, and not when it came to this.
    at = change.after.occurred_at if is_new else None
    return Missed(kind="attempt", vendor_id=change.after.vendor_key, is_new=is_new, changed_at=at)


async def _remembered(tx: Write, connection: Connection, reading: Reading) -> list[tuple[object, object]]:
    """How the subscription of the invoices concerned ended, and whether a dispute about them did."""
    ids = await subscription_invoices(tx, connection, reading)
    refs = [ref for ref in (reading.charge_vendor_id, reading.intent_vendor_id) if ref]
    concerned = await invoices.find_by_payment(tx, connection.name, refs) if refs else None
    rows = [await invoices.get(tx, invoice_id) for invoice_id in [*ids, *([concerned] if concerned else [])]]
    return [(row.cancellation, row.dispute_closed_at is not None) for row in rows]


async def _names_the_unknown(tx: Write, connection: Connection, reading: Reading, saved: Saved) -> bool:
    """Whether it is about what no row has, and no event waits for it."""
    refs = list(saved.missing)
    if reading.kind is EventKind.SUBSCRIPTION_CANCELLED and reading.subscription_vendor_id is not None:
        refs += [] if await subscription_invoices(tx, connection, reading) else [reading.subscription_vendor_id]
    return bool(refs) and not await awaiting.knows(tx, connection.name, refs)


def _subject(reading: Reading) -> str:
    named = (reading.charge_vendor_id, reading.intent_vendor_id, reading.subscription_vendor_id)
    paid = (attempt.vendor_key for attempt in reading.attempts)
    methods = (credential.vendor_id for credential in reading.credentials)
    return next((name for name in (*named, *paid, *methods) if name), reading.event_type)
