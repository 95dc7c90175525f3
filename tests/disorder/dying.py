"""A database whose process dies at a chosen transaction: before it, or just after its commit."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from memory.database import Database, Write


class Killed(BaseException):
    """The process is gone; nothing of it catches this."""


class DyingDatabase(Database):
    """``dies_in`` counts down with every transaction; at zero the process dies. None: it lives."""

    dies_in: int | None = None
    dies_after_commit: bool = False

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Write]:
        is_last = self._count()
        if is_last and not self.dies_after_commit:
            raise Killed
        async with super().write() as tx:
            yield tx
        if is_last:
            raise Killed

    def _count(self) -> bool:
        if self.dies_in is None:
            return False
        self.dies_in -= 1
        if self.dies_in > 0:
            return False
        self.dies_in = None
        return True
