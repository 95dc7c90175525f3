"""Puts a double on a loopback socket. Written on the socket itself, because a web framework does not let one break a connection."""

import asyncio
import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager

import h11

from tests.vendors.chassis import Answer, Request, Site
from tests.vendors.chassis_trouble import Misbehaviour, Trouble

CHUNK_BYTES = 65_536
LONGEST_HOLD_SECONDS = 60.0
# Who waits on a busy machine is not turned away.
MOST_WAITING = 1024
PAGE = b"<html><body><h1>Please wait</h1></body></html>"


@contextmanager
def serving(site: Site) -> Generator[str]:
    """Serves the site in a thread with an event loop of its own; at the end all connections are cut."""
    wire = Wire(site)
    thread = threading.Thread(target=wire.run, daemon=True)
    thread.start()
    wire.ready.wait()
    try:
        yield f"http://127.0.0.1:{wire.port}"
    finally:
        wire.stop()
        thread.join()


class Wire:
    """One listening socket and its connections."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self.ready = threading.Event()
        self.port = 0

    def run(self) -> None:
        """Serves until ``stop``."""
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    def stop(self) -> None:
        """Ends ``run``; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=MOST_WAITING)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self._stopped.wait()
        server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await Connection(self._site, reader, writer).run()
        except (ConnectionError, asyncio.CancelledError, h11.RemoteProtocolError):
            pass  # the caller went away, or the test is over: there is nobody to tell
        finally:
            self._connections.discard(task)
            writer.transport.abort()


class Connection:
    """One connection, with as many requests as the caller sends on it."""

    def __init__(self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._site, self._reader, self._writer = site, reader, writer
        self._http = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        """Answers until either side has enough."""
        while (request := await self._read()) is not None:
            with self._site.lock:
                order = self._site.misbehaviours.take(request.method, request.path)
            with self._site.in_flight(request) as marked:
                if not await self._exchange(marked, order):
                    return
            if self._http.our_state is h11.MUST_CLOSE or self._http.their_state is h11.MUST_CLOSE:
                return
            self._http.start_next_cycle()

    async def _exchange(self, request: Request, order: Misbehaviour | None) -> bool:
        """One request and its answer; False if the connection was broken on purpose."""
        trouble = order.trouble if order else None
        seconds = order.seconds if order else 0.0
        if trouble is Trouble.RESET_BEFORE:
            self._site.record(request, None, order, delivered=False)
            return self._reset()
        if trouble is Trouble.HELD:
            await _hold(seconds, order.until if order else None)
        try:
            answer = self._site.handle(request, order)
        except Exception as defect:  # noqa: BLE001 - raised by ``serve`` in the test's own thread
            self._site.defects.append(defect)
            return self._reset()
        # Logged before the bytes leave, so that whoever has the answer finds it in the log.
        self._site.record(request, answer, order, delivered=trouble is not Trouble.RESET_AFTER)
        if trouble is Trouble.RESET_AFTER:
            return self._reset()
        if trouble is Trouble.WRONG_CONTENT_TYPE:
            await self._send(answer.status, PAGE, {"content-type": "text/html"}, 0.0)
        else:
            await self._answer(answer, seconds if trouble is Trouble.SLOW_BODY else 0.0)
        return True

    async def _answer(self, answer: Answer, wait_seconds: float) -> None:
        body = answer.encoded()
        headers = {"content-type": "application/json; charset=utf-8"} if body else {}
        await self._send(answer.status, body, headers | {name.lower(): value for name, value in answer.headers.items()}, wait_seconds)

    async def _send(self, status: int, body: bytes, headers: dict[str, str], wait_seconds: float) -> None:
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        if status != 204:
            lines.append((b"content-length", str(len(body)).encode()))
        self._write(h11.Response(status_code=status, headers=lines))
        await self._writer.drain()
        if wait_seconds:
            await asyncio.sleep(wait_seconds)
        if body:
            self._write(h11.Data(data=body))
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)

    def _reset(self) -> bool:
        """Breaks the connection so that the caller sees a reset and not an end."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        return False

    async def _read(self) -> Request | None:
        """The next request, complete; None when the caller has closed."""
        head: h11.Request | None = None
        body = b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(CHUNK_BYTES))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return _request(head, body)
            else:
                return None


async def _hold(seconds: float, until: threading.Event | None) -> None:
    if until is None:
        await asyncio.sleep(seconds)
    else:
        await asyncio.to_thread(until.wait, LONGEST_HOLD_SECONDS)


def _request(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode().partition("?")
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode(), path, query, headers, body)
