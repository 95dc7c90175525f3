"""What was spent on language models and how they are, for people to look at."""

from datetime import datetime
from typing import LiteralString

from memory.database import Read
from recoup.model_budget import MICRO, Spend
from recoup.model_health import Health
from recoup.record import Record


class Spent(Record):
    """What one agent used of one model on one day, UTC. ``tokens`` include what is reserved or was never settled; ``unpriced``: calls whose
    cost nobody knows."""

    day: str
    agent: str
    model: str
    calls: int
    failed: int
    tokens: int
    cost_usd_micro: int
    unpriced: int

    @property
    def usd(self) -> str:
        """In US dollars, and whether that is all."""
        told = f"{self.cost_usd_micro / MICRO:.4f}"
        return f"{told} and {self.unpriced} calls of unknown price" if self.unpriced else told


class ModelState(Record):
    """One model: its breaker, and what is under way."""

    model: str
    health: Health
    in_flight: int


class FailureCount(Record):
    """How often questions ended in one cause, since a moment."""

    model: str
    failure: str
    calls: int


SPENT: LiteralString = """
    SELECT on_day::text AS day, agent, model, count(*)::int AS calls, count(failure)::int AS failed, sum(tokens)::bigint AS tokens,
           coalesce(sum(cost_usd_micro), 0)::bigint AS cost_usd_micro, count(*) FILTER (WHERE cost_usd_micro IS NULL)::int AS unpriced
      FROM model_calls WHERE started_at > %s GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3"""


async def spent(session: Read, since: datetime) -> list[Spent]:
    """By day, agent and model, newest day first."""
    return await session.all(Spent, SPENT, (since,))


async def of_day(session: Read, day: str) -> list[Spend]:
    """What is used or reserved on a day, ``YYYY-MM-DD``: of the day's budget, then of each agent's."""
    return await session.all(
        Spend,
        """
        SELECT scope, key, calls, tokens, cost_usd_micro FROM model_spend
         WHERE (scope = 'day' AND key = %(day)s) OR (scope = 'agent' AND starts_with(key, %(day)s || '/')) ORDER BY scope DESC, key
        """,
        {"day": day},
    )


async def failures(session: Read, since: datetime) -> list[FailureCount]:
    """By model and cause, most frequent first."""
    return await session.all(
        FailureCount,
        """
        SELECT model, failure, count(*)::int AS calls FROM model_calls WHERE failure IS NOT NULL AND started_at > %s
         GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
        """,
        (since,),
    )


async def states(session: Read, wall: datetime) -> list[ModelState]:
    """Every model that was ever asked."""
    rows = await session.dicts(
        """
        SELECT h.model, h.outages, h.rests_until, h.probe_until,
               (SELECT count(*) FROM model_calls c WHERE c.model = h.model AND c.settled_at IS NULL AND c.lost_at > %s)::int AS in_flight
          FROM model_health h ORDER BY h.model
        """,
        (wall,),
    )
    return [ModelState(model=row.pop("model"), in_flight=row.pop("in_flight"), health=Health.model_validate(row)) for row in rows]
