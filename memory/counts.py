"""How many rows stand in which state: for metrics, reports and the demo's table."""

from memory.database import Read
from recoup.record import Record

TABLES = ("events", "cases", "decisions", "actions", "approvals", "timers", "reservations", "messages", "tasks", "mirrors")


class Count(Record):
    """Rows of one table in one state."""

    table: str
    state: str
    rows: int


async def by_state(session: Read) -> list[Count]:
    """All counts."""
    return await session.all(
        Count,
        """
        SELECT 'events' AS table, status AS state, count(*) AS rows FROM inbox GROUP BY 2
        UNION ALL SELECT 'cases', status, count(*) FROM cases GROUP BY 2
        UNION ALL SELECT 'decisions', state, count(*) FROM decisions GROUP BY 2
        UNION ALL SELECT 'actions', state, count(*) FROM actions GROUP BY 2
        UNION ALL SELECT 'approvals', status, count(*) FROM approvals GROUP BY 2
        UNION ALL SELECT 'timers', state, count(*) FROM timers GROUP BY 2
        UNION ALL SELECT 'reservations', state, count(*) FROM reservations GROUP BY 2
        UNION ALL SELECT 'messages', state, count(*) FROM messages GROUP BY 2
        UNION ALL SELECT 'tasks', state, count(*) FROM tasks GROUP BY 2
        UNION ALL SELECT 'mirrors', state, count(*) FROM mirrors GROUP BY 2
        ORDER BY 1, 2
        """,
    )
