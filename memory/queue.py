"""Jobs are wake-up calls: a row id that says "look now". The rows hold the truth, so a lost or repeated call loses nothing."""

from typing import Literal

from procrastinate import App, PsycopgConnector

from memory.database import Write

JobName = Literal["intake", "decide", "resume", "execute", "reconcile", "mirror"]
JOBS: tuple[JobName, ...] = ("intake", "decide", "resume", "execute", "reconcile", "mirror")
# What people and webhooks ask for is taken first.
PROMPT, BACKGROUND = 0, -10
BEHIND_ALL: frozenset[JobName] = frozenset({"reconcile", "mirror"})


async def wake(tx: Write, job: JobName, row_id: str) -> None:
    """Asks a worker to look at the row once this transaction has committed; reconciling and mirroring wait behind all other work.

    A job that is still to do is kept instead of doubled: the upsert locks it, so no worker takes it before our commit and it
    surely sees what we wrote. Jobs carry no ``lock``: a job with one would block all later jobs that share it.
    """
    await tx.run(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, priority)"
        " VALUES (%(job)s, %(job)s, %(once)s, jsonb_build_object('row_id', %(row)s::text), %(priority)s)"
        " ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE SET priority = procrastinate_jobs.priority",
        {"job": job, "once": f"{job}:{row_id}", "row": row_id, "priority": BACKGROUND if job in BEHIND_ALL else PROMPT},
    )
    tx.woken.add(job)


def make_app(url: str, *, max_size: int = 10) -> App:
    """A procrastinate application on its own small pool; open it with ``async with app.open_async()``."""
    return App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=max_size))
