"""Where the embedded server lives, and the three locks that say who is alive.

``clients.lock``     shared by every client; whoever can take it alone knows that no client is left.
``supervisor.lock``  held by the one supervisor; its starter takes it and hands it down, so there is never a second.
``server.lock``      held by PostgreSQL and all its children, who inherit it: while it is held, something of that server lives.

A lock held by an open file vanishes with the last process that has it open, however that dies. A process id cannot say as much:
it may be a zombie, or somebody else by now.
"""

import fcntl
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from recoup.errors import Misconfigured

DATABASE = "recoup"
APP_ROLE = "recoup_app"
OWNER_ROLE = "recoup_owner"
SUPERUSER = "postgres"
PORT = 5432  # only a part of the socket's name; nothing listens on TCP
SOCKET_PATH_LIMIT = 100


@dataclass(frozen=True)
class EmbeddedUrls:
    """Connection strings: ``app`` for Recoup at work, ``owner`` for migrations, ``superuser`` for the supervisor and for tests."""

    app: str
    owner: str
    superuser: str


@dataclass(frozen=True)
class Files:
    """The files of one embedded server under ``home``."""

    home: Path

    @property
    def folder(self) -> Path:
        """Everything of the server but its socket; readable only by us."""
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def clients_lock(self) -> Path:
        """See the module's docstring."""
        return self.folder / "clients.lock"

    @property
    def supervisor_lock(self) -> Path:
        """See the module's docstring."""
        return self.folder / "supervisor.lock"

    @property
    def server_lock(self) -> Path:
        """See the module's docstring."""
        return self.folder / "server.lock"

    @property
    def log(self) -> Path:
        """What the supervisor says, and PostgreSQL before its own log is open (then: data/log)."""
        return self.folder / "supervisor.log"

    @property
    def sockets(self) -> Path:
        """The socket's folder, remembered, since a client's TMPDIR may differ from ours."""
        remembered = self.folder / "sockets"
        if not remembered.exists():
            key = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
            base = tempfile.gettempdir()
            path = Path(base if len(base) < SOCKET_PATH_LIMIT - 40 else "/tmp") / f"recoup-{key}"  # noqa: S108 - guarded by make_private
            replace_text(remembered, str(path))
        return Path(remembered.read_text(encoding="utf-8"))

    def urls(self) -> EmbeddedUrls:
        """Connection strings over the socket; who may enter its folder may connect."""

        def url(role: str, database: str) -> str:
            return f"postgresql://{role}@/{database}?{urlencode({'host': str(self.sockets), 'port': PORT})}"

        return EmbeddedUrls(app=url(APP_ROLE, DATABASE), owner=url(OWNER_ROLE, DATABASE), superuser=url(SUPERUSER, "postgres"))


def files_of(home: Path) -> Files:
    """The files under ``home``, whose folder is made if need be."""
    files = Files(home.expanduser().absolute())
    files.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_private(files.folder, os.geteuid(), os.getegid())
    return files


def make_private(folder: Path, uid: int, gid: int) -> None:
    """A folder that only ``uid`` (and root) can enter; refuses one that somebody else has put there before."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {uid, os.geteuid()}:
        raise Misconfigured(f"{folder} belongs to somebody else; remove it, or set RECOUP_HOME to a folder of your own")
    if found.st_uid != uid:
        os.chown(folder, uid, gid)
    folder.chmod(0o700)


def replace_text(path: Path, text: str) -> None:
    """Writes a small file so that a reader sees all of it or none."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def hold(path: Path, *, shared: bool = False, wait: bool = False) -> int | None:
    """Takes the lock and gives its file descriptor, which holds it until it is closed; None where another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(path: Path) -> bool:
    """Whether some living process has the lock."""
    descriptor = hold(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
