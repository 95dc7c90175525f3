"""What every world of failed payments keeps to, ours and others': the head of ``tools/sandbox/protocol.py``, sentence by sentence."""

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean, stdev
from typing import Any, cast

import pytest

from tests.other_world import other_world
from tools.sandbox.protocol import (
    COSTS,
    WINDOW,
    AttemptResult,
    Credential,
    Decline,
    FailedInvoice,
    PastAttempt,
    World,
    WorldEvent,
)
from tools.sandbox.worlds import FACTORIES

WORLDS: dict[str, Callable[[], World]] = {**FACTORIES, "queues": other_world}
SHOWN = (FailedInvoice, Credential, Decline, PastAttempt, AttemptResult, WorldEvent)
PLAIN = (str, int, float, bool, datetime, type(None))
ENDS = {"paid_by_link", "cancelled", "disputed"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COUNT, SEED = 150, 5


@pytest.fixture(params=WORLDS, name="make")
def world_factory(request: pytest.FixtureRequest) -> Callable[[], World]:
    return WORLDS[request.param]


class Playing:
    """One case under deeds of its own, which depend on nothing but its name; keeps all that the world gave back."""

    def __init__(self, world: World, invoice: FailedInvoice) -> None:
        self.world, self.case, self.credential = world, invoice.case, invoice.credential.id
        self.now, self.dice, self.channels = invoice.failed_at, random.Random(invoice.case), invoice.channels
        self.told: list[Any] = []
        self.is_over = False
        self.steps = 30

    def step(self) -> None:
        """A day or so passes, then a charge, a message or nothing."""
        self.now += self.dice.randrange(1, 40) * HOUR
        self.steps -= 1
        events = self.world.advance(self.case, self.now)
        self.told.append(events)
        for event in events:
            self.credential = event.credential.id if event.credential else self.credential
            self.is_over = self.is_over or event.kind in ENDS
        deed = self.dice.choice(("charge", "write", "wait"))
        if deed == "charge" and not self.is_over:
            self.told.append(self.world.attempt(self.case, self.now, self.credential))
            self.is_over = self.told[-1].approved
        elif deed == "write" and not self.is_over:
            self.world.contact(self.case, self.now, self.dice.choice(self.channels), "reminder")

    def play(self) -> list[Any]:
        """To the end of its steps."""
        while self.steps:
            self.step()
        return self.told


def everything_told(world: World, invoices: list[FailedInvoice]) -> list[list[Any]]:
    return [Playing(world, invoice).play() for invoice in invoices]


def test_one_seed_is_one_world_and_equal_deeds_have_equal_outcomes(make: Callable[[], World]) -> None:
    one, other = make(), make()
    assert one.open(COUNT, SEED) == (invoices := other.open(COUNT, SEED))
    assert everything_told(one, invoices) == everything_told(other, invoices)
    assert one.open(COUNT, SEED + 1) != invoices


def test_opening_forgets_what_was_done(make: Callable[[], World]) -> None:
    world = make()
    first = everything_told(world, world.open(COUNT, SEED))
    everything_told(world, world.open(20, SEED + 1))
    assert everything_told(world, world.open(COUNT, SEED)) == first


def test_what_is_done_with_one_case_changes_no_other(make: Callable[[], World]) -> None:
    world = make()
    invoices = world.open(COUNT, SEED)
    alone = [Playing(world, invoice).play() for invoice in invoices[1::2]]
    playing = [Playing(world, invoice) for invoice in reversed(world.open(COUNT, SEED))]
    for _ in range(30):
        for case in playing:
            case.step()
    assert [case.told for case in reversed(playing)][1::2] == alone


def test_as_many_cases_as_were_asked_for_each_with_a_name_of_its_own(make: Callable[[], World]) -> None:
    invoices = make().open(COUNT, SEED)
    assert len({invoice.case for invoice in invoices}) == COUNT
    assert make().open(0, SEED) == []
    assert len({invoice.currency for invoice in invoices}) == 1
    assert all(invoice.amount_minor > 0 and invoice.channels for invoice in invoices)


def test_the_past_lies_before_the_failure_oldest_first(make: Callable[[], World]) -> None:
    for invoice in make().open(COUNT, SEED):
        times = [past.at for past in invoice.history]
        assert times == sorted(times)
        assert all(at < invoice.failed_at and at.utcoffset() == timedelta(0) for at in times)
        assert invoice.failed_at.tzinfo is UTC
        assert invoice.customer_since is None or all(invoice.customer_since < at for at in times)


@pytest.mark.parametrize("deed", ["attempt", "contact", "advance"])
def test_time_never_goes_back(make: Callable[[], World], deed: str) -> None:
    world = make()
    invoice = world.open(COUNT, SEED)[0]

    def act(at: datetime) -> object:
        match deed:
            case "attempt":
                return world.attempt(invoice.case, at, invoice.credential.id)
            case "contact":
                return world.contact(invoice.case, at, invoice.channels[0], "reminder")
            case _:
                return world.advance(invoice.case, at)

    with pytest.raises(ValueError, match=invoice.case):
        act(invoice.failed_at - HOUR)
    world.contact(invoice.case, invoice.failed_at + 2 * HOUR, invoice.channels[0], "reminder")
    with pytest.raises(ValueError, match=invoice.case):
        act(invoice.failed_at + HOUR)


def test_a_credential_that_is_not_on_file_cannot_be_charged(make: Callable[[], World]) -> None:
    world = make()
    invoice, other = world.open(COUNT, SEED)[:2]
    for credential in ("nobody's", other.credential.id):
        with pytest.raises(ValueError, match=credential):
            world.attempt(invoice.case, invoice.failed_at + HOUR, credential)


def test_nothing_happens_after_the_end(make: Callable[[], World]) -> None:
    world, ended = make(), 0
    for invoice in world.open(COUNT, SEED):
        playing = Playing(world, invoice)
        playing.play()
        if playing.is_over:
            ended += 1
            assert world.advance(invoice.case, playing.now + 60 * DAY) == []
            with pytest.raises(ValueError, match=invoice.case):
                world.attempt(invoice.case, playing.now + 61 * DAY, playing.credential)
    assert ended > COUNT / 10


def test_events_come_in_order_and_in_their_time(make: Callable[[], World]) -> None:
    world, kinds = make(), set[str]()
    for invoice in world.open(1000, SEED):
        before = invoice.failed_at
        for day in range(1, 40, 3):
            until = invoice.failed_at + day * DAY
            events = world.advance(invoice.case, until)
            assert [event.at for event in events] == sorted(event.at for event in events)
            assert all(before < event.at <= until for event in events)
            assert all((event.credential is not None) == (event.kind == "method_updated") for event in events)
            kinds |= {event.kind for event in events}
            before = until
            if any(event.kind in ENDS for event in events):
                break
            world.contact(invoice.case, until, invoice.channels[-1], "reminder")
    assert kinds >= {"method_updated", "cancelled", "paid_by_link"}


def test_what_comes_out_is_plain_values_and_nothing_behind_them(make: Callable[[], World]) -> None:
    world = make()
    invoices = world.open(COUNT, SEED)
    for value in reachable([invoices, everything_told(world, invoices)]):
        assert type(value) in SHOWN or type(value) in PLAIN, type(value)
        # Slots and no others: nothing can hang on a value that its type does not declare.
        assert not hasattr(value, "__dict__"), type(value)


def reachable(value: object) -> Iterator[object]:
    """All that can be got at from a value, containers opened."""
    if isinstance(value, list | tuple):
        for item in cast("list[object]", value):
            yield from reachable(item)
        return
    yield value
    if is_dataclass(value):
        for name in fields(value):
            yield from reachable(getattr(value, name.name))


def test_bounds_do_not_depend_on_what_was_done(make: Callable[[], World]) -> None:
    world = make()
    invoices = world.open(COUNT, SEED)
    before = [world.oracle(invoice.case) for invoice in invoices]
    everything_told(world, invoices)
    assert [world.oracle(invoice.case) for invoice in invoices] == before
    for invoice, bound in zip(invoices, before, strict=True):
        assert 0 <= bound.expected_net_minor <= invoice.amount_minor
        assert 0 <= bound.clairvoyant_net_minor <= invoice.amount_minor
        assert 0 <= bound.recovery_probability <= 1


def test_the_oracle_is_above_a_ladder_and_the_clairvoyant_above_the_oracle(make: Callable[[], World]) -> None:
    world = make()
    invoices = world.open(1000, SEED)
    bounds = [world.oracle(invoice.case) for invoice in invoices]
    by_ladder = [ladder(world, invoice) / invoice.amount_minor for invoice in invoices]
    by_oracle = [bound.expected_net_minor / invoice.amount_minor for bound, invoice in zip(bounds, invoices, strict=True)]
    clairvoyant = [bound.clairvoyant_net_minor / invoice.amount_minor for bound, invoice in zip(bounds, invoices, strict=True)]
    assert exceeds(by_oracle, by_ladder)
    assert exceeds(clairvoyant, by_oracle)


def ladder(world: World, invoice: FailedInvoice) -> float:
    """What a blind ladder of charges and messages nets, whatever the code says."""
    credential, net, end = invoice.credential.id, 0.0, invoice.failed_at + WINDOW
    for day in (0.1, 1.0, 3.0, 5.0, 7.0, 10.0, 14.0, 21.0, WINDOW / DAY):
        at = min(invoice.failed_at + day * DAY, end)
        for event in world.advance(invoice.case, at):
            if event.kind in ENDS:
                return net + (invoice.amount_minor if event.kind == "paid_by_link" else 0)
            credential = event.credential.id if event.credential else credential
        net -= COSTS.attempt_minor
        if world.attempt(invoice.case, at, credential).approved:
            return net + invoice.amount_minor
        net -= COSTS.message_minor["email"]
        world.contact(invoice.case, at, "email", "reminder")
    return net


def exceeds(above: list[float], below: list[float]) -> bool:
    """Whether one is no less than the other on average, but for noise."""
    differences = [high - low for high, low in zip(above, below, strict=True)]
    return fmean(differences) > -2 * stdev(differences) / len(differences) ** 0.5
