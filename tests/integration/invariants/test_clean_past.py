"""A past that happened through the real code breaks no invariant, and every invariant has looked at it."""

from evals.invariants import INVARIANTS
from tests.integration.invariants.conftest import Copy


async def test_a_clean_past_breaks_nothing_and_everything_was_looked_at(copy: Copy) -> None:
    report = await copy.look()
    assert report.findings == {}
    assert report.violations == dict.fromkeys(INVARIANTS, 0)
    assert all(rows > 0 for rows in report.examined.values()), report.examined
    assert report.notes == {}
    assert report.holds


async def test_with_patience_it_is_clean_too(copy: Copy) -> None:
    assert (await copy.look(patience_seconds=900)).holds


async def test_what_cannot_be_looked_at_is_a_note_and_no_violation(copy: Copy) -> None:
    from evals.invariants import check

    report = await check(copy.db, {}, None, patience_seconds=0)
    assert report.holds
    assert report.notes.keys() == {"one_effect_per_action", "network_rules_hold", "money_matches_the_platform"}
    assert all(rows > 0 for rows in report.examined.values()), report.examined


async def test_violations_are_all_counted_though_only_the_first_are_kept(copy: Copy) -> None:
    await copy.plant(
        "INSERT INTO inbox (id, connection, vendor_event_id, event_type, content_type, payload, received_at, woken_at)"
        " SELECT 'evt_' || n, 'sandbox', 'late_' || n, 'ping', 'application/json', '{}', now(), now() FROM generate_series(1, 500) AS n"
    )
    report = await copy.look()
    assert report.violations["events_end_once"] == 500
    assert 0 < len(report.findings["events_end_once"]) < 500
