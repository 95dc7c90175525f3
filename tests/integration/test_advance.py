"""Driving a thread on from whatever was stored of it."""

import contextlib

from api.jobs.advance import Ended, Lost, Paused, advance
from graph.state import start_on
from memory.database import Database
from tests.deciding import set_policy, with_faults
from tests.fakes import make_services
from tests.scenes import open_case
from tests.worlds import thread


async def test_a_thread_that_only_looks_finished_is_brought_to_its_end(db: Database) -> None:
    plain = make_services(db)
    await set_policy(plain, 'mode = "auto"')
    start = start_on(await open_case(plain), *await plain.policies.current())
    looked_finished = 0
    for place in range(20):
        services, saver = with_faults(plain)
        saver.plan = lambda write, place=place: "before" if write == place else None
        name = f"dec_{place}"
        # Written step by step, every step may be the one whose checkpoint is missing.
        with contextlib.suppress(ConnectionError):
            await services.graph.ainvoke(start, thread(name), durability="sync")
        stored = await services.graph.aget_state(thread(name))
        looked_finished += bool(stored.values) and not stored.next and not stored.values["done"]

        reached = await advance(plain.graph, name, None)

        assert isinstance(reached, Ended | Lost)
        if isinstance(reached, Ended):
            assert (reached.state.get("done"), reached.state.get("outcome")) == (True, "finished")
    assert looked_finished > 0


async def test_a_thread_that_lost_its_question_asks_again(db: Database) -> None:
    plain = make_services(db)
    start = start_on(await open_case(plain), *await plain.policies.current())
    reached: list[type] = []
    for place in range(12):
        services, saver = with_faults(plain)
        saver.plan = lambda write, place=place: "before" if write == place else None
        name = f"dec_{place}"
        with contextlib.suppress(ConnectionError):
            await services.graph.ainvoke(start, thread(name), durability="sync")
        reached.append(type(await advance(plain.graph, name, None)))
    assert set(reached) <= {Paused, Lost}
    assert reached.count(Paused) > 8
