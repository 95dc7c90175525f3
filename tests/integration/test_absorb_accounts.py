"""What events make of an account: its payment methods, its contact, its consent, and two that become one."""

import pytest

from memory.database import Database
from recoup.events import EventKind
from tests.factories import (
    FAILED_AT,
    account_snapshot,
    attempt_snapshot,
    credential_snapshot,
    invoice_snapshot,
    make_reading,
)
from tests.integration.world import World, event, failed, later


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


# Account, methods, consent


async def test_an_attempt_stays_on_its_card_when_the_payment_method_gets_another(world: World) -> None:
    await world.tell(failed())
    renewed = event(
        EventKind.METHOD_UPDATED,
        later(days=1),
        account=account_snapshot(observed_at=later(days=1)),
        credentials=(credential_snapshot(fingerprint="fp_new"),),
    )
    await world.tell(renewed)
    await world.tell(failed(at=later(days=2), charge="ch_2", credentials=(credential_snapshot(fingerprint="fp_new"),)))
    await world.tell(failed())
    rows = await world.rows("SELECT vendor_key, ledger_key FROM attempts ORDER BY vendor_key")
    assert rows == [("ch_1", "fp_1"), ("ch_2", "fp_new")]


async def test_a_new_payment_method_asks_for_a_decision_once(world: World) -> None:
    await world.tell(failed())
    updated = event(
        EventKind.METHOD_UPDATED,
        later(days=1),
        account=account_snapshot(observed_at=later(days=1)),
        credentials=(credential_snapshot(vendor_id="pm_2", fingerprint="fp_2"),),
    )
    before = await world.case()
    await world.tell(updated)
    after = await world.case()
    assert after.version > before.version
    assert after.wanted_because == "method_updated"
    assert await world.rows("SELECT changed_at FROM credentials WHERE vendor_id = 'pm_2'") == [(later(days=1),)]
    await world.tell(updated)
    assert await world.case() == after


async def test_a_card_that_is_merely_seen_later_is_not_a_changed_one(world: World) -> None:
    await world.tell(failed(at=later(days=1)), failed("ch_2", later(days=2)))
    changed = await world.rows("SELECT changed_at < %s FROM credentials", FAILED_AT)
    assert changed == [(True,)]


async def test_a_removed_method_is_unusable_although_it_no_longer_names_its_customer(world: World) -> None:
    await world.tell(failed())
    await world.tell(event(EventKind.METHOD_REMOVED, later(days=1), credentials=(credential_snapshot(),)))
    assert await world.rows("SELECT is_usable FROM credentials") == [(False,)]
    assert (await world.case()).wanted_because == "method_removed"


async def test_an_opt_out_suppresses_the_channel_and_asks_again(world: World) -> None:
    await world.tell(failed())
    await world.tell(event(EventKind.OPTED_OUT, later(days=1), account=account_snapshot(), channel="email"))
    case = await world.case()
    assert case.wanted_because == "opted_out"
    assert (await world.facts(case.id)).account.reachable == ()


async def test_merged_accounts_are_one_with_everything_of_both(world: World) -> None:
    await world.tell(failed(), event(EventKind.OPTED_OUT, later(hours=1), account=account_snapshot(), channel="sms"))
    other = make_reading(
        account=account_snapshot(vendor_id="cus_2", email="ada@work.example"),
        invoice=invoice_snapshot(vendor_id="in_2", account_vendor_id="cus_2", subscription_vendor_id="sub_2"),
        attempts=(attempt_snapshot(vendor_key="ch_2", charge_vendor_id="ch_2", credential_vendor_id="pm_2"),),
        credentials=(credential_snapshot(vendor_id="pm_2", fingerprint="fp_2"),),
    )
    await world.tell(other)
    merged = account_snapshot(observed_at=later(days=1), merged_into_vendor_id="cus_2")
    await world.tell(event(EventKind.ACCOUNT_MERGED, later(days=1), account=merged))
    first, second = await world.case("in_1"), await world.case("in_2")
    assert first.account_id == second.account_id
    assert first.wanted_because == "account_merged"
    facts = await world.facts(second.id)
    assert facts.account.suppressed == ("sms",)
    assert [other.id for other in facts.other_open_invoices] == [first.invoice_id]
    assert await world.rows("SELECT email FROM contacts") == [("ada@work.example",)]
    # What is told under the old name from now on concerns the survivor.
    await world.tell(failed("ch_3", later(days=2)))
    assert (await world.case("in_1")).account_id == second.account_id


async def test_a_card_named_later_than_its_attempt_counts_that_attempt(world: World) -> None:
    await world.tell(failed().model_copy(update={"credentials": ()}))
    assert await world.rows("SELECT ledger_key FROM attempts") == [(None,)]
    await world.tell(event(EventKind.METHOD_UPDATED, later(days=1), account=account_snapshot(), credentials=(credential_snapshot(),)))
    assert await world.rows("SELECT ledger_key FROM attempts") == [("fp_1",)]


async def test_one_attempt_told_under_three_names_is_one_row(world: World) -> None:
    by_number = attempt_snapshot(vendor_key="1", charge_vendor_id=None)
    by_intent = attempt_snapshot(vendor_key="pi_1", charge_vendor_id=None, intent_vendor_id="pi_1")
    by_charge = attempt_snapshot(intent_vendor_id="pi_1")
    for seen in (by_number, by_intent, by_charge):
        await world.tell(failed().model_copy(update={"attempts": (seen,)}))
    assert await world.rows("SELECT vendor_key, status FROM attempts") == [("ch_1", "failed")]
