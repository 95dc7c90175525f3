"""When the answer is lost, the worker dies or the other side is away: nothing happens twice, and what nobody can tell a person settles."""

import asyncio
import json
from datetime import timedelta

import pytest

from api.jobs import execute
from api.jobs.outcome import resolve_unknown
from memory import sending
from memory.database import Database
from memory.outbox import ActionState
from recoup.clock import FixedClock, wall_now
from recoup.errors import Conflict, Misconfigured
from recoup.people import Person, Role
from recoup.ports import Effect, EffectLookup, Indeterminate
from tests.factories import NOW
from tests.fakes import FakeBilling, FakeMessenger, make_services
from tests.integration.test_execute import history, paid, states, wants_decision
from tests.scenes import a_message, absorb_reading, action_of, change, commit, committed, open_case

ADA = Person(name="ada", role=Role.OPERATOR)


@pytest.fixture
def billing() -> FakeBilling:
    return FakeBilling()


async def a_pause_passes(db: Database) -> None:
    """The next try of every action is due now."""
    await change(db, "UPDATE actions SET next_try_at = now() - interval '1 second' WHERE next_try_at IS NOT NULL")


async def the_lease_runs_out(db: Database) -> None:
    """Whoever holds an action has held it too long."""
    await change(db, "UPDATE actions SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")


