"""Work for people: tasks, tickets, notes and incidents, the human queue of the exception agent and of ambiguous effects."""

from datetime import datetime
from typing import Literal

from memory import audit
from memory.database import Read, Write
from recoup.actions import Queue
from recoup.errors import Conflict, NotFound
from recoup.ids import new_id
from recoup.record import Record

TaskKind = Literal["task", "ticket", "incident", "note"]
TaskState = Literal["open", "done"]


class TaskRow(Record):
    """A row of ``tasks``. A ``note`` is only read; the others stay ``open`` until somebody has done them."""

    id: str
    case_id: str | None
    action_id: str | None
    kind: TaskKind
    queue: str
    title: str
    body: str
    state: TaskState
    created_at: datetime
    done_at: datetime | None
    done_by: str | None


async def add(
    tx: Write,
    *,
    kind: TaskKind,
    queue: Queue,
    title: str,
    body: str,
    at: datetime,
    case_id: str | None = None,
    action_id: str | None = None,
    actor: str = "worker",
) -> str:
    """Adds one and gives its id. A note asks nothing of anybody, so it is born ``done``."""
    task_id = new_id("task")
    state = "done" if kind == "note" else "open"
    await tx.run(
        """
        INSERT INTO tasks (id, case_id, action_id, kind, queue, title, body, state, created_at, done_at)
        VALUES (%(id)s, %(case_id)s, %(action_id)s, %(kind)s, %(queue)s, %(title)s, %(body)s, %(state)s, %(at)s,
                CASE WHEN %(state)s = 'done' THEN %(at)s::timestamptz END)
        """,
        {
            "id": task_id,
            "case_id": case_id,
            "action_id": action_id,
            "kind": kind,
            "queue": queue,
            "title": title,
            "body": body,
            "state": state,
            "at": at,
        },
    )
    data = {"kind": kind, "queue": queue, "action_id": action_id}
    await audit.append(tx, chain=case_id or "tasks", subject=task_id, kind="task", state=state, actor=actor, at=at, data=data)
    return task_id


async def get(session: Read, task_id: str) -> TaskRow:
    """One task; raises NotFound."""
    row = await session.one(TaskRow, "SELECT * FROM tasks WHERE id = %s", (task_id,))
    if row is None:
        raise NotFound(f"there is no task {task_id}")
    return row


async def done(tx: Write, task_id: str, *, person: str, at: datetime) -> None:
    """A person has done it; raises NotFound, or Conflict where somebody else was first."""
    row = await tx.one(TaskRow, "SELECT * FROM tasks WHERE id = %s FOR UPDATE", (task_id,))
    if row is None:
        raise NotFound(f"there is no task {task_id}")
    if row.state == "done":
        raise Conflict(f"task {task_id} was already done by {row.done_by or 'nobody'}")
    await _finish(tx, row, person, at)


async def done_for_action(tx: Write, action_id: str, *, person: str, at: datetime) -> None:
    """Closes the open tasks about one action, once a person has settled it."""
    rows = await tx.all(TaskRow, "SELECT * FROM tasks WHERE action_id = %s AND state = 'open' ORDER BY id FOR UPDATE", (action_id,))
    for row in rows:
        await _finish(tx, row, person, at)


async def page(
    session: Read,
    *,
    queue: str | None = None,
    state: str | None = None,
    case_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[TaskRow]:
    """Tasks, newest first; ``before`` is the id of the last one already seen."""
    return await session.all(
        TaskRow,
        """
        SELECT * FROM tasks
         WHERE (%(queue)s::text IS NULL OR queue = %(queue)s) AND (%(state)s::text IS NULL OR state = %(state)s)
           AND (%(case_id)s::text IS NULL OR case_id = %(case_id)s) AND (%(before)s::text IS NULL OR id < %(before)s)
         ORDER BY id DESC LIMIT %(limit)s
        """,
        {"queue": queue, "state": state, "case_id": case_id, "before": before, "limit": limit},
    )


async def _finish(tx: Write, row: TaskRow, person: str, at: datetime) -> None:
    await tx.run("UPDATE tasks SET state = 'done', done_at = %s, done_by = %s WHERE id = %s", (at, person, row.id))
    await audit.append(tx, chain=row.case_id or "tasks", subject=row.id, kind="task", state="done", actor=person, at=at)
