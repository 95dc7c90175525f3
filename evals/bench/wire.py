"""Counts the statements that a process sends to PostgreSQL by standing in between: nothing that it does can go uncounted."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

PORT = 5432  # only a part of the socket's name
CHUNK_BYTES = 65_536
HEADER_BYTES = 5


class Wire:
    """A socket in ``folder`` that passes everything on to the server of ``url`` and notes each execution's text in ``statements``."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        self._host, self._port = parts.pop("host"), int(parts.pop("port", str(PORT)))
        user, name = parts.pop("user"), parts.pop("dbname")
        password = parts.pop("password", None)
        login = quote(user) + (f":{quote(password, safe='')}" if password else "")
        self.socket = folder / f".s.PGSQL.{PORT}"
        self.url = f"postgresql://{login}@/{quote(name)}?{urlencode({'host': str(folder), 'port': PORT})}"
        self.statements: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        if self._host.startswith("/"):
            theirs, ours = await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        else:
            theirs, ours = await asyncio.open_connection(self._host, self._port)
        ways = {asyncio.create_task(_copy(theirs, writer)), asyncio.create_task(self._forward(reader, ours))}
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, ours):
            end.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = Conversation(self.statements)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            length = await reader.readexactly(4)  # the first message has no type
            writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
            while True:
                head = await reader.readexactly(HEADER_BYTES)
                body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
                told.hear(chr(head[0]), body)
                writer.write(head + body)


class Conversation:
    """Which text an execution runs: it names a portal, which was bound to a statement, which was parsed from a text."""

    def __init__(self, statements: Counter[str]) -> None:
        self._statements = statements
        self._texts: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def hear(self, kind: str, body: bytes) -> None:
        """One message of the client."""
        first, _, rest = body.partition(b"\0")
        second = rest.partition(b"\0")[0]
        if kind == "Q":
            self._statements[first.decode()] += 1
        elif kind == "P":
            self._texts[first] = second.decode()
        elif kind == "B":
            self._portals[first] = self._texts[second]
        elif kind == "E":
            self._statements[self._portals[first]] += 1


@asynccontextmanager
async def wire(url: str, folder: Path) -> AsyncGenerator[Wire]:
    """The counter while the block lasts; connect to its ``url``."""
    between = Wire(url, folder)
    listener = await asyncio.start_unix_server(between.serve, between.socket)
    try:
        yield between
    finally:
        listener.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
