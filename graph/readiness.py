"""Whether this process can work: for ``/readyz`` and ``recoup doctor``."""

from graph.bootstrap import Services
from memory import decisions
from memory.checkpoints import pending_mismatches
from memory.migrate import pending_migrations
from recoup.errors import RecoupError
from recoup.record import Record


class Check(Record):
    """One thing that must hold, and what was seen."""

    name: str
    ok: bool
    detail: str


class Readiness(Record):
    """All checks; ``ready`` only where every one holds."""

    ready: bool
    checks: tuple[Check, ...]


async def check_readiness(services: Services) -> Readiness:
    """Looks at the database, the queue, the migrations and the threads that wait for a person."""
    checks: list[Check] = []
    try:
        async with services.db.read() as session:
            await session.value("SELECT 1")
            checks.append(Check(name="database", ok=True, detail="answers"))
            todo = await session.value("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
            checks.append(Check(name="queue", ok=True, detail=f"{todo} jobs wait"))
            missing = await pending_migrations(session)
            checks.append(Check(name="migrations", ok=not missing, detail=f"run 'recoup migrate': {missing}" if missing else "up to date"))
            waiting = await decisions.waiting_ids(session)
        lost = await pending_mismatches(services.graph, waiting)
        detail = f"threads whose node is gone: {', '.join(lost[:5])}" if lost else f"{len(waiting)} waiting threads fit the graph"
        checks.append(Check(name="threads", ok=not lost, detail=detail))
    except RecoupError as error:
        checks.append(Check(name="database", ok=False, detail=str(error)))
    return Readiness(ready=all(check.ok for check in checks), checks=tuple(checks))
