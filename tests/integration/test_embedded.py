"""The embedded server survives whatever is killed, loses nothing that was committed, and goes with its last client."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from memory.embedded import EmbeddedUrls, running
from memory.embedded.files import files_of, is_held

PATIENCE_SECONDS = 60.0
CLIENT = """
import sys
from pathlib import Path
from memory.embedded import running
with running(Path(sys.argv[1])) as urls:
    print(urls.app, flush=True)
    sys.stdin.read()
"""


class Client:
    """Another process that uses the server until it is ended."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", CLIENT, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_up(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Generator[Path]:
    yield tmp_path
    files = files_of(tmp_path)
    eventually(lambda: not is_held(files.supervisor_lock) and not is_held(files.server_lock))


@pytest.fixture
def start(home: Path) -> Generator[Callable[[], Client]]:
    with ExitStack() as stack:

        def one() -> Client:
            client = Client(home)
            stack.callback(client.kill)
            return client

        yield one


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def supervisor_of(home: Path) -> int | None:
    """The supervisor's process id, while one lives."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:4] == [b"-m", b"memory.embedded", str(home).encode()]:
            return int(entry.name)
    return None


def postmaster_of(home: Path) -> int:
    return int((files_of(home).data / "postmaster.pid").read_text(encoding="utf-8").split()[0])


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def remember(urls: EmbeddedUrls, what: str) -> None:
    with psycopg.connect(urls.owner) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory_test (what text)")
        connection.execute("INSERT INTO memory_test VALUES (%s)", (what,))


def remembered(urls: EmbeddedUrls) -> list[str]:
    with psycopg.connect(urls.owner) as connection:
        return [row[0] for row in connection.execute("SELECT what FROM memory_test ORDER BY what").fetchall()]


def works(urls: EmbeddedUrls) -> bool:
    try:
        return bool(remembered(urls))
    except psycopg.OperationalError:
        return False


def test_three_first_starts_at_once_make_one_migrated_server(home: Path, start: Callable[[], Client]) -> None:
    clients = [start() for _ in range(3)]
    urls = {client.wait_until_up() for client in clients}
    assert len(urls) == 1
    with psycopg.connect(urls.pop()) as connection:
        assert connection.execute("SELECT count(*) FROM policies").fetchone() == (1,)


def test_it_stops_when_its_last_client_is_killed_and_the_next_command_finds_the_rows(home: Path, start: Callable[[], Client]) -> None:
    client = start()
    client.wait_until_up()
    with running(home) as urls:
        remember(urls, "one")
    assert is_held(files_of(home).server_lock)
    client.kill()
    eventually(lambda: not is_held(files_of(home).server_lock) and supervisor_of(home) is None)
    with running(home) as urls:
        assert remembered(urls) == ["one"]


def test_a_killed_supervisor_is_replaced_and_the_server_is_adopted_in_use(home: Path) -> None:
    with running(home) as urls, psycopg.connect(urls.owner) as in_use:
        remember(urls, "one")
        before, killed = postmaster_of(home), supervisor_of(home)
        kill(killed)
        eventually(lambda: supervisor_of(home) not in {None, killed})
        assert in_use.execute("SELECT what FROM memory_test").fetchall() == [("one",)]
        assert postmaster_of(home) == before


def test_a_killed_server_comes_back_for_its_client(home: Path) -> None:
    with running(home) as urls:
        remember(urls, "one")
        before = postmaster_of(home)
        kill(before)
        eventually(lambda: works(urls))
        assert remembered(urls) == ["one"]
        assert postmaster_of(home) != before


def test_server_and_supervisor_killed_together_come_back_for_their_client(home: Path) -> None:
    with running(home) as urls:
        remember(urls, "one")
        kill(supervisor_of(home))
        kill(postmaster_of(home))
        eventually(lambda: works(urls))
        assert remembered(urls) == ["one"]


def test_a_supervisor_killed_while_it_starts_is_started_again(home: Path) -> None:
    with running(home) as urls:
        remember(urls, "one")
        killed = supervisor_of(home)
        kill(killed)
        eventually(lambda: supervisor_of(home) not in {None, killed})
        kill(supervisor_of(home))  # on its way still: it has not left its starter's hands
        kill(postmaster_of(home))
        eventually(lambda: works(urls))


def test_everything_killed_at_once_loses_nothing(home: Path, start: Callable[[], Client]) -> None:
    for n in range(3):
        client = start()
        client.wait_until_up()
        remember(files_of(home).urls(), str(n))
        kill(supervisor_of(home))
        kill(postmaster_of(home))
        client.kill()
    with running(home) as urls:
        assert remembered(urls) == ["0", "1", "2"]


def test_a_supervisor_that_died_alone_leaves_nothing_behind_after_the_next_command(home: Path, start: Callable[[], Client]) -> None:
    client = start()
    client.wait_until_up()
    kill(supervisor_of(home))
    client.kill()
    with running(home) as urls:
        remember(urls, "one")
    eventually(lambda: not is_held(files_of(home).server_lock))


def test_a_stale_pid_file_that_names_a_stranger_does_not_matter(home: Path) -> None:
    with running(home) as urls:
        remember(urls, "one")
    eventually(lambda: not is_held(files_of(home).server_lock))
    (files_of(home).data / "postmaster.pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
    with running(home) as urls:
        assert remembered(urls) == ["one"]


def test_only_we_can_enter_and_the_application_has_no_superuser_rights(home: Path) -> None:
    with running(home) as urls:
        files = files_of(home)
        for folder in (files.folder, files.data, files.sockets):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with psycopg.connect(urls.app) as connection:
            assert connection.execute("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname LIKE 'recoup%'").fetchall() == []
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DELETE FROM audit_log")
