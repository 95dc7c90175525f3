"""The answer to a charge is lost on the way, at the real adapters and before the doubles of both platforms: each of the four ways in which
that happens ends in the exact transaction, or with a person, and the platform's own books never show a second one."""

from datetime import timedelta
from typing import NamedTuple

import pytest

from memory.database import Database
from memory.outbox import ActionRow, ActionState
from recoup.policy import Mode
from tests.factories import on_ladder
from tests.merchants.merchant import Merchant, merchant
from tests.merchants.shop import Kind
from tests.scenes import action_of
from tests.vendors.chassis import Attempt
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_state import Invoice as StripeInvoice

HOURS = timedelta(hours=6)
MOST_STEPS = 120
# Longer than either platform remembers a key.
TWO_DAYS = timedelta(days=2)

AUTO = on_ladder(mode=Mode.AUTO)
PAID, DECLINED = "ok", "insufficient_funds"

both = pytest.mark.parametrize("kind", ["stripe", "recurly"])


class Scene(NamedTuple):
    """A merchant with one invoice that is owed; ``charge`` is how a charge of it looks on the wire."""

    made: Merchant
    invoice: str
    charge: tuple[str, str]

    def attempts(self) -> list[Attempt]:
        """All attempts on it in the platform's own books."""
        return [one for one in self.made.double.ledger() if one.invoice == self.invoice]

    def ours(self, action: ActionRow) -> list[Attempt]:
        """What the platform did under the action's key."""
        return [one for one in self.attempts() if (one.idempotency_key or "").split(":")[0] == action.id]

    def sends(self) -> int:
        """How often a charge of it was asked for."""
        return len(self.made.double.exchanges(*self.charge))

    async def action(self) -> ActionRow:
        """The charge of ours."""
        async with self.made.services.db.read() as session:
            action_id = await session.value("SELECT id FROM actions WHERE name = 'retry_payment' AND attempts > 0 ORDER BY id LIMIT 1")
        assert action_id is not None
        return await action_of(self.made.services.db, action_id)


def owing(made: Merchant, kind: Kind, *answers: str) -> Scene:
    """An invoice that was declined once; ``answers`` is what its bank says next."""
    if kind == "stripe":
        # Where Stripe tries by itself Recoup leaves it alone.
        made.double.world.retry_gaps = ()
        invoice = made.double.owed_invoice("insufficient_funds", *answers)[0]
        return Scene(made, invoice.id, ("POST", f"/v1/invoices/{invoice.id}/pay"))
    account = made.double.account(made.double.card("insufficient_funds", *answers))
    invoice = made.double.invoice(account, subscription=made.double.subscription(account))
    return Scene(made, invoice.id, ("PUT", f"/invoices/{invoice.id}/collect"))


async def until_sent(scene: Scene) -> ActionRow:
    """Recoup works until it has asked for a charge, and not a job longer."""
    made = scene.made
    for _ in range(MOST_STEPS):
        await made.deliver()
        await made.tick()
        while await made.work(1):
            if scene.sends():
                return await scene.action()
        await made.advance(HOURS)
    raise AssertionError("it was never charged")


async def come_to_rest(scene: Scene, steps: int = 3) -> None:
    """Everything is done that can be, for some hours."""
    for _ in range(steps):
        await scene.made.settle()
        await scene.made.advance(timedelta(minutes=20))
    await scene.made.settle()


async def go_on(scene: Scene, until: timedelta) -> None:
    """Recoup works on for as long, whatever it is that does not come to rest."""
    end = scene.made.double.clock.now() + until
    while scene.made.double.clock.now() < end:
        await scene.made.deliver()
        await scene.made.tick()
        await scene.made.work()
        await scene.made.advance(timedelta(hours=1))


def platform_tries(scene: Scene, kind: Kind) -> None:
    """The platform's own retry of the invoice falls due in this instant; at Stripe somebody has just switched that on again."""
    double = scene.made.double
    if kind == "stripe":
        planned = double.world.get(StripeInvoice, scene.invoice)
        planned.auto_advance, planned.planned = True, double.clock.now()
    else:
        double.store.invoices[scene.invoice].next_retry_at = double.clock.now()
    double.advance(timedelta())


async def open_tasks(db: Database, action: ActionRow) -> list[str]:
    """What people are asked about it."""
    async with db.read() as session:
        rows = await session.dicts("SELECT title FROM tasks WHERE action_id = %s AND state = 'open'", (action.id,))
    return [row["title"] for row in rows]


