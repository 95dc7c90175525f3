"""A loopback proxy in front of one server for one caller: it passes everything on, until a point of the storm is reached."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol as Interface

from tests.crash.points import Point, When
from tests.crash.protocols import Protocol, Saying

BYTES_AT_ONCE = 256 * 1024
# A saying is held in memory as a whole; checkpoints are the largest.
LONGEST_SAYING_BYTES = 16 * 1024 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Striker(Interface):
    """Who decides that a point is reached, and kills."""

    def reached(self, wire: str, caller: str, saying: Saying) -> Point | None:
        """The point that was waited for, if this is one; it is reached once."""
        ...

    async def strike(self, point: Point, caller: str, saying: Saying) -> None:
        """Does to the victim what the point asks for."""
        ...

    def missed(self, point: Point) -> None:
        """The conversation broke off before the point's moment came."""
        ...


@dataclass
class Wire:
    """``name``: what it leads to; ``caller``: who speaks on it. ``on_answer`` hears each first piece of an answer with its question."""

    name: str
    caller: str
    protocol: Protocol
    connect: Callable[[], Awaitable[Streams]]
    striker: Striker
    on_answer: Callable[[Saying, bytes], None] = lambda _saying, _answer: None
    port: int = 0
    _talks: set["_Conversation"] = field(default_factory=set["_Conversation"])

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Wire"]:
        """Listens while the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LONGEST_SAYING_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for conversation in list(self._talks):
                conversation.break_off()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self.connect()
        except OSError:
            writer.transport.abort()
            return
        conversation = _Conversation(self, (reader, writer), (far_reader, far_writer))
        self._talks.add(conversation)
        try:
            await conversation.hold()
        finally:
            self._talks.discard(conversation)


class _Conversation:
    """One connection, both ways; when either way ends, both do."""

    def __init__(self, wire: Wire, near: Streams, far: Streams) -> None:
        self._wire = wire
        self._near_reader, self._near_writer = near
        self._far_reader, self._far_writer = far
        self._reached: Point | None = None
        self._held: tuple[Point, Saying] | None = None
        self._unanswered: Saying | None = None

    async def hold(self) -> None:
        ways = [asyncio.create_task(self._there()), asyncio.create_task(self._back())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            outcomes = await asyncio.gather(*ways, return_exceptions=True)
            self.break_off()
            if self._reached is not None:
                self._wire.striker.missed(self._reached)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError | asyncio.IncompleteReadError):
                raise outcome

    def break_off(self) -> None:
        """Ends both ways at once, as a process that died would; nothing more is sent."""
        self._near_writer.transport.abort()
        self._far_writer.transport.abort()

    async def _there(self) -> None:
        async for saying in self._wire.protocol(self._near_reader):
            point = self._reached = self._reached or self._wire.striker.reached(self._wire.name, self._wire.caller, saying)
            if point is not None and point.when is When.NOT_PASSED:
                await self._strike(point, saying)
                return
            if point is not None and point.when is When.ANSWERED:
                self._held = (point, saying)
            self._unanswered = saying
            self._far_writer.write(saying.raw)
            await self._far_writer.drain()
            if point is not None and point.when is When.PASSED:
                await self._strike(point, saying)
                return

    async def _back(self) -> None:
        while data := await self._far_reader.read(BYTES_AT_ONCE):
            if self._held is not None:
                await self._strike(*self._held)
                return
            if self._unanswered is not None:
                self._wire.on_answer(self._unanswered, data)
                self._unanswered = None
            self._near_writer.write(data)
            with suppress(ConnectionError):
                await self._near_writer.drain()

    async def _strike(self, point: Point, saying: Saying) -> None:
        self._reached = None
        await self._wire.striker.strike(point, self._wire.caller, saying)
