"""The arithmetic of figures, and the counting of statements on the wire. Nothing here measures."""

from collections import Counter

import pytest

from evals.bench.figure import Figure, compare, take_turns
from evals.bench.payload import filled, stripe_failure
from evals.bench.wire import Conversation
from tools.billing.stripe_events import event_identity, read_event


def test_the_ratio_is_the_median_of_neighbours_and_not_the_ratio_of_medians() -> None:
    figure = compare("speed", [10, 30, 80], [20, 30, 100], floor=0.5)
    assert (figure.ratio, figure.spread, figure.holds) == (0.8, (0.5, 1.0), True)


def test_each_repeat_needs_its_neighbour() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare("speed", [1, 2], [1])


@pytest.mark.parametrize(("floor", "ceiling", "holds"), [(0.9, None, False), (None, 0.9, True), (None, None, None)])
def test_a_floor_holds_from_below_and_a_ceiling_from_above(floor: float | None, ceiling: float | None, holds: bool | None) -> None:
    figure = Figure(name="it", ratio=0.8, spread=(0.7, 0.9), floor=floor, ceiling=ceiling)
    assert figure.holds is holds
    assert figure.line()["holds"] is holds


def test_a_line_is_flat_and_rounded() -> None:
    figure = compare("speed", [2, 2], [3, 3], floor=0.5, connections=16)
    assert figure.line() == {"name": "speed", "ratio": 0.667, "spread": [0.667, 0.667], "floor": 0.5, "holds": True, "connections": 16}


async def test_measures_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    async def measure(name: str) -> float:
        order.append(name)
        return len(order)

    first, second = await take_turns(2, lambda: measure("a"), lambda: measure("b"))
    assert order == ["a", "b"] * 3
    assert (first, second) == ([3, 5], [4, 6])


def test_an_execution_counts_as_the_text_that_its_portal_was_bound_to() -> None:
    seen: Counter[str] = Counter()
    client = Conversation(seen)
    client.hear("P", b"_pg3_0\0SELECT 1\0\0\0")
    for _ in range(2):
        client.hear("B", b"\0_pg3_0\0\0\0")
        client.hear("E", b"\0\0\0\0\0")
    client.hear("P", b"\0SELECT 2\0\0\0")
    client.hear("B", b"\0\0\0\0")
    client.hear("E", b"\0\0\0\0\0")
    client.hear("Q", b"COMMIT\0")
    client.hear("S", b"")
    assert seen == {"SELECT 1": 2, "SELECT 2": 1, "COMMIT": 1}


def test_the_payload_is_an_event_that_recoup_reads() -> None:
    template, size = stripe_failure()
    body = filled(template, 7, 3)
    assert 5_000 < size < 7_000
    assert (
        event_identity(body, "application/json").vendor_event_id
        != event_identity(filled(template, 8, 3), "application/json").vendor_event_id
    )
    [attempt] = read_event(body, "application/json").attempts
    assert attempt.codes is not None
    assert attempt.codes.decline_code == "insufficient_funds"
