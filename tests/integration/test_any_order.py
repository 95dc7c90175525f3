"""Whatever order a history's events arrive in, the rows end the same and nothing stays open that is paid."""

import itertools
import json

from memory.database import Database
from recoup.events import EventKind, Reading
from recoup.invoice import InvoiceSnapshot
from tests.factories import FAILED_AT, account_snapshot, credential_snapshot
from tests.integration.world import World, event, failed, later, paid

FAILED = failed("ch_1")
FAILED_AGAIN = failed("ch_2", later(days=1), code="do_not_honor")
NEW_CARD = event(
    EventKind.METHOD_UPDATED,
    later(days=1, hours=12),
    account=account_snapshot(observed_at=later(days=1, hours=12), email="ada@new.example"),
    credentials=(credential_snapshot(vendor_id="pm_2", fingerprint="fp_2"),),
)
PARTLY_PAID = paid("ch_part", later(days=2), amount=2900)
PAID = paid("ch_rest", later(days=3), amount=2000, before=2900)
HISTORY = (FAILED, FAILED_AGAIN, NEW_CARD, PARTLY_PAID, PAID)

ROWS = """
SELECT i.snapshot AS invoice, i.observed_at, i.remaining_minor, i.paid_minor,
    (SELECT jsonb_agg(to_jsonb(a) - '{id,invoice_id,credential_id,ledger_key,stamps}'::text[] ORDER BY a.vendor_key)
        FROM attempts a WHERE a.invoice_id = i.id) AS attempts,
    (SELECT jsonb_agg(to_jsonb(c) - '{id,account_id,ledger_key,stamps}'::text[] ORDER BY c.vendor_id)
        FROM credentials c WHERE c.account_id = i.account_id) AS credentials,
    (SELECT jsonb_agg(to_jsonb(p) - 'account_id') FROM contacts p WHERE p.account_id = i.account_id) AS contact,
    (SELECT jsonb_agg(to_jsonb(x) - '{id,holdout,stamps}'::text[]) FROM accounts x WHERE x.id = i.account_id) AS account,
    (SELECT count(*) FROM cases k WHERE k.invoice_id = i.id AND k.status = 'open') AS open_cases,
    (SELECT count(*) FROM timers t JOIN cases k ON k.id = t.case_id WHERE k.invoice_id = i.id AND t.state = 'pending') AS pending_timers
FROM invoices i WHERE i.vendor_id = %s
"""


def elsewhere(reading: Reading, place: int) -> Reading:
    """The same reading of another customer's invoice, so that many orders fit into one database."""

    def renamed(value: str | None) -> str | None:
        return f"{value}_at_{place}" if value else value

    attempts = tuple(
        attempt.model_copy(
            update={name: renamed(getattr(attempt, name)) for name in ("vendor_key", "charge_vendor_id", "credential_vendor_id")}
        )
        for attempt in reading.attempts
    )
    credentials = tuple(
        card.model_copy(update={"vendor_id": renamed(card.vendor_id), "fingerprint": renamed(card.fingerprint)})
        for card in reading.credentials
    )
    account = reading.account.model_copy(update={"vendor_id": renamed(reading.account.vendor_id)}) if reading.account else None
    return reading.model_copy(
        update={"attempts": attempts, "credentials": credentials, "account": account, "invoice": _elsewhere(reading.invoice, place)}
    )


def _elsewhere(invoice: InvoiceSnapshot | None, place: int) -> InvoiceSnapshot | None:
    if invoice is None:
        return None
    names = ("vendor_id", "account_vendor_id", "subscription_vendor_id")
    return invoice.model_copy(update={name: f"{getattr(invoice, name)}_at_{place}" for name in names})


async def test_all_orders_of_a_history_end_in_the_same_rows(db: Database) -> None:
    world = World(db)
    ends: dict[str, list[tuple[int, ...]]] = {}
    for place, order in enumerate(itertools.permutations(range(len(HISTORY)))):
        await world.tell(*(elsewhere(HISTORY[position], place) for position in order))
        async with db.read() as session:
            [row] = await session.dicts(ROWS, (f"in_1_at_{place}",))
        assert (row["open_cases"], row["pending_timers"], row["remaining_minor"]) == (0, 0, 0), f"order {order}"
        told = json.dumps(row, sort_keys=True, default=str).replace(f"_at_{place}", "")
        ends.setdefault(told, []).append(order)
    assert len(ends) == 1, f"{len(ends)} different ends, for example after {[orders[0] for orders in ends.values()][:3]}"


async def test_the_first_failure_is_the_first_one_however_late_it_is_told(db: Database) -> None:
    world = World(db)
    await world.tell(FAILED_AGAIN, FAILED)
    attempts = await world.rows("SELECT vendor_key, occurred_at FROM attempts ORDER BY occurred_at")
    assert attempts == [("ch_1", FAILED_AT), ("ch_2", later(days=1))]
