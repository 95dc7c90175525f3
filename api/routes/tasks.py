"""Tasks: the human queue. Case files of exceptions, effects whose outcome is unknown, notes."""

from fastapi import APIRouter

from api.auth import Operator, Reader, ServicesDep
from api.paging import Cursor, Limit, Page, page_of
from memory import tasks
from memory.tasks import TaskRow, TaskState
from recoup.actions import Queue

router = APIRouter(prefix="/tasks", tags=["tasks"])


@router.get("")
async def list_tasks(
    services: ServicesDep,
    _: Reader,
    queue: Queue | None = None,
    state: TaskState | None = None,
    case_id: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[TaskRow]:
    """Newest first."""
    async with services.db.read() as session:
        rows = await tasks.page(session, queue=queue, state=state, case_id=case_id, before=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.post("/{task_id}/done")
async def finish_task(services: ServicesDep, person: Operator, task_id: str) -> TaskRow:
    """Marks it done by the person of the key."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        await tasks.done(tx, task_id, person=person.name, at=now)
        return await tasks.get(tx, task_id)
