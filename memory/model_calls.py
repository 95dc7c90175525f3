"""The account of calls to language models, for all processes at once: reserved before a call goes out, settled after it, and replayed.

Locks are taken in one order: the model's health, then the spend of agent, case and day. No transaction is open while a model thinks.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from memory.database import Database, Read, Write
from recoup.clock import wall_now
from recoup.errors import Defect
from recoup.model_books import Admission, Denied, Ending, Granted, NotNow, Replayed, Want
from recoup.model_budget import Spend, exhausted
from recoup.model_health import Health, asked, ended, refusal
from recoup.model_port import Failure
from recoup.ports import PolicySource
from recoup.record import Record

Scope = Literal["agent", "case", "day"]
SCOPES: tuple[Scope, ...] = ("agent", "case", "day")
RATE_WINDOW = timedelta(seconds=60)
# Who finds no room looks again soon, and not so often that looking is a load of its own: calls take seconds.
LOOK_AGAIN_SECONDS = 0.5
# An answer is kept until its decision stands; one whose decision never did, as long as it could still be wanted.
ANSWERS_KEPT = timedelta(days=2)
CALLS_KEPT = timedelta(days=100)


class ModelLimits(Record):
    """What all processes together may have under way with one model, and use of it in any minute."""

    in_flight: int
    tokens_a_minute: int


class Reserved(Record):
    """What stands in a call's row before it is settled."""

    model: str
    agent: str
    case_id: str
    on_day: str
    tokens: int
    cost_usd_micro: int | None


class Room(Record):
    """What is under way with a model, and what was used of it in the last minute."""

    in_flight: int
    tokens: int


class ModelCalls:
    """The Books over PostgreSQL."""

    def __init__(self, db: Database, policies: PolicySource, limits: ModelLimits) -> None:
        self._db, self._policies, self._limits = db, policies, limits

    async def admit(self, want: Want) -> Admission:
        """Reserves the call at its dearest, or says why not."""
        _, policy = await self._policies.current()
        wall = wall_now()
        async with self._db.write() as tx:
            paid = await _paid_before(tx, want)
            if paid is not None:
                return paid
            health = await _locked_health(tx, want.model)
            away = refusal(health, wall)
            if away is not None:
                return Denied(failure=Failure.BREAKER_OPEN, why=f"{want.model}: {away}")
            full = _full(await _room(tx, want.model, wall), want, self._limits)
            if full is not None:
                return NotNow(wait_seconds=LOOK_AGAIN_SECONDS, why=f"{want.model}: {full}")
            for spend in await _locked_spends(tx, _keys(want.agent, want.case_id, _day(wall))):
                budget = policy.models.of(spend.scope, want.agent)
                over = exhausted(spend, budget, want.tokens_at_most, want.cost_at_most_usd_micro)
                if over is not None:
                    return Denied(failure=Failure.BUDGET, why=over)
            await _save_health(tx, want.model, asked(health, wall, want.seconds))
            await _spend(tx, _keys(want.agent, want.case_id, _day(wall)), 1, want.tokens_at_most, want.cost_at_most_usd_micro or 0)
            return Granted(call_id=str(await _insert(tx, want, wall)))

    async def settle(self, call_id: str, ending: Ending) -> None:
        """Puts what was used in place of what was reserved; a call is settled once."""
        wall = wall_now()
        async with self._db.write() as tx:
            model: str | None = await tx.value("SELECT model FROM model_calls WHERE id = %s", (int(call_id),))
            if model is None:
                raise Defect(f"model call {call_id} was never admitted")
            health = await _locked_health(tx, model)
            reserved = await _close(tx, call_id, ending, wall)
            if reserved is None:
                raise Defect(f"model call {call_id} is settled already")
            await _save_health(tx, model, ended(health, ending, wall))
            if ending.input_tokens is not None and ending.output_tokens is not None:
                tokens = ending.input_tokens + ending.output_tokens - reserved.tokens
                cost = (ending.cost_usd_micro or 0) - (reserved.cost_usd_micro or 0)
                keys = _keys(reserved.agent, reserved.case_id, reserved.on_day)
                await _locked_spends(tx, keys)
                await _spend(tx, keys, 0, tokens, cost)


async def prune(tx: Write, wall: datetime) -> None:
    """Forgets answers that nobody will want again, and the calls of long ago with the days that they were counted in."""
    await tx.run(
        """
        UPDATE model_calls SET answer = NULL
         WHERE answer IS NOT NULL AND (started_at < %s
               OR EXISTS (SELECT FROM decisions d WHERE d.id = model_calls.decision_id AND d.verdicts IS NOT NULL))
        """,
        (wall - ANSWERS_KEPT,),
    )
    oldest = wall - CALLS_KEPT
    await tx.run("DELETE FROM model_calls WHERE started_at < %s", (oldest,))
    await tx.run("DELETE FROM model_spend WHERE scope IN ('agent', 'day') AND key < %s", (_day(oldest),))


async def _paid_before(tx: Read, want: Want) -> Replayed | None:
    """The answer to this question that this decision got, or one of the case's decisions that came to nothing."""
    return await tx.one(
        Replayed,
        """
        SELECT m.model, m.answer FROM model_calls m
         WHERE m.case_id = %(case_id)s AND m.agent = %(agent)s AND m.question = %(question)s AND m.answer IS NOT NULL
           AND (m.decision_id = %(decision_id)s
                OR EXISTS (SELECT FROM decisions d WHERE d.id = m.decision_id AND d.verdicts IS NULL))
         ORDER BY m.id LIMIT 1
        """,
        want.model_dump(include={"case_id", "agent", "question", "decision_id"}),
    )


