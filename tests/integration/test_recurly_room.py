"""Recurly retries by itself and cannot be told to stop: our attempts leave it the room that the connection keeps, under every cap."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from api.jobs import execute
from memory import outbox
from memory.database import Database
from memory.outbox import ActionState
from recoup.policy import HouseRules, Mode, Steps
from tests.factories import on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.scenes import a_retry, commit

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Wants to charge on every day that the rules leave.
EAGER = on_ladder(
    mode=Mode.AUTO,
    steps=Steps(retry_days=tuple(range(1, 28)), suspend_day=None, after_last="nothing"),
    house=HouseRules(attempts_per_case=100, attempts_per_credential_30_days=100),
)


def owed(made: Merchant, *, retry_days: tuple[int, ...], **told: Any) -> Any:
    """An invoice that its bank refuses for ever without a reason, and that Recurly tries again on those days."""
    campaign = made.double.campaign("for-the-test", retry_days=retry_days, **told)
    account = made.double.account(made.double.card("declined"), dunning_campaign_id=campaign.id)
    return made.double.invoice(account, subscription=made.double.subscription(account))


async def live(made: Merchant, days: float) -> None:
    end = made.double.clock.now() + days * DAY
    await made.settle()
    while (now := made.double.clock.now()) < end:
        due = made.double.next_due()
        step = min(12 * HOUR, end - now)
        await made.advance(min(step, max(due - now, timedelta(seconds=1))) if due else step)
        await made.settle()


def tries(made: Merchant) -> Counter[str]:
    """How often each tried to collect it."""
    return Counter(one.initiator for one in made.double.ledger())


async def told(made: Merchant) -> str:
    """Everything that the decisions said, oldest first."""
    async with made.services.db.read() as session:
        rows = await session.dicts("SELECT proposals::text AS said FROM decisions ORDER BY created_at")
    return "\n".join(row["said"] for row in rows)


@pytest.mark.parametrize(("kept", "ours"), [(0, 4), (1, 3), (3, 1), (4, 0)])
async def test_of_the_four_reattempts_after_a_refusal_without_reason_some_are_left_to_recurly(db: Database, kept: int, ours: int) -> None:
    async with merchant(db, "recurly", seed=1, policy=EAGER, reserved_platform_attempts=kept) as made:
        owed(made, retry_days=(20, 21, 22))
        await live(made, 19)
        assert tries(made) == Counter(platform=1, merchant=ours)
        words = f"{kept} attempt{'s are' if kept > 1 else ' is'} kept for Recurly's own retries"
        assert (words in await told(made)) is (kept > 0)
        await made.judge()


async def test_when_recurly_has_ended_what_was_kept_is_ours(db: Database) -> None:
    async with merchant(db, "recurly", seed=1, policy=EAGER, reserved_platform_attempts=4) as made:
        invoice = owed(made, retry_days=(2,), message_days=(0,), total_days=10, fail_invoice=False, expire_subscription=False)
        await live(made, 9)
        assert tries(made) == Counter(platform=2)
        await live(made, 10)
        assert (invoice.state, invoice.final_dunning_event) == ("past_due", True)
        assert tries(made) == Counter(platform=2, merchant=3), "four reattempts in all"
        await made.judge()


async def test_the_executor_leaves_the_same_room_as_the_plan(db: Database) -> None:
    """A retry that was decided on while there was room does not start once Recurly has used it."""
    async with merchant(db, "recurly", seed=1, policy=on_ladder(mode=Mode.AUTO), reserved_platform_attempts=3) as made:
        owed(made, retry_days=(1,))
        await made.settle()
        async with made.services.db.read() as session:
            [case] = await session.dicts("SELECT id FROM cases")
        facts = await made.services.facts.load(case["id"], made.double.clock.now())
        action_id = await commit(made.services, facts, a_retry(facts))
        await made.advance(DAY)
        assert tries(made) == Counter(platform=2)
        await execute.run(made.services, action_id)
        async with made.services.db.read() as session:
            action = await outbox.get(session, action_id)
        assert action.state is ActionState.VOID
        assert "3 attempts are kept for Recurly's own retries, and 1 of 4 reattempts in the last 30 days are used" in (
            action.state_reason or ""
        )
        assert tries(made) == Counter(platform=2)
