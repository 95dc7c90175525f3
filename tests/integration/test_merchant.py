"""The stage of a merchant: what happens at the platform comes by signed webhooks, and what Recoup does stands in the double's books."""

from datetime import timedelta
from typing import Any

import pytest

from memory.database import Database
from recoup.policy import HouseRules, Mode, Steps, parse_policy
from tests.factories import on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.merchants.policy_text import policy_text
from tests.merchants.shop import Kind

HOURS = timedelta(hours=6)


def owed(made: Merchant, kind: Kind, *answers: str) -> Any:
    """An invoice whose first attempt failed, and what its bank says next; at Stripe it is not tried again by the platform."""
    if kind == "stripe":
        made.double.world.retry_gaps = ()
        return made.double.owed_invoice("insufficient_funds", *answers)[0]
    account = made.double.account(made.double.card("insufficient_funds", *answers))
    return made.double.invoice(account, subscription=made.double.subscription(account))


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
async def test_a_failed_payment_is_recovered_by_a_charge_of_ours(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.AUTO)) as made:
        invoice = owed(made, kind, "ok")
        for _ in range(10):
            await made.deliver(twice=0.5, shuffled=True)
            await made.settle()
            await made.advance(HOURS)
        attempts = [(one.initiator, one.status) for one in made.ledger().attempts if one.invoice == invoice.id]
        assert attempts == [("platform", "failed"), ("recoup", "succeeded")]
        examined = (await made.judge()).examined
        assert min(examined["money_matches_the_platform"], examined["one_effect_per_action"]) > 0


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
async def test_what_webhooks_lost_comes_with_reconciliation(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1) as made:
        owed(made, kind, "ok")
        assert made.lose(1.0) > 0
        await made.settle()
        assert (await made.report()).violations["money_matches_the_platform"] == 1
        await made.reconcile()
        await made.settle()
        await made.judge()


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
async def test_a_key_that_has_expired_at_the_platform_has_expired_with_us(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=on_ladder(mode=Mode.APPROVE)) as made:
        owed(made, kind, "ok")
        for _ in range(10):
            await made.settle()
            await made.answer_approvals()
            await made.advance(HOURS)
        await made.advance(timedelta(days=2))
        async with db.read() as session:
            lives = await session.dicts("SELECT key_valid_until > now() AS is_alive FROM actions WHERE name = 'retry_payment'")
        # What has ended keeps the life that it was given.
        assert [row["is_alive"] for row in lives] == [True]
        await made.judge()


def test_a_policy_is_written_as_a_person_would() -> None:
    policy = on_ladder(mode=Mode.HYBRID, house=HouseRules(attempts_per_case=4), steps=Steps(suspend_day=None, retry_days=(1, 2)))
    assert parse_policy(policy_text(policy)) == policy
