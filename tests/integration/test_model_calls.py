"""The account of model calls on a real PostgreSQL: budgets that many workers cannot overrun, limits, replays, and a breaker they share."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from graph.offline import FilePolicy
from memory import model_calls
from memory.database import Database
from memory.model_calls import ModelCalls, ModelLimits
from recoup.clock import wall_now
from recoup.errors import Defect
from recoup.model_books import Denied, Ending, Granted, NotNow, Replayed, Want
from recoup.model_budget import Budget, ModelBudgets
from recoup.model_port import Failure
from recoup.policy import Policy
from tests.models import models_on, question
from tests.vendors.model_server import ModelServer, Reset, answers, one_by_one

NO_LIMITS = ModelLimits(in_flight=10_000, tokens_a_minute=1_000_000_000)
AMPLE = Budget(calls=1_000_000, tokens=1_000_000_000, usd=Decimal(1_000_000))
SAID: dict[str, Any] = {"calls": [], "content": "hello", "tokens": None}


def books(db: Database, limits: ModelLimits = NO_LIMITS, **budgets: Budget) -> ModelCalls:
    """The books with these budgets, and ample ones for what is not named."""
    every = {"case": AMPLE, "day": AMPLE, "agent": AMPLE} | budgets
    return ModelCalls(db, FilePolicy(Policy(models=ModelBudgets.model_validate(every))), limits)


def want(n: int = 0, *, tokens: int = 1_000, cost: int | None = 500, agent: str = "communication", **given: str | float) -> Want:
    """A call that may take so much."""
    values: dict[str, str | float] = {"model": "m", "case_id": f"case_{n}", "decision_id": f"dec_{n}", "question": f"q{n}", "seconds": 30.0}
    return Want.model_validate(values | {"agent": agent, "tokens_at_most": tokens, "cost_at_most_usd_micro": cost} | given)


@asynccontextmanager
async def workers(url: str, number: int) -> AsyncGenerator[list[Database]]:
    """As many pools of connections as there would be processes."""
    async with AsyncExitStack() as stack:
        pools = [Database(url, max_size=4) for _ in range(number)]
        for pool in pools:
            await pool.open()
            stack.push_async_callback(pool.close)
        yield pools


async def spent(db: Database, scope: str) -> tuple[int, int, int]:
    """(calls, tokens, cost) of all keys of the scope together."""
    async with db.read() as session:
        [row] = await session.dicts(
            "SELECT sum(calls)::int AS calls, sum(tokens)::int AS tokens, sum(cost_usd_micro)::int AS cost"
            " FROM model_spend WHERE scope = %s",
            (scope,),
        )
    return row["calls"], row["tokens"], row["cost"]


LIMITED = {
    "calls of a day": ({"day": Budget(calls=40, tokens=10**9, usd=Decimal(10**6))}, "day", (40, 10**9, 10**12)),
    "tokens of a day": ({"day": Budget(calls=10**6, tokens=40_500, usd=Decimal(10**6))}, "day", (10**6, 40_500, 10**12)),
    "money of a day": ({"day": Budget(calls=10**6, tokens=10**9, usd=Decimal("0.0205"))}, "day", (10**6, 10**9, 20_500)),
    "tokens of an agent": ({"agent": Budget(calls=10**6, tokens=40_500, usd=Decimal(10**6))}, "agent", (10**6, 40_500, 10**12)),
    "tokens of one case": ({"case": Budget(calls=10**6, tokens=40_500, usd=Decimal(10**6))}, "case", (10**6, 40_500, 10**12)),
}


@pytest.mark.parametrize("name", LIMITED)
async def test_many_workers_at_once_never_overrun_a_budget(name: str, db: Database, database_url: str) -> None:
    budgets, scope, (calls, tokens, cost) = LIMITED[name]
    chance = random.Random(7)
    seen: list[tuple[int, int, int]] = []

    async def work(worker: ModelCalls) -> int:
        granted = 0
        for n in range(6):
            case_id = "case_0" if scope == "case" else f"case_{n}"
            # Two models, so that no lock of one model's hides what the spend's own lock lets through.
            admission = await worker.admit(want(case_id=case_id, question=str(chance.random()), model=f"m{n % 2}"))
            if isinstance(admission, Granted):
                granted += 1
                seen.append(await spent(db, scope))
                # Some die and settle nothing, the others have used less than they might have.
                if chance.random() < 0.7:
                    used = Ending(answer=SAID, input_tokens=chance.randint(0, 600), output_tokens=300, cost_usd_micro=450)
                    await worker.settle(admission.call_id, used)
            else:
                assert isinstance(admission, Denied)
                assert admission.failure is Failure.BUDGET
        return granted

    async with workers(database_url, 4) as pools:
        granted = sum(await asyncio.gather(*(work(books(pools[n % 4], NO_LIMITS, **budgets)) for n in range(24))))

    assert 40 <= granted < 24 * 6
    assert len(seen) == granted
    assert all(c <= calls and t <= tokens and m <= cost for c, t, m in [*seen, await spent(db, scope)])


async def test_no_more_calls_are_under_way_than_all_workers_together_may_have(db: Database, database_url: str) -> None:
    under_way = most = 0
    # Nobody ends before three are under way, so that the limit is surely reached.
    full = asyncio.Barrier(3)

    async def work(worker: ModelCalls, n: int) -> None:
        nonlocal under_way, most
        while not isinstance(admission := await worker.admit(want(n)), Granted):
            assert isinstance(admission, NotNow)
            await asyncio.sleep(0.01)
        under_way += 1
        most = max(most, under_way)
        await full.wait()
        under_way -= 1
        await worker.settle(admission.call_id, Ending(answer=SAID, input_tokens=1, output_tokens=1))

    limits = ModelLimits(in_flight=3, tokens_a_minute=10**9)
    async with workers(database_url, 4) as pools:
        await asyncio.gather(*(work(books(pools[n % 4], limits), n) for n in range(21)))
    assert most == 3


async def test_tokens_of_the_last_minute_are_limited_by_what_was_used_of_them(db: Database) -> None:
    mine = books(db, ModelLimits(in_flight=100, tokens_a_minute=2_500))
    first = await mine.admit(want(1))
    await mine.admit(want(2))
    assert isinstance(await mine.admit(want(3)), NotNow)

    assert isinstance(first, Granted)
    await mine.settle(first.call_id, Ending(answer=SAID, input_tokens=100, output_tokens=100))
    assert isinstance(await mine.admit(want(3)), Granted)


async def test_a_call_that_was_never_settled_counts_at_its_dearest_and_takes_no_room(db: Database) -> None:
    mine = books(db, ModelLimits(in_flight=1, tokens_a_minute=10**9))
    assert isinstance(await mine.admit(want(1, seconds=0.0)), Granted)
    assert isinstance(await mine.admit(want(2)), Granted)
    assert await spent(db, "day") == (2, 2_000, 1_000)


async def test_what_was_used_takes_the_place_of_what_was_reserved(db: Database) -> None:
    mine = books(db)
    first, second, third = [await mine.admit(want(n)) for n in range(3)]
    assert isinstance(first, Granted)
    assert isinstance(second, Granted)
    assert isinstance(third, Granted)
    await mine.settle(first.call_id, Ending(answer=SAID, input_tokens=200, output_tokens=50, cost_usd_micro=60))
    # A server that does not tell what it used: the reservation stands. An error of HTTP has used nothing.
    await mine.settle(second.call_id, Ending(failure=Failure.TIMEOUT, is_outage=True))
    await mine.settle(
        third.call_id, Ending(failure=Failure.RATE_LIMITED, is_outage=True, input_tokens=0, output_tokens=0, cost_usd_micro=0)
    )
    for scope in ("agent", "case", "day"):
        assert await spent(db, scope) == (3, 1_250, 560)
    with pytest.raises(Defect, match="settled already"):
        await mine.settle(first.call_id, Ending(answer=SAID))


async def test_a_model_without_a_price_uses_up_calls_and_tokens_alone(db: Database) -> None:
    mine = books(db, day=Budget(calls=2, tokens=10**6, usd=Decimal(0)))
    assert isinstance(await mine.admit(want(1, cost=None)), Granted)
    assert isinstance(await mine.admit(want(2, cost=1)), Denied)
    assert isinstance(await mine.admit(want(3, cost=None)), Granted)
    assert isinstance(await mine.admit(want(4, cost=None)), Denied)


async def test_an_agent_may_have_a_budget_of_its_own(db: Database) -> None:
    policy = Policy(models=ModelBudgets(agent=AMPLE, agents={"reader": Budget(calls=0, tokens=0, usd=Decimal(0))}))
    mine = ModelCalls(db, FilePolicy(policy), NO_LIMITS)
    assert isinstance(await mine.admit(want(1, agent="reader")), Denied)
    assert isinstance(await mine.admit(want(1, agent="communication")), Granted)


async def test_an_answer_that_was_paid_for_is_replayed_to_the_same_question_of_the_same_decision(db: Database) -> None:
    town = {"name": "Ulm", "souls": 126_000}
    with ModelServer(one_by_one(answers(town))).running() as server:
        first = await models_on(server, books(db)).ask(question())
        again = await models_on(server, books(db)).ask(question())
        other = await models_on(server, books(db)).ask(question(decision_id="dec_2"))

    assert first.value == again.value == other.value
    assert [first.usage.calls, again.usage.calls, other.usage.calls] == [1, 0, 1]
    assert again.model == first.model
    assert len(server.asked) == 2


async def test_what_five_workers_find_to_be_away_no_worker_asks_until_one_tries(db: Database, database_url: str) -> None:
    with ModelServer(one_by_one(Reset())).running() as server:
        async with workers(database_url, 5) as pools:
            for n, pool in enumerate(pools):
                await models_on(server, books(pool)).ask(question(case_id=f"case_{n}"))
        left_alone = await models_on(server, books(db)).ask(question(case_id="case_9"))
        assert (left_alone.failure, len(server.asked)) == (Failure.BREAKER_OPEN, 5)

        async with db.write() as tx:
            await tx.run("UPDATE model_health SET rests_until = %s", (wall_now() - timedelta(seconds=1),))
        server.script = one_by_one(*[answers({"name": "Ulm", "souls": 1}, after_seconds=0.3)] * 2)
        found = await asyncio.gather(*(models_on(server, books(db)).ask(question(case_id=f"case_{n}")) for n in range(10, 14)))

    assert sorted(answer.failure or "" for answer in found) == ["", *[Failure.BREAKER_OPEN] * 3]
    assert isinstance(await books(db).admit(want(20, model="gpt-4o-mini")), Granted)


async def test_while_one_model_is_left_alone_the_next_in_the_chain_is_asked(db: Database) -> None:
    async with db.write() as tx:
        await tx.run("INSERT INTO model_health (model, outages, rests_until) VALUES ('first', 5, %s)", (wall_now() + timedelta(hours=1),))
    with ModelServer(one_by_one(answers({"name": "Ulm", "souls": 1}))).running() as server:
        answer = await models_on(server, books(db), "first", "second").ask(question())
    assert (answer.model, [asked.model for asked in server.asked]) == ("second", ["second"])


async def test_where_the_budget_is_used_up_nothing_is_sent(db: Database) -> None:
    with ModelServer(one_by_one(answers({"name": "Ulm", "souls": 1}))).running() as server:
        answer = await models_on(server, books(db, case=Budget(calls=0, tokens=0, usd=Decimal(0))), "first", "second").ask(question())
    assert (answer.failure, server.asked) == (Failure.BUDGET, [])


async def test_where_there_is_no_room_for_as_long_as_the_question_may_take_the_draft_stands(db: Database) -> None:
    full = books(db, ModelLimits(in_flight=0, tokens_a_minute=10**9))
    with ModelServer(one_by_one(answers({"name": "Ulm", "souls": 1}))).running() as server:
        call = question()
        hurried = question(bounds=call.bounds.model_copy(update={"seconds": 0.3}))
        answer = await models_on(server, full).ask(hurried)
    assert (answer.failure, server.asked) == (Failure.BUSY, [])


async def test_old_calls_and_answers_are_forgotten_and_the_money_of_a_case_is_not(db: Database) -> None:
    mine = books(db)
    for n, age in enumerate((timedelta(days=101), timedelta(days=3), timedelta())):
        admission = await mine.admit(want(n))
        assert isinstance(admission, Granted)
        await mine.settle(admission.call_id, Ending(answer=SAID, input_tokens=1, output_tokens=1))
        async with db.write() as tx:
            await tx.run("UPDATE model_calls SET started_at = started_at - %s WHERE id = %s", (age, int(admission.call_id)))
    async with db.write() as tx:
        await model_calls.prune(tx, wall_now())
        rows = await tx.dicts("SELECT case_id, answer IS NULL AS forgotten FROM model_calls ORDER BY id")
    assert [(row["case_id"], row["forgotten"]) for row in rows] == [("case_1", True), ("case_2", False)]
    assert await spent(db, "case") == (3, 6, 0)
    assert isinstance(await mine.admit(want(2)), Replayed)
