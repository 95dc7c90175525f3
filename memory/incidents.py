"""Open incidents, read from the work that people have not done yet."""

from memory.database import Database
from recoup.incidents import Incident


class StoredIncidents:
    """The IncidentSource over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_incidents(self, connection: str) -> tuple[Incident, ...]:
        """Incidents that cases of this connection opened, newest first."""
        async with self._database.read() as session:
            rows = await session.all(
                Incident,
                """
                SELECT t.id, split_part(t.body, ':', 1) AS kind, t.created_at AS since
                FROM tasks t JOIN cases c ON c.id = t.case_id
                WHERE t.kind = 'incident' AND t.state = 'open' AND c.connection = %s
                ORDER BY t.id DESC LIMIT 10
                """,
                (connection,),
            )
        return tuple(rows)
