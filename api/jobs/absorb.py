"""Absorbs a reading: rows are merged, the lifecycle is told what changed, and cases move with all that hangs on them.

Everything here happens in the caller's one transaction, under the account's lock.
"""

from datetime import datetime

from api.jobs.lifecycle import Told, move_case, read_invoice
from api.jobs.rows import Saved, SavedInvoice, save_reading, subscription_invoices
from graph.bootstrap import Services
from memory import awaiting, cases, contacts, invoices
from memory.cases import CaseRow
from memory.database import Write
from recoup.case import CaseStatus, Fact, FactKind, Hold, Transition, next_state
from recoup.debt import debt_of
from recoup.errors import Busy, Conflict
from recoup.events import EventKind, Reading
from recoup.masking import redact_text
from recoup.people import Person
from recoup.policy import Policy
from recoup.record import Record
from recoup.settings import Connection


class Absorbed(Record):
    """What a reading came to. ``invoice_id``: the one it names, if any. ``case_ids``: the newest cases of the invoices it concerned.
    ``waits_for``: vendor ids of payments that it names and no row has yet; it is read again when one does."""

    invoice_id: str | None
    case_ids: tuple[str, ...]
    waits_for: tuple[str, ...] = ()


async def absorb(
    tx: Write,
    connection: Connection,
    policy: Policy,
    reading: Reading,
    now: datetime,
    *,
    event_id: str | None = None,
    opens_since: datetime | None = None,
) -> Absorbed:
    """Merges ``reading`` and draws every consequence; any number of times and in any order, with the same end.

    ``event_id`` is the inbox row that it comes from, if any: an event that names what no row has yet waits for it.
    ``opens_since``: for history, where what failed first before then opens no case; everything else is drawn from it as from news.
    Raises Busy where another worker is just writing what the reading names.
    """
    await _merge_accounts(tx, connection, reading, now)
    saved = await save_reading(tx, connection, reading, now)
    if saved.account_id is not None and (saved.account_changed or saved.methods_changed):
        await cases.bump_open_of_account(tx, saved.account_id)
    concerned = await _concerned(tx, connection, reading, saved)
    told = Told(reading=reading, methods_changed=saved.methods_changed, opens_since=opens_since)
    moved = [await move_case(tx, connection, policy, told, invoice, now) for invoice in concerned]
    await _unsettle(tx, reading, saved, now)
    await _wake_waiting(tx, connection, reading, saved, {invoice.id for invoice in concerned}, event_id)
    return Absorbed(
        invoice_id=saved.invoices[0].id if saved.invoices else None,
        case_ids=tuple(case_id for case_id in moved if case_id is not None),
        waits_for=saved.missing,
    )


async def absorb_fact(tx: Write, case_id: str, fact: Fact, now: datetime, *, actor: str = "worker", why: str | None = None) -> Transition:
    """Tells one case what a timer, an action or a person did to it; raises NotFound."""
    case = await _locked(tx, case_id)
    invoice = await read_invoice(tx, case.invoice_id)
    transition = next_state(case.state, debt_of(invoice.row.snapshot, invoice.attempts), fact)
    await cases.apply(tx, case, transition, fact, now, actor=actor, why=why)
    return transition


async def hold_case(services: Services, person: Person, case_id: str, hold: Hold, reason: str) -> None:
    """A person stops the case until it is released; raises NotFound, or Conflict where it is not open."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        _must_be_open(await _locked(tx, case_id))
        await absorb_fact(tx, case_id, Fact(kind=FactKind.HOLD_PLACED, hold=hold), now, actor=person.name, why=redact_text(reason))


async def release_case(services: Services, person: Person, case_id: str, reason: str) -> None:
    """A person lifts every hold, and a decision is wanted; raises NotFound, or Conflict where the case is not open."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        case = await _locked(tx, case_id)
        _must_be_open(case)
        for hold in case.holds:
            await absorb_fact(tx, case_id, Fact(kind=FactKind.HOLD_RELEASED, hold=hold), now, actor=person.name, why=redact_text(reason))


