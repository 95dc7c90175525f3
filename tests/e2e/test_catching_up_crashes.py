"""Who asks a vendor what webhooks have lost, or what had been before, is killed at named points: all is found, and each thing once."""

from datetime import timedelta
from pathlib import Path

import pytest

from api.drift import drift_of
from evals.invariants import check
from recoup.clock import wall_now
from tests.crash.catching_up import CONNECTION, CatchingUp, catching_up
from tests.crash.points import BACKFILL, CATCHING_UP, READING_THE_PAST
from tests.crash.scene import WORKERS
from tests.deciding import rows
from tests.vendors.stripe_state import Invoice

BEFORE, LOST = 20, 8


@pytest.mark.xdist_group("crashes")
async def test_whoever_is_killed_while_catching_up_everything_is_found_once(tmp_path: Path) -> None:
    async with catching_up(tmp_path) as running:
        past, lost = happenings(running)
        running.storm.arm(CATCHING_UP)

        async def found() -> bool:
            told = await rows(running.db, "SELECT 1 FROM reconciliations WHERE looked_at IS NOT NULL AND due_at > looked_at")
            waiting = await rows(running.db, "SELECT 1 FROM reconciliation_refs UNION ALL SELECT 1 FROM inbox WHERE status = 'accepted'")
            return bool(told) and not waiting

        await running.until(found, *WORKERS)
        assert await standing(running) == {name: status for name, status in books(running).items() if name in lost}
        assert [point.name for point in running.storm.armed] == [], "these points were never reached"
        await told_once(running, lost)
        running.storm.arm(READING_THE_PAST)

        async def filled() -> bool:
            return bool(await rows(running.db, "SELECT 1 FROM backfills WHERE finished_at IS NOT NULL"))

        await running.until(filled, BACKFILL)
        assert [point.name for point in running.storm.armed] == [], "these points were never reached"
        assert await rows(running.db, "SELECT invoices FROM backfills") == [(len(past | lost),)]
        assert await standing(running) == books(running)
        made = await rows(running.db, "SELECT vendor_key FROM attempts")
        assert sorted(key for (key,) in made) == sorted(attempt.id for attempt in running.double.ledger())
        report = await check(running.db, {}, None, patience_seconds=0, only=["events_end_once", "audit_covers_every_change"])
        assert report.findings == {}


def happenings(running: CatchingUp) -> tuple[set[str], set[str]]:
    """A month ago some paid and some did not; today some more, and no webhook told of anything. Gives the ids of both."""
    double = running.double
    for number in range(BEFORE):
        double.owed_invoice(*["do_not_honor"] * (9 if number % 4 == 0 else 0))
    double.advance(wall_now() - double.clock.now() - timedelta(hours=3))
    past = set(books(running))
    for number in range(LOST):
        invoice, card = double.owed_invoice("insufficient_funds")
        if number % 2:
            double.customer_pays(invoice, card)
    double.advance(timedelta(hours=1))
    return past, set(books(running)) - past


def books(running: CatchingUp) -> dict[str, str]:
    """Every invoice that was issued and where it stands, as the double knows it."""
    return {invoice.id: invoice.status for invoice in running.double.world.all(Invoice) if invoice.status != "draft"}


async def standing(running: CatchingUp) -> dict[str, str]:
    """The same by our rows."""
    return dict(await rows(running.db, "SELECT vendor_id, status FROM invoices"))


async def told_once(running: CatchingUp, lost: set[str]) -> None:
    """Each loss stands in the drift report, and no two events were made of one."""
    twice = await rows(running.db, "SELECT kind, vendor_id FROM drift WHERE is_new GROUP BY 1, 2 HAVING count(*) > 1")
    assert twice == []
    told = {line.kind: line for line in (await drift_of(running.db, {}, CONNECTION)).kinds}
    assert (told["invoice"].unknown, told["attempt"].unknown) == (len(lost), LOST + LOST // 2)
    assert {status for (status,) in await rows(running.db, "SELECT status FROM inbox")} == {"processed"}