async def _locked_health(tx: Write, model: str) -> Health:
    """How the model is; its row stays locked, so that whoever asks it next waits for this transaction."""
    await tx.run("INSERT INTO model_health (model) VALUES (%s) ON CONFLICT (model) DO NOTHING", (model,))
    health = await tx.one(Health, "SELECT outages, rests_until, probe_until FROM model_health WHERE model = %s FOR UPDATE", (model,))
    return health or Health()


async def _save_health(tx: Write, model: str, health: Health) -> None:
    await tx.run(
        """
        UPDATE model_health SET outages = %(outages)s, rests_until = %(rests_until)s, probe_until = %(probe_until)s
         WHERE model = %(model)s
        """,
        {"model": model, **health.model_dump()},
    )


async def _room(tx: Read, model: str, wall: datetime) -> Room:
    room = await tx.one(
        Room,
        """
        SELECT (SELECT count(*) FROM model_calls WHERE model = %(model)s AND settled_at IS NULL AND lost_at > %(wall)s) AS in_flight,
               (SELECT coalesce(sum(tokens), 0)::bigint FROM model_calls WHERE model = %(model)s AND started_at > %(since)s) AS tokens
        """,
        {"model": model, "wall": wall, "since": wall - RATE_WINDOW},
    )
    return room or Room(in_flight=0, tokens=0)


def _full(room: Room, want: Want, limits: ModelLimits) -> str | None:
    if room.in_flight >= limits.in_flight:
        return f"{room.in_flight} calls are under way"
    if room.tokens + want.tokens_at_most > limits.tokens_a_minute:
        return f"{room.tokens} of {limits.tokens_a_minute} tokens a minute are used"
    return None


async def _locked_spends(tx: Write, keys: Sequence[str]) -> list[Spend]:
    """The spend of the three scopes, locked in the order of their names."""
    await tx.run(
        "INSERT INTO model_spend (scope, key) SELECT * FROM unnest(%s::text[], %s::text[]) ORDER BY 1 ON CONFLICT DO NOTHING",
        (list(SCOPES), list(keys)),
    )
    return await tx.all(
        Spend,
        """
        SELECT scope, key, calls, tokens, cost_usd_micro FROM model_spend
         WHERE (scope, key) IN (SELECT * FROM unnest(%s::text[], %s::text[])) ORDER BY scope FOR UPDATE
        """,
        (list(SCOPES), list(keys)),
    )


async def _spend(tx: Write, keys: Sequence[str], calls: int, tokens: int, cost_usd_micro: int) -> None:
    await tx.run(
        """
        UPDATE model_spend SET calls = calls + %s, tokens = tokens + %s, cost_usd_micro = cost_usd_micro + %s
         WHERE (scope, key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
        """,
        (calls, tokens, cost_usd_micro, list(SCOPES), list(keys)),
    )


async def _insert(tx: Write, want: Want, wall: datetime) -> int:
    call_id: int = await tx.value(
        """
        INSERT INTO model_calls (model, agent, case_id, decision_id, question, on_day, started_at, lost_at, tokens, cost_usd_micro)
        VALUES (%(model)s, %(agent)s, %(case_id)s, %(decision_id)s, %(question)s, %(day)s, %(wall)s, %(lost)s, %(tokens_at_most)s,
                %(cost_at_most_usd_micro)s)
        RETURNING id
        """,
        want.model_dump() | {"day": _day(wall), "wall": wall, "lost": wall + timedelta(seconds=want.seconds)},
    )
    return call_id


async def _close(tx: Write, call_id: str, ending: Ending, wall: datetime) -> Reserved | None:
    """Writes the end into the row and gives what had been reserved; None where it has ended before."""
    reserved = await tx.one(
        Reserved,
        """
        SELECT model, agent, case_id, on_day::text, tokens, cost_usd_micro FROM model_calls
         WHERE id = %s AND settled_at IS NULL FOR UPDATE
        """,
        (int(call_id),),
    )
    if reserved is None:
        return None
    told: dict[str, Any] = ending.model_dump(include={"failure", "detail", "input_tokens", "output_tokens", "cost_usd_micro"})
    await tx.run(
        """
        UPDATE model_calls SET settled_at = %(wall)s, failure = %(failure)s, detail = %(detail)s, answer = %(answer)s,
               input_tokens = %(input_tokens)s, output_tokens = %(output_tokens)s,
               tokens = coalesce(%(input_tokens)s::bigint + %(output_tokens)s::bigint, tokens),
               cost_usd_micro = CASE WHEN %(input_tokens)s::bigint IS NULL THEN cost_usd_micro ELSE %(cost_usd_micro)s END
         WHERE id = %(id)s
        """,
        told | {"id": int(call_id), "wall": wall, "answer": Jsonb(ending.answer) if ending.answer is not None else None},
    )
    return reserved


def _keys(agent: str, case_id: str, day: str) -> tuple[str, str, str]:
    """The keys of the three scopes, in the order of SCOPES."""
    return f"{day}/{agent}", case_id, day


def _day(wall: datetime) -> str:
    return f"{wall:%Y-%m-%d}"