async def decide_again(services: Services, person: Person, case_id: str) -> None:
    """A person wants a new decision, also where deciding had failed for good; raises NotFound."""
    async with services.db.write() as tx:
        await _locked(tx, case_id)
        await cases.want_decision(tx, case_id, f"asked for by {person.name}")


async def _locked(tx: Write, case_id: str) -> CaseRow:
    case = await cases.get(tx, case_id)
    await invoices.lock_account(tx, case.account_id)
    return await cases.lock(tx, case_id)


def _must_be_open(case: CaseRow) -> None:
    if case.status is not CaseStatus.OPEN:
        raise Conflict(f"case {case.id} is {case.status}; only an open case can be held or released")


async def _merge_accounts(tx: Write, connection: Connection, reading: Reading, now: datetime) -> None:
    account = reading.account
    if account is None or account.merged_into_vendor_id is None:
        return
    alias_id, survivor_id = [
        await contacts.ensure_account(tx, connection.name, connection.entity, vendor_id, reading.occurred_at)
        for vendor_id in (account.vendor_id, account.merged_into_vendor_id)
    ]
    if await contacts.merge_into(tx, alias_id, survivor_id, now):
        survivor_id = await invoices.lock_account(tx, survivor_id)
        # One plan and one contact lock an account: what was planned for either no longer stands.
        await _start_over(tx, survivor_id, "accounts were merged", EventKind.ACCOUNT_MERGED, now)


async def _concerned(tx: Write, connection: Connection, reading: Reading, saved: Saved) -> list[SavedInvoice]:
    """The invoice that was read, and those that the event concerns without naming them."""
    others = await subscription_invoices(tx, connection, reading)
    if reading.kind is EventKind.METHOD_UPDATED and saved.account_id is not None:
        others = [case.invoice_id for case in await cases.open_of_account(tx, saved.account_id)]
    read = {invoice.id for invoice in saved.invoices}
    return [*saved.invoices, *(SavedInvoice(id=other) for other in others if other not in read)]


async def _unsettle(tx: Write, reading: Reading, saved: Saved, now: datetime) -> None:
    """What changes the ground under everything that is planned for the account, though no case moves."""
    if saved.account_id is None:
        return
    if reading.kind is EventKind.OPTED_OUT:
        if await contacts.suppress(tx, saved.account_id, contacts.channel_of(reading.channel), "opted out", now):
            await _start_over(tx, saved.account_id, "the customer opted out", reading.kind, now)
    elif reading.kind is EventKind.METHOD_REMOVED and saved.methods_changed:
        await _start_over(tx, saved.account_id, "a payment method was removed", reading.kind, now)


async def _start_over(tx: Write, account_id: str, why: str, because: EventKind, now: datetime) -> None:
    for open_case in await cases.open_of_account(tx, account_id):
        case = await cases.lock(tx, open_case.id)
        await cases.void_pending(tx, case.id, why, now)
        if case.holds:
            await cases.bump(tx, case.id)
        else:
            await cases.want_decision(tx, case.id, because)


async def _wake_waiting(
    tx: Write, connection: Connection, reading: Reading, saved: Saved, concerned: set[str], event_id: str | None
) -> None:
    """Events that came before their time are read again; this one waits, where it is such an event."""
    if saved.appeared:
        await awaiting.lock(tx, connection.name, saved.appeared)
        await awaiting.wake(tx, connection.name, saved.appeared)
    # A cancelled subscription may have an invoice whose failure is told later than the cancellation.
    subscription = reading.subscription_vendor_id if reading.kind is EventKind.SUBSCRIPTION_CANCELLED else None
    refs = [*saved.missing, subscription] if subscription else list(saved.missing)
    if refs and event_id is not None:
        await awaiting.lock(tx, connection.name, refs)
        if set(await subscription_invoices(tx, connection, reading)) - concerned:
            raise Busy("an invoice of the cancelled subscription is being written by another worker; the event is read again")
        await awaiting.remember(tx, connection.name, refs, event_id)