async def test_a_lost_answer_is_looked_up_and_found(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("do and lose the answer")
    await execute.run(services, action_id)
    assert (await action_of(db, action_id)).state is ActionState.UNKNOWN
    assert await states(db, "reservations") == ["reserved"]
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert billing.calls == [action_id]
    assert await history(db, action_id) == ["ready", "started", "unknown", "done"]
    assert await states(db, "reservations") == ["confirmed"]


async def test_what_surely_did_not_happen_is_sent_again_under_the_same_key(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    await execute.run(services, action_id)
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert billing.calls == [action_id, action_id]
    assert list(billing.effects) == [action_id]
    assert await history(db, action_id) == ["ready", "started", "unknown", "started", "done"]


async def test_what_is_sent_again_goes_through_the_gate_again(db: Database, billing: FakeBilling) -> None:
    clock = FixedClock(NOW)
    services = make_services(db, billing=billing, clock=clock)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    await execute.run(services, action_id)
    await absorb_reading(services, paid())
    assert (await action_of(db, action_id)).state is ActionState.UNKNOWN, "what may be on the wire is not voided"
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert (await action_of(db, action_id)).state is ActionState.UNKNOWN, "the platform may still be working on it, whatever shows"
    clock.at += execute.SETTLED_AFTER
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert billing.calls == [action_id]
    assert (await action_of(db, action_id)).state is ActionState.VOID
    assert await states(db, "reservations") == ["released"]
    assert await wants_decision(db) != "facts_changed", "the case has ended: there is nothing to decide but the receipt"


async def test_what_cannot_be_told_apart_goes_to_one_person_and_counts_as_used(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    billing.lookup = Indeterminate(why="two charges of that amount")
    await execute.run(services, action_id)
    for _ in range(3):
        await a_pause_passes(db)
        await execute.run(services, action_id)
    action = await action_of(db, action_id)
    assert (action.state, action.state_reason, action.next_try_at) == (ActionState.UNKNOWN, "two charges of that amount", None)
    assert billing.calls == [action_id]
    assert await states(db, "reservations") == ["unknown"]
    assert await states(db, "tasks") == ["open"]
    async with db.read() as session:
        told = await session.value("SELECT body FROM audit_log WHERE subject = %s ORDER BY n DESC LIMIT 1", (action_id,))
    assert json.loads(told)["data"] == {"person": True, "reason": "two charges of that amount"}


async def test_a_key_that_is_too_old_protects_nothing_so_nothing_is_sent(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    await execute.run(services, action_id)
    await change(db, "UPDATE actions SET key_valid_until = now() - interval '1 second'")
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert billing.calls == [action_id]
    assert (await action_of(db, action_id)).state is ActionState.UNKNOWN
    assert await states(db, "tasks") == ["open"]


async def test_the_keys_life_counts_from_the_first_send(db: Database) -> None:
    billing = FakeBilling(key_valid_seconds=3600)
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.extend(["lose the request", "do"])
    await execute.run(services, action_id)
    first = await action_of(db, action_id)
    assert first.first_sent_at is not None
    assert first.key_valid_until is not None
    assert timedelta(seconds=3599) < first.key_valid_until - first.first_sent_at < timedelta(seconds=3601)
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert (await action_of(db, action_id)).key_valid_until == first.key_valid_until


async def test_a_platform_that_cannot_be_asked_is_asked_again_until_the_key_is_over(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    await execute.run(services, action_id)
    billing.is_away = True
    await a_pause_passes(db)
    await execute.run(services, action_id)
    action = await action_of(db, action_id)
    assert (action.state, await states(db, "tasks")) == (ActionState.UNKNOWN, [])
    assert action.next_try_at is not None
    await change(db, "UPDATE actions SET key_valid_until = now()")
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert await states(db, "tasks") == ["open"]


async def test_mail_whose_answer_was_lost_is_never_sent_again(db: Database) -> None:
    messenger = FakeMessenger(remembers=False)
    services = make_services(db, messenger=messenger)
    facts = await open_case(services)
    action_id = await commit(services, facts, a_message(facts))
    messenger.behaviours.append("do and lose the answer")
    for _ in range(3):
        await execute.run(services, action_id)
        await a_pause_passes(db)
    assert len(messenger.accepted) == 1
    assert (await action_of(db, action_id)).state is ActionState.UNKNOWN
    assert (await states(db, "messages"), await states(db, "reservations")) == (["unknown"], ["unknown"])
    assert await states(db, "tasks") == ["open"]


async def test_a_provider_that_does_not_answer_in_time_leaves_it_unknown(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)

    async def hangs() -> None:
        raise TimeoutError

    billing.while_performing = hangs
    await execute.run(services, action_id)
    assert (await action_of(db, action_id)).state is ActionState.UNKNOWN


async def test_what_was_lost_once_is_looked_up_again_before_every_further_send(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.extend(["lose the request", "unavailable"])
    await execute.run(services, action_id)
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert (await action_of(db, action_id)).state is ActionState.READY, "it was absent, and then turned away"
    await change(db, "UPDATE actions SET key_valid_until = now()")
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert len(billing.calls) == 2, "no key protects a third"
    assert ((await action_of(db, action_id)).state, await states(db, "tasks")) == (ActionState.UNKNOWN, ["open"])


async def test_what_was_only_ever_turned_away_is_sent_under_a_key_that_lives_from_then_on(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("unavailable")
    await execute.run(services, action_id)
    turned_away = await action_of(db, action_id)
    assert (turned_away.first_sent_at, turned_away.key_valid_until) == (None, None)
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert await history(db, action_id) == ["ready", "started", "ready", "started", "done"]


async def test_a_platform_that_refuses_our_key_surely_did_nothing(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)

    async def refuses() -> None:
        billing.while_performing = None
        raise Misconfigured("connections.sandbox: the platform refuses the api_key")

    billing.while_performing = refuses
    await execute.run(services, action_id)
    turned_away = await action_of(db, action_id)
    assert (turned_away.state, turned_away.first_sent_at) == (ActionState.READY, None)
    assert "refuses the api_key" in (turned_away.state_reason or "")


async def test_a_lookup_that_is_refused_until_the_key_is_over_goes_to_a_person(db: Database) -> None:
    billing = Unreadable()
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    await execute.run(services, action_id)
    billing.refuses = True
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert ((await action_of(db, action_id)).state, await states(db, "tasks")) == (ActionState.UNKNOWN, [])
    await change(db, "UPDATE actions SET key_valid_until = now()")
    await a_pause_passes(db)
    await execute.run(services, action_id)
    assert await states(db, "tasks") == ["open"]


class Unreadable(FakeBilling):
    """Lets nobody look anything up while ``refuses``."""

    refuses = False

    async def find_effect(self, effect: Effect) -> EffectLookup:
        if self.refuses:
            raise Misconfigured("connections.sandbox: the api_key lacks the permission rak_event_read")
        return await super().find_effect(effect)


# Workers that die or sleep


async def die_while_sending(db: Database, billing: FakeBilling, *, after_effect: bool) -> str:
    """A worker starts a charge and is gone before it can write what came of it."""
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    is_sending = asyncio.Event()

    async def never_comes_back() -> None:
        if after_effect:
            billing.effects[action_id] = Effect(
                key=action_id,
                name="retry_payment",
                invoice_vendor_id="in_1",
                subscription_vendor_id=None,
                account_vendor_id="cus_1",
                args={},
            )
        is_sending.set()
        await asyncio.Event().wait()

    billing.while_performing = never_comes_back
    worker = asyncio.create_task(execute.run(services, action_id))
    await is_sending.wait()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    billing.while_performing = None
    return action_id


@pytest.mark.parametrize("after_effect", [True, False])
async def test_a_dead_workers_charge_is_looked_up_before_anything_is_sent(db: Database, billing: FakeBilling, after_effect: bool) -> None:
    action_id = await die_while_sending(db, billing, after_effect=after_effect)
    services = make_services(db, billing=billing)
    assert (await action_of(db, action_id)).state is ActionState.STARTED
    await execute.run(services, action_id)
    assert len(billing.calls) == 1, "the lease still holds"
    await the_lease_runs_out(db)
    await execute.run(services, action_id)
    assert (await action_of(db, action_id)).state is ActionState.DONE
    assert len(billing.calls) == (1 if after_effect else 2)
    assert list(billing.effects) == [action_id]


async def test_a_worker_that_slept_over_its_lease_writes_nothing(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)

    async def somebody_takes_over() -> None:
        billing.while_performing = None
        await the_lease_runs_out(db)
        await execute.run(make_services(db, billing=billing), action_id)

    billing.while_performing = somebody_takes_over
    await execute.run(services, action_id)
    assert list(billing.effects) == [action_id]
    assert await history(db, action_id) == ["ready", "started", "started", "done"]


# The other side is away


def test_each_pause_is_four_times_the_one_before_up_to_a_quarter_of_an_hour() -> None:
    assert [sending.pause_seconds(tries) for tries in range(8)] == [2, 2, 8, 32, 128, 512, 900, 900]


async def test_what_cannot_be_sent_is_tried_with_longer_pauses_and_given_up(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.extend("unavailable" for _ in range(sending.MAX_TRIES))
    pauses: list[int] = []
    for _ in range(sending.MAX_TRIES):
        before = wall_now()
        await execute.run(services, action_id)
        action = await action_of(db, action_id)
        pauses += [round((action.next_try_at - before).total_seconds())] if action.next_try_at else []
        await execute.run(services, action_id)  # too early: nothing happens
        await a_pause_passes(db)
    assert len(billing.calls) == sending.MAX_TRIES
    assert pauses == sorted(pauses)
    assert pauses[-1] > 10 * pauses[0]
    dead = await action_of(db, action_id)
    assert (dead.state, dead.attempts) == (ActionState.DEAD, sending.MAX_TRIES)
    assert (await states(db, "reservations"), await states(db, "tasks")) == (["released"], ["open"])
    await execute.run(services, action_id)
    assert len(billing.calls) == sending.MAX_TRIES


async def test_an_invoice_that_cannot_be_read_is_not_charged(db: Database, billing: FakeBilling) -> None:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.is_away = True
    for _ in range(sending.MAX_TRIES):
        await execute.run(services, action_id)
        await a_pause_passes(db)
    assert billing.calls == []
    assert (await action_of(db, action_id)).state is ActionState.DEAD


# A person settles it


async def an_ambiguous_charge(db: Database, billing: FakeBilling) -> str:
    services = make_services(db, billing=billing)
    action_id = await committed(services)
    billing.behaviours.append("lose the request")
    billing.lookup = Indeterminate(why="nobody can tell")
    await execute.run(services, action_id)
    await a_pause_passes(db)
    await execute.run(services, action_id)
    return action_id


@pytest.mark.parametrize(("happened", "state", "reservation"), [(True, "done", "confirmed"), (False, "void", "released")])
async def test_a_person_who_has_looked_settles_it(db: Database, billing: FakeBilling, happened: bool, state: str, reservation: str) -> None:
    action_id = await an_ambiguous_charge(db, billing)
    services = make_services(db, billing=billing)
    await resolve_unknown(services, ADA, action_id, happened=happened)
    assert (await action_of(db, action_id)).state == state
    assert (await states(db, "reservations"), await states(db, "tasks")) == ([reservation], ["done"])
    async with db.read() as session:
        actor = await session.value("SELECT actor FROM audit_log WHERE subject = %s ORDER BY n DESC LIMIT 1", (action_id,))
        events = await session.value("SELECT count(*) FROM inbox")
    assert (actor, events) == ("ada", int(happened))
    with pytest.raises(Conflict):
        await resolve_unknown(services, ADA, action_id, happened=happened)


async def test_only_what_waits_for_a_person_can_be_settled(db: Database) -> None:
    services = make_services(db)
    action_id = await committed(services)
    with pytest.raises(Conflict):
        await resolve_unknown(services, ADA, action_id, happened=True)
