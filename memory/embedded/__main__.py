"""The supervisor: ``python -m memory.embedded HOME LOCK``. Keeps one PostgreSQL running until its last client has gone.

Started by a client (lease.py), which hands down the locked supervisor lock as an open file. It is nobody's child.
"""

import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from memory.embedded.files import Files, files_of, hold
from memory.embedded.server import Server, reap
from recoup.errors import RecoupError

TICK_SECONDS = 0.1
CHECK_SECONDS = 2.0
LINGER_SECONDS = 2.0
STRIKES = 5
STARTS_IN_A_ROW = 5

log = logging.getLogger("recoup.embedded")


class Supervisor:
    """The loop: start what is not there, replace what does not answer, leave when nobody is left."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.server = Server(files)
        self.is_told_to_stop = False
        self.is_prepared = False
        self.strikes = 0
        self.starts = 0
        self.next_check = 0.0
        self.alone_since: float | None = None

    def run(self) -> None:
        """Until it is told to stop or no client is left."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.tell_to_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        last_lock: int | None = None
        while not self.is_told_to_stop and last_lock is None:
            reap()
            self.tend()
            last_lock = self.lock_when_alone()
            time.sleep(TICK_SECONDS)
        # Clients that come now wait for the clients' lock, which we hold until we are gone: they start anew after us.
        self.server.stop()
        log.info("stopped")

    def tell_to_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        """Asked by a signal."""
        self.is_told_to_stop = True

    def tend(self) -> None:
        """Looks after the server once."""
        if not self.server.lives:
            self.starts += 1
            if self.starts > STARTS_IN_A_ROW:
                raise RecoupError(f"PostgreSQL ended {STARTS_IN_A_ROW} times right after its start; see above")
            log.info("starting")
            self.server.start()
            self.next_check = 0.0
        elif not self.is_prepared:
            self.is_prepared = self.server.prepare()
        elif time.monotonic() >= self.next_check:
            self.check()

    def check(self) -> None:
        """Alive means that it answers; one that stays silent is ended and started again by the next ``tend``."""
        self.next_check = time.monotonic() + CHECK_SECONDS
        if self.server.answers():
            self.strikes = self.starts = 0
            return
        self.strikes += 1
        if self.strikes >= STRIKES:
            log.warning("no answer: ending the server")
            self.strikes = 0
            self.server.kill()

    def lock_when_alone(self) -> int | None:
        """The clients' lock, kept, once there has been no client for a while; commands that follow one another find the server warm."""
        lock = hold(self.files.clients_lock)
        if lock is None:
            self.alone_since = None
            return None
        self.alone_since = self.alone_since or time.monotonic()
        if time.monotonic() - self.alone_since >= LINGER_SECONDS:
            return lock
        os.close(lock)
        return None


def main() -> int:
    """Leaves the starter's process tree, then supervises."""
    home, lock = Path(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(lock, False)
    if os.fork():
        os._exit(0)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(process)d: %(message)s")
    try:
        Supervisor(files_of(home)).run()
    except RecoupError as exc:
        log.error("%s", exc)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
