"""Decline codes that no table had when their attempt was read: the list of what the rules have yet to learn."""

from datetime import datetime

from memory.database import Read
from recoup.record import Record
from recoup.shown_code import shown_code


class UnknownCode(Record):
    """One combination of codes and how often it was seen. Codes are shown without card numbers and cut at 64 characters."""

    processor: str
    code: str | None
    network_code: str | None
    advice: tuple[str, ...]
    attempts: int
    first_seen: datetime
    last_seen: datetime


async def seen(session: Read, limit: int) -> list[UnknownCode]:
    """At most ``limit`` of them, the most frequent first, of equally frequent ones the newest."""
    rows = await session.all(
        UnknownCode,
        """
        SELECT processor, code, network_code, array_remove(ARRAY[network_advice, own_advice], NULL) AS advice,
               count(*) AS attempts, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
          FROM (
            -- Codes are anybody's text: none is grouped by more of it than is ever shown.
            SELECT left(snapshot -> 'codes' ->> 'processor', 200) AS processor,
                   left(coalesce(nullif(snapshot -> 'codes' ->> 'decline_code', ''), snapshot -> 'codes' ->> 'gateway_code'), 200) AS code,
                   left(snapshot -> 'codes' ->> 'network_decline_code', 200) AS network_code,
                   left(snapshot -> 'codes' ->> 'network_advice_code', 200) AS network_advice,
                   left(snapshot -> 'codes' ->> 'advice_code', 200) AS own_advice,
                   occurred_at
              FROM attempts
             WHERE reason IS NOT NULL AND NOT code_known AND jsonb_typeof(snapshot -> 'codes') = 'object'
          ) AS told
         WHERE coalesce(code, network_code, network_advice, own_advice) IS NOT NULL
         GROUP BY processor, code, network_code, network_advice, own_advice
         ORDER BY attempts DESC, last_seen DESC, processor, code
         LIMIT %s
        """,
        (limit,),
    )
    return [_shown(row) for row in rows]


async def count(session: Read) -> int:
    """How many attempts failed with a code that no table had."""
    return await session.value(
        """
        SELECT count(*) FROM attempts
         WHERE reason IS NOT NULL AND NOT code_known AND jsonb_typeof(snapshot -> 'codes') = 'object'
           AND coalesce(snapshot -> 'codes' ->> 'decline_code', snapshot -> 'codes' ->> 'gateway_code',
                        snapshot -> 'codes' ->> 'network_decline_code', snapshot -> 'codes' ->> 'network_advice_code',
                        snapshot -> 'codes' ->> 'advice_code') IS NOT NULL
        """
    )


def _shown(row: UnknownCode) -> UnknownCode:
    return row.model_copy(
        update={
            "processor": shown_code(row.processor),
            "code": row.code and shown_code(row.code),
            "network_code": row.network_code and shown_code(row.network_code),
            "advice": tuple(shown_code(one) for one in row.advice),
        }
    )
