"""Invariant 8: when nothing is on its way any more, our money state is the platform's."""

from typing import Any

from evals.findings import Result, Scope
from evals.ledgers import PlatformAttempt, PlatformLedger

# What a reversal took back is owed although the platform may still say "paid".
CASES = """
SELECT c.id AS subject, 'case is ' || c.status || ' while the invoice has ' || i.remaining_minor || ' remaining' AS problem
FROM cases c JOIN invoices i ON i.id = c.invoice_id
WHERE c.status IN ('recovered', 'recovered_late') AND i.status IN ('open', 'paid') AND i.remaining_minor > 0
  AND NOT EXISTS (SELECT 1 FROM cases later WHERE later.invoice_id = c.invoice_id AND later.episode > c.episode)
UNION ALL
SELECT c.id, 'case is open although nothing remains' FROM cases c JOIN invoices i ON i.id = c.invoice_id
WHERE c.status = 'open' AND i.status = 'paid' AND i.remaining_minor = 0
  AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.invoice_id = i.id AND t.status = 'reversed')
UNION ALL
SELECT c.id, 'case is open although the invoice is void' FROM cases c JOIN invoices i ON i.id = c.invoice_id
WHERE c.status = 'open' AND i.status = 'void'
UNION ALL
SELECT i.id, 'the columns of the invoice are not those of its snapshot' FROM invoices i
WHERE (status, currency, paid_minor) IS DISTINCT FROM (snapshot ->> 'status', snapshot ->> 'currency', (snapshot ->> 'paid_minor')::bigint)
   OR (remaining_minor IS DISTINCT FROM (snapshot ->> 'remaining_minor')::bigint
       AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.invoice_id = i.id AND t.status = 'reversed'))
UNION ALL
SELECT min(id), 'invoice has ' || count(*) || ' open cases' FROM cases WHERE status = 'open' GROUP BY invoice_id HAVING count(*) > 1
"""

INVOICES = """
SELECT id, vendor_id, status, (snapshot ->> 'remaining_minor')::bigint AS remaining_minor, paid_minor FROM invoices WHERE connection = %s
"""
ATTEMPTS = """
SELECT i.vendor_id AS invoice, t.vendor_key, t.status, t.amount_minor
FROM attempts t JOIN invoices i ON i.id = t.invoice_id WHERE i.connection = %s
"""
# While an event is on its way a difference may be too.
ON_ITS_WAY = "SELECT count(*) FROM inbox WHERE connection = %s AND status = 'accepted'"
JUST_TOLD = """
SELECT DISTINCT invoice_id FROM inbox
WHERE connection = %s AND invoice_id IS NOT NULL AND received_at > %s - make_interval(secs => %s)
"""


async def money_matches_the_platform(scope: Scope, result: Result) -> None:
    """Compares every invoice and its attempts with the platform's ledger where there is one, and every case with its invoice."""
    result.examined = await scope.count("SELECT count(*) FROM cases")
    await scope.collect(result, CASES)
    for connection, ledger in scope.platforms.items():
        if not scope.all_is_done and await scope.count(ON_ITS_WAY, (connection,)):
            result.notes.append(f"{connection}: events are on their way, its invoices were not compared")
            continue
        await _compare(scope, connection, ledger, result)
    known = {row["connection"] async for row in scope.stream("SELECT DISTINCT connection FROM invoices")}
    result.notes += [f"{connection} has no ledger that can be read here" for connection in sorted(known - scope.platforms.keys())]


async def _compare(scope: Scope, connection: str, ledger: PlatformLedger, result: Result) -> None:
    fresh = {row["invoice_id"] async for row in scope.stream(JUST_TOLD, (connection, scope.wall, scope.patience_seconds))}
    theirs = {invoice.vendor_id: invoice for invoice in ledger.invoices}
    compared: set[str] = set()
    async for row in scope.stream(INVOICES, (connection,)):
        if row["id"] in fresh and not scope.all_is_done:
            continue
        result.examined += 1
        invoice = theirs.get(row["vendor_id"])
        ours = (row["status"], row["remaining_minor"], row["paid_minor"])
        if invoice is None:
            result.add(row["vendor_id"], f"{connection} does not know this invoice")
            continue
        compared.add(row["vendor_id"])
        if ours != (invoice.status, invoice.remaining_minor, invoice.paid_minor):
            told = (invoice.status, invoice.remaining_minor, invoice.paid_minor)
            result.add(row["vendor_id"], f"status, remaining and paid are {ours} here, {told} on {connection}")
    await _compare_attempts(scope, connection, ledger, compared, result)


async def _compare_attempts(scope: Scope, connection: str, ledger: PlatformLedger, compared: set[str], result: Result) -> None:
    ours: dict[tuple[str, str], dict[str, Any]] = {
        (row["invoice"], row["vendor_key"]): row async for row in scope.stream(ATTEMPTS, (connection,))
    }
    strangers: set[str] = set()
    for attempt in ledger.attempts:
        if attempt.invoice not in compared:
            if attempt.status == "failed":
                strangers.add(attempt.invoice)
            continue
        result.examined += 1
        _compare_attempt(connection, attempt, ours.get((attempt.invoice, attempt.id)), result)
    known = {invoice for invoice, _ in ours} | compared
    for invoice in sorted(strangers - known):
        if scope.all_is_done:
            result.add(invoice, f"{connection} holds a failed payment that never came here")
    if strangers - known and not scope.all_is_done:
        result.notes.append(f"{connection}: {len(strangers - known)} invoices with failed payments have not come here yet")


def _compare_attempt(connection: str, theirs: PlatformAttempt, ours: dict[str, Any] | None, result: Result) -> None:
    if ours is None:
        result.add(theirs.invoice, f"attempt {theirs.id} of {connection} is not in our books")
    elif (ours["status"], ours["amount_minor"]) != (theirs.status, theirs.amount_minor):
        here, there = (ours["status"], ours["amount_minor"]), (theirs.status, theirs.amount_minor)
        result.add(theirs.invoice, f"attempt {theirs.id} is {here} here, {there} on {connection}")
