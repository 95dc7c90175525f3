"""Invariant 8: when nothing is on its way any more, our money state is the platform's."""

from evals.findings import Result, Scope

OURS = "SELECT vendor_id, status, remaining_minor, paid_minor FROM invoices WHERE connection = %s"
# A difference may be on its way: while events of the connection are unfinished, nothing is compared.
ON_ITS_WAY = "SELECT count(*) FROM inbox WHERE connection = %s AND status = 'accepted' AND received_at > %s - make_interval(secs => %s)"
CASES = """
SELECT c.id AS subject, 'case is ' || c.status || ' while the invoice has ' || i.remaining_minor || ' remaining' AS problem
FROM cases c JOIN invoices i ON i.id = c.invoice_id
WHERE c.status IN ('recovered', 'recovered_late') AND i.remaining_minor > 0
  AND NOT EXISTS (SELECT 1 FROM cases later WHERE later.invoice_id = c.invoice_id AND later.episode > c.episode)
UNION ALL
SELECT c.id, 'case is open although nothing remains' FROM cases c JOIN invoices i ON i.id = c.invoice_id
WHERE c.status = 'open' AND i.remaining_minor = 0 AND i.status = 'paid'
"""


async def money_matches_the_platform(scope: Scope, result: Result) -> None:
    """Compares every invoice with the platform's ledger where there is one, and every case with its invoice."""
    result.examined = await scope.count("SELECT count(*) FROM cases")
    await scope.collect(result, CASES)
    for connection, ledger in scope.platforms.items():
        if await scope.count(ON_ITS_WAY, (connection, scope.wall, scope.patience_seconds)):
            result.notes.append(f"{connection}: events are on their way, its invoices were not compared")
            continue
        theirs = {invoice.vendor_id: invoice for invoice in ledger.invoices}
        for row in await scope.session.dicts(OURS, (connection,)):
            result.examined += 1
            platform = theirs.get(row["vendor_id"])
            ours = (row["status"], row["remaining_minor"], row["paid_minor"])
            if platform is None:
                result.add(row["vendor_id"], f"{connection} does not know this invoice")
            elif ours != (platform.status, platform.remaining_minor, platform.paid_minor):
                result.add(row["vendor_id"], f"ours {ours}, theirs {(platform.status, platform.remaining_minor, platform.paid_minor)}")
