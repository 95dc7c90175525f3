"""A client's side: hold the lease, see that a supervisor is there, wait for the server, bring its schema up to date."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg import sql

from memory.embedded.files import APP_ROLE, DATABASE, EmbeddedUrls, Files, files_of, hold
from recoup.errors import DatabaseUnavailable

START_SECONDS = 90.0
POLL_SECONDS = 0.03
WATCH_SECONDS = 0.5
ROOT = Path(__file__).parents[2]
MIGRATIONS = Path(__file__).parents[1] / "migrations"


@contextmanager
def running(home: Path) -> Generator[EmbeddedUrls]:
    """The embedded server under ``home``, up and migrated, for as long as the block lasts. Blocks: call it in a thread.

    While the block lasts, a supervisor or a server that was killed comes back by itself. Raises DatabaseUnavailable where the
    server does not come up, Misconfigured where it cannot.
    """
    files = files_of(home)
    lease = hold(files.clients_lock, shared=True, wait=True)
    stopped = threading.Event()
    watcher = threading.Thread(target=_keep_supervised, args=(files, stopped), daemon=True)
    try:
        urls = _wait_until_up(files)
        watcher.start()
        _migrate_if_needed(urls)
        yield urls
    finally:
        stopped.set()
        if watcher.is_alive():
            watcher.join()
        if lease is not None:
            os.close(lease)


def _keep_supervised(files: Files, stopped: threading.Event) -> None:
    while not stopped.wait(WATCH_SECONDS):
        _ensure_supervisor(files)


def _ensure_supervisor(files: Files) -> None:
    """Starts a supervisor unless there is one. The lock passes from our hand into its hand, so there is no moment for a second."""
    lock = hold(files.supervisor_lock)
    if lock is None:
        return
    try:
        with files.log.open("ab") as log:
            # Unchecked: one that ends on its way, even killed, leaves the lock free, and the next look starts another.
            subprocess.run(
                [sys.executable, "-m", "memory.embedded", str(files.home), str(lock)],
                check=False,
                pass_fds=[lock],
                start_new_session=True,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
    finally:
        os.close(lock)


def _wait_until_up(files: Files) -> EmbeddedUrls:
    deadline = time.monotonic() + START_SECONDS
    while True:
        _ensure_supervisor(files)
        urls = files.urls()
        try:
            psycopg.connect(urls.owner, connect_timeout=5).close()
        except psycopg.OperationalError as exc:
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"the embedded PostgreSQL does not start; {files.log} says why ({exc})") from exc
            time.sleep(POLL_SECONDS)
        else:
            return urls


def _migrate_if_needed(urls: EmbeddedUrls) -> None:
    """Migrates where the database does not carry this code's stamp yet; the stamp is a comment on the database."""
    stamp = _schema_stamp()
    with psycopg.connect(urls.owner, autocommit=True) as connection:
        found = connection.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()")
        if found.fetchone() == (stamp,):
            return
        from memory.migrate import migrate

        # In a thread of its own, since the caller may be inside a running event loop.
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(lambda: asyncio.run(migrate(urls.owner, APP_ROLE))).result()
        comment = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(DATABASE), sql.Literal(stamp))
        connection.execute(comment)


def _schema_stamp() -> str:
    """Changes whenever a migration of ours, of the queue or of the checkpointer may have something to do."""
    parts = [path.read_bytes() for path in sorted(MIGRATIONS.rglob("*")) if path.suffix in {".py", ".sql"}]
    parts += [(MIGRATIONS.parent / "migrate.py").read_bytes()]
    parts += [version(name).encode() for name in ("procrastinate", "langgraph-checkpoint-postgres")]
    return sha256(b"\0".join(parts)).hexdigest()