async def is_the_exact_one(scene: Scene) -> None:
    """Done, by the one transaction that the platform made under the action's key, and by nobody's guess."""
    action = await scene.action()
    assert action.state is ActionState.DONE, action.state_reason
    assert [action.result and action.result.vendor_ref] == [one.id for one in scene.ours(action)]
    await scene.made.judge()


async def is_left_to_a_person(scene: Scene) -> None:
    """Unknown for good: a person is asked once, and nothing is sent any more."""
    action, sends = await scene.action(), scene.sends()
    assert (action.state, action.next_try_at) == (ActionState.UNKNOWN, None)
    assert await open_tasks(scene.made.services.db, action) == ["Did retry_payment happen?"]
    await go_on(scene, timedelta(hours=12))
    assert scene.sends() == sends
    await scene.made.judge()


@both
@pytest.mark.parametrize("answer", [PAID, DECLINED])
async def test_processed_and_then_reset(db: Database, kind: Kind, answer: str) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, answer)
        made.double.misbehaviours.add(Trouble.RESET_AFTER, *scene.charge)
        sent = await until_sent(scene)
        assert (sent.state, len(scene.ours(sent))) == (ActionState.UNKNOWN, 1)
        await come_to_rest(scene)
        await is_the_exact_one(scene)
        assert scene.sends() == 1


@both
async def test_the_key_has_expired_and_the_charge_was_made(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, *[DECLINED] * 5)
        made.double.misbehaviours.add(Trouble.RESET_AFTER, *scene.charge)
        await until_sent(scene)
        await made.advance(TWO_DAYS)
        await come_to_rest(scene)
        await is_the_exact_one(scene)


@both
async def test_the_key_has_expired_and_no_charge_was_made(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, *[DECLINED] * 5)
        made.double.misbehaviours.add(Trouble.RESET_BEFORE, *scene.charge)
        sent = await until_sent(scene)
        await made.advance(TWO_DAYS)
        await come_to_rest(scene)
        assert (scene.sends(), scene.ours(sent)) == (1, [])
        await is_left_to_a_person(scene)


@both
@pytest.mark.parametrize("answer", [PAID, DECLINED])
async def test_a_replayed_500_behind_which_a_charge_was_made(db: Database, kind: Kind, answer: str) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, answer)
        made.double.misbehaviours.add(Trouble.STORED_SERVER_ERROR, *scene.charge)
        await until_sent(scene)
        await come_to_rest(scene)
        await is_the_exact_one(scene)


@both
async def test_a_replayed_500_behind_which_nothing_was_done(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, *[DECLINED] * 5)
        made.double.misbehaviours.add(Trouble.LOST_SERVER_ERROR, *scene.charge)
        sent = await until_sent(scene)
        await go_on(scene, timedelta(days=1))
        assert scene.ours(sent) == []
        assert {told.status for told in made.double.exchanges(*scene.charge)} == {500}
        await is_left_to_a_person(scene)


@both
async def test_a_retry_of_the_platform_at_the_same_moment_is_declined_as_well(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, *[DECLINED] * 5)
        made.double.before_next(*scene.charge, lambda: platform_tries(scene, kind))
        made.double.misbehaviours.add(Trouble.RESET_AFTER, *scene.charge)
        await until_sent(scene)
        assert [one.initiator for one in scene.attempts()] == ["platform", "platform", "merchant"]
        await come_to_rest(scene)
        await is_the_exact_one(scene)


@both
async def test_a_retry_of_the_platform_at_the_same_moment_is_paid(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, PAID)
        made.double.before_next(*scene.charge, lambda: platform_tries(scene, kind))
        made.double.misbehaviours.add(Trouble.RESET_AFTER, *scene.charge)
        await until_sent(scene)
        await come_to_rest(scene)
        action = await scene.action()
        assert (action.state, scene.ours(action)) == (ActionState.VOID, []), action.state_reason
        assert [(one.initiator, one.outcome) for one in scene.attempts()] == [("platform", "failed"), ("platform", "succeeded")]
        assert await open_tasks(db, action) == []
        await made.judge()


@both
async def test_a_retry_of_the_platform_at_the_same_moment_is_not_taken_for_ours(db: Database, kind: Kind) -> None:
    async with merchant(db, kind, seed=1, policy=AUTO) as made:
        scene = owing(made, kind, DECLINED, PAID)
        made.double.before_next(*scene.charge, lambda: platform_tries(scene, kind))
        made.double.misbehaviours.add(Trouble.RESET_BEFORE, *scene.charge)
        sent = await until_sent(scene)
        assert scene.ours(sent) == []
        await come_to_rest(scene)
        action = await scene.action()
        taken = {one.id for one in scene.attempts() if one.initiator == "platform"}
        assert action.result is None or action.result.vendor_ref not in taken
        await made.judge()
