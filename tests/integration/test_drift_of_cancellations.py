"""A cancellation names no invoice and may be told several times: it counts as missed only where no webhook ever told it."""

from datetime import timedelta
from typing import Any

import pytest

from api.drift import drift_of
from memory.database import Database
from recoup.policy import Mode
from tests.deciding import rows
from tests.factories import on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.merchants.month_people import CANCELLED, Customer, Town
from tests.merchants.month_recurly import FUNDS, RecurlyTown
from tests.merchants.month_stripe import StripeTown
from tests.merchants.shop import Kind

PAYS_LATE = Customer("pays late", timedelta(), (FUNDS,), CANCELLED, CANCELLED)
SOON = timedelta(hours=1)


def town_at(kind: Kind, made: Merchant) -> Town:
    return StripeTown(made.double) if kind == "stripe" else RecurlyTown(made.double)


async def missed(made: Merchant) -> dict[str, Any]:
    """What the report says was found by asking alone, by kind."""
    drift = await drift_of(made.services.db, made.services.connections, made.connection_name)
    return {line.kind: line.missed for line in drift.kinds if line.missed}


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
async def test_a_cancellation_whose_webhook_was_only_late_counts_as_told(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.SHADOW)) as made:
        town = town_at(kind, made)
        (invoice,) = town.bill(PAYS_LATE)
        await made.settle()
        town.leaves_at_once(invoice)
        await made.advance(SOON)
        await made.reconcile()
        await made.work()
        assert await missed(made) == {"cancellation": 1} | ({"invoice": 1} if kind == "stripe" else {})
        await made.settle()
        assert await missed(made) == {}
        assert await rows(db, "SELECT status FROM cases") == [("cancelled",)]


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
async def test_a_cancellation_whose_webhook_never_came_stays_missed(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.SHADOW)) as made:
        town = town_at(kind, made)
        (invoice,) = town.bill(PAYS_LATE)
        await made.settle()
        town.leaves_at_once(invoice)
        assert made.lose(1.0) > 0
        await made.advance(SOON)
        await made.reconcile()
        await made.settle()
        town.customer_mends_card(invoice)
        await made.settle()
        assert (await missed(made))["cancellation"] == 1


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
async def test_a_cancellation_that_was_told_is_no_news_when_its_subscription_is_read_again(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.SHADOW)) as made:
        town = town_at(kind, made)
        (invoice,) = town.bill(PAYS_LATE)
        town.leaves_with_the_period(invoice)
        await made.settle()
        for _ in range(12):
            await made.advance(timedelta(days=1))
            await made.settle()
            await made.reconcile()
            await made.settle()
        assert await rows(db, "SELECT kind, vendor_id FROM drift") == []
        assert await rows(db, "SELECT status FROM cases") == [("open",)]
