"""Puts a reading into the rows: account, credentials, invoice, attempts. What it changed is for api/jobs/absorb.py to draw conclusions."""

from datetime import datetime

from memory import attempts, awaiting, contacts, credentials, invoices
from memory.database import Write
from recoup.errors import Busy
from recoup.events import EventKind, Reading
from recoup.invoice import AttemptSnapshot
from recoup.news import AttemptChange, InvoiceChange, concerned_attempt
from recoup.record import Record
from recoup.settings import Connection

GOES_BACK = frozenset({EventKind.PAYMENT_REVERSED, EventKind.DISPUTE_CLOSED})


class SavedInvoice(Record):
    """An invoice that a reading concerns, and what it changed of it (``change`` None: the reading has no snapshot of it)."""

    id: str
    change: InvoiceChange | None = None
    attempts: tuple[AttemptChange, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether a decision that rests on it rests on something old."""
        return (self.change is not None and self.change.is_any) or any(attempt.is_any for attempt in self.attempts)


class Saved(Record):
    """What a reading did to the rows. ``account_id``: the one that answers, locked. ``account_changed`` and ``methods_changed``: any data
    of it, any payment method. ``missing``: vendor ids that the reading names and no row has. ``appeared``: those that have one now."""

    account_id: str | None
    account_changed: bool
    methods_changed: bool
    invoices: tuple[SavedInvoice, ...]
    missing: tuple[str, ...]
    appeared: tuple[str, ...]


async def save_reading(tx: Write, connection: Connection, reading: Reading, now: datetime) -> Saved:
    """Merges everything that the reading tells, under its account's lock. Raises Busy where what it names appears at this moment."""
    account_id, account_changed = await _save_account(tx, connection, reading)
    methods_changed = account_id is not None and await _save_credentials(tx, connection, account_id, reading)
    saved = await _save_invoice(tx, connection, account_id, reading, now)
    refs = _payment_refs(reading)
    if saved is None and refs:
        await awaiting.lock(tx, connection.name, refs)
        if await invoices.find_by_payment(tx, connection.name, refs) is not None:
            raise Busy("the payment that the event names is being written by another worker; it is read again")
    return Saved(
        account_id=account_id,
        account_changed=account_changed,
        methods_changed=methods_changed,
        invoices=(saved,) if saved else (),
        missing=tuple(refs) if saved is None else (),
        appeared=_appeared(saved) if saved else (),
    )


async def subscription_invoices(tx: Write, connection: Connection, reading: Reading) -> list[str]:
    """The invoices that a cancelled subscription concerns."""
    if reading.kind is not EventKind.SUBSCRIPTION_CANCELLED or reading.subscription_vendor_id is None:
        return []
    return await invoices.invoices_of_subscription(tx, connection.name, reading.subscription_vendor_id)


async def _save_account(tx: Write, connection: Connection, reading: Reading) -> tuple[str | None, bool]:
    own = await _account_of(tx, connection, reading)
    if own is None:
        return None, False
    account_id = await invoices.lock_account(tx, own)
    # What is told of an account that was merged away no longer concerns anybody.
    changed = reading.account is not None and own == account_id and await contacts.save_account(tx, account_id, reading.account)
    return account_id, changed


async def _account_of(tx: Write, connection: Connection, reading: Reading) -> str | None:
    """By what the reading says, else by the invoice or the payment method that it names."""
    vendor_id = reading.account.vendor_id if reading.account else reading.invoice.account_vendor_id if reading.invoice else None
    if vendor_id is not None:
        return await contacts.ensure_account(tx, connection.name, connection.entity, vendor_id, reading.occurred_at)
    invoice_id = await _known_invoice(tx, connection, reading)
    if invoice_id is not None:
        return await invoices.account_of(tx, invoice_id)
    for invoice_id in await subscription_invoices(tx, connection, reading):
        return await invoices.account_of(tx, invoice_id)
    for credential in reading.credentials:
        account_id = await credentials.account_of(tx, connection.name, credential.vendor_id)
        if account_id is not None:
            return account_id
    return None


async def _save_credentials(tx: Write, connection: Connection, account_id: str, reading: Reading) -> bool:
    changed = False
    for credential in reading.credentials:
        is_removed = reading.kind is EventKind.METHOD_REMOVED
        seen = credential.model_copy(update={"is_usable": False}) if is_removed else credential
        # An event that names no invoice is about exactly these methods; otherwise they were read with the invoice, changed or not.
        is_update = reading.kind is EventKind.METHOD_UPDATED and reading.invoice is None
        # An invoice that is read now tells its methods as of now, an event as of its own time.
        observed_at = reading.invoice.observed_at if reading.invoice else reading.occurred_at
        changed |= await credentials.save_credential(tx, connection.name, account_id, seen, observed_at, is_update=is_update)
    return changed


async def _save_invoice(tx: Write, connection: Connection, account_id: str | None, reading: Reading, now: datetime) -> SavedInvoice | None:
    change: InvoiceChange | None = None
    if reading.invoice is not None:
        invoice_id, change = await invoices.save_invoice(tx, connection.name, account_id, reading.invoice, now)
    else:
        known = await _known_invoice(tx, connection, reading)
        if known is None:
            return None
        invoice_id = known
    changes = [await attempts.save_attempt(tx, invoice_id, connection.name, seen) for seen in reading.attempts]
    returned = await _save_return(tx, connection, invoice_id, reading)
    if reading.kind is EventKind.DISPUTE_CLOSED:
        await invoices.mark_dispute_closed(tx, invoice_id, reading.occurred_at)
    return SavedInvoice(id=invoice_id, change=change, attempts=(*changes, *returned))


async def _save_return(tx: Write, connection: Connection, invoice_id: str, reading: Reading) -> list[AttemptChange]:
    """A lost dispute or a returned debit may name only its charge: that attempt's money went back."""
    if reading.kind not in GOES_BACK or (reading.kind is EventKind.DISPUTE_CLOSED and reading.dispute_won is not False):
        return []
    known = [row.snapshot for row in await attempts.of_invoice(tx, invoice_id)]
    attempt = concerned_attempt(reading, known)
    if attempt is None:
        return []
    return [await attempts.save_attempt(tx, invoice_id, connection.name, attempts.reversal_of(attempt, reading.occurred_at))]


async def _known_invoice(tx: Write, connection: Connection, reading: Reading) -> str | None:
    if reading.invoice is not None:
        return await invoices.find_invoice(tx, connection.name, reading.invoice.vendor_id)
    refs = _payment_refs(reading)
    return await invoices.find_by_payment(tx, connection.name, refs) if refs else None


def _payment_refs(reading: Reading) -> list[str]:
    """Charge and intent ids by which a reading without an invoice can be told to belong to one."""
    if reading.invoice is not None:
        return []
    named = [reading.charge_vendor_id, reading.intent_vendor_id]
    for attempt in reading.attempts:
        named += [attempt.charge_vendor_id, attempt.intent_vendor_id]
    return sorted({ref for ref in named if ref})


def _appeared(saved: SavedInvoice) -> tuple[str, ...]:
    refs: set[str | None] = set()
    for attempt in saved.attempts:
        refs |= _ids(attempt.after) - (_ids(attempt.before) if attempt.before else set())
    change = saved.change
    if change is not None and (change.before is None or change.before.subscription_vendor_id is None):
        refs.add(change.after.subscription_vendor_id)
    return tuple(sorted(ref for ref in refs if ref))


def _ids(attempt: AttemptSnapshot) -> set[str | None]:
    return {attempt.charge_vendor_id, attempt.intent_vendor_id}
