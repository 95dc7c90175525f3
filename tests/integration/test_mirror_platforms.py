"""Notes at the doubles of Stripe and Recurly, with all of Recoup before them: what comes back of our own writing changes nothing, and a
platform that does not take notes is recovered at all the same."""

from datetime import timedelta
from typing import Any

import pytest

from memory import standing
from memory.database import Database
from recoup.policy import Mode
from tests.deciding import rows
from tests.factories import NOW, on_ladder
from tests.integration.test_merchant import owed
from tests.merchants.merchant import Merchant, merchant
from tests.merchants.shop import Kind
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_bank import Card
from tests.vendors.stripe_state import Customer, Version
from tools.billing.stripe_mirror import TAGS

KINDS: tuple[Kind, ...] = ("stripe", "recurly")
# Where notes are written.
NOTES = {"stripe": "/v1/invoices/", "recurly": "/accounts/"}


def shown(made: Merchant, kind: Kind, invoice: Any) -> list[str]:
    """What stands at the platform: at Stripe the newest word, at Recurly every one."""
    if kind == "stripe":
        told = {name: value for name, value in invoice.metadata.items() if name.startswith("recoup_")}
        return [" ".join(told.values())] if told else []
    return [note.message for note in made.double.store.notes.values() if note.account_id == invoice.account_id]


async def standing_of(db: Database) -> list[tuple[Any, ...]]:
    """Everything that an echo might have moved."""
    return [
        *await rows(db, "SELECT id, status, version, needs_decision FROM cases ORDER BY id"),
        *await rows(db, "SELECT id, state, outcome FROM decisions ORDER BY id"),
        *await rows(db, "SELECT id, state FROM actions ORDER BY id"),
        *await rows(db, "SELECT id, status FROM approvals ORDER BY id"),
        *await rows(db, "SELECT id, state FROM timers ORDER BY id"),
        *await rows(db, "SELECT id, digest, version FROM mirrors ORDER BY id"),
    ]


@pytest.mark.parametrize("version", list(Version))
async def test_the_webhooks_of_our_own_metadata_change_nothing(db: Database, version: Version) -> None:
    async with merchant(db, "stripe", seed=1, version=version, mirror=True, mirror_tags=("vip",)) as made:
        invoice = owed(made, "stripe")
        await made.deliver()
        await made.work()
        [(account_id,)] = await rows(db, "SELECT account_id FROM cases")
        async with db.write() as tx:
            await standing.add_tag(tx, account_id, "vip", at=NOW)
        await made.tick()
        await made.work()
        assert shown(made, "stripe", invoice)
        assert made.double.world.get(Customer, invoice.customer).metadata == {TAGS: "vip"}
        before = await standing_of(db)
        assert {"invoice.updated", "customer.updated"} <= {parcel.event_type for parcel in made.double.courier.waiting}
        await made.settle()
        assert await standing_of(db) == before
        ends = dict(await rows(db, "SELECT event_type, status FROM inbox WHERE event_type IN ('invoice.updated', 'customer.updated')"))
        assert ends == {"invoice.updated": "processed", "customer.updated": "processed"}
        await made.reconcile()
        assert await rows(db, "SELECT * FROM drift") == []
        await made.judge()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_recovery_is_told_from_the_first_decision_to_its_end(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.AUTO), mirror=True) as made:
        invoice = owed(made, kind, "ok")
        for _ in range(10):
            await made.settle()
            await made.advance(timedelta(hours=6))
        told = shown(made, kind, invoice)
        assert "recovered by recoup on " in told[-1]
        assert "retry_payment" in told[-1]
        assert len(told) == len(set(told)), "nothing is said twice in a row"
        assert not any("@" in line or "Ada" in line for line in told)
        await made.judge()


@pytest.mark.parametrize("kind", KINDS)
async def test_shadow_mode_writes_nothing(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.SHADOW), mirror=True) as made:
        invoice = owed(made, kind, "ok")
        await made.settle()
        if kind == "stripe":
            made.double.customer_pays(invoice, *made.double.world.all(Card))
        else:
            made.double.customer_pays(invoice)
        await made.settle()
        assert await rows(db, "SELECT status FROM cases") == [("recovered",)]
        assert (shown(made, kind, invoice), await rows(db, "SELECT * FROM mirrors")) == ([], [])


@pytest.mark.parametrize("kind", KINDS)
async def test_where_it_is_off_nothing_is_written(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.AUTO)) as made:
        invoice = owed(made, kind, "ok")
        for _ in range(10):
            await made.settle()
            await made.advance(timedelta(hours=6))
        assert await rows(db, "SELECT status FROM cases") == [("recovered",)]
        assert shown(made, kind, invoice) == []


@pytest.mark.parametrize("trouble", [Trouble.RESET_AFTER, Trouble.STORED_SERVER_ERROR, Trouble.WRONG_CONTENT_TYPE])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_note_whose_answer_was_lost_stands_there_once(db: Database, kind: Kind, trouble: Trouble) -> None:
    async with merchant(db, kind, seed=1, mirror=True) as made:
        made.double.misbehaviours.add(trouble, "POST", NOTES[kind], times=2)
        invoice = owed(made, kind)
        await made.settle()
        # Beyond the hour for which Recurly knows a key.
        await made.advance(timedelta(hours=2))
        await made.settle()
        [line] = shown(made, kind, invoice)
        assert "asks a person" in line
        assert [state for (state,) in await rows(db, "SELECT state FROM mirrors")] == ["settled"]


async def test_a_platform_that_takes_no_notes_is_recovered_at_all_the_same(db: Database) -> None:
    async with merchant(db, "recurly", seed=1, policy=on_ladder(mode=Mode.AUTO), mirror=True) as made:
        made.double.misbehaviours.add(Trouble.SERVER_ERROR, "POST", "/accounts/", times=None)
        invoice = owed(made, "recurly", "ok")
        for _ in range(12):
            await made.settle()
            await made.advance(timedelta(hours=6))
        assert [(one.initiator, one.outcome) for one in made.double.ledger() if one.invoice == invoice.id][-1] == ("merchant", "succeeded")
        assert await rows(db, "SELECT status FROM cases") == [("recovered",)]
        [(state, error)] = await rows(db, "SELECT state, error FROM mirrors")
        assert state in {"pending", "dead"}
        assert "answered 500" in error
        await made.judge()
