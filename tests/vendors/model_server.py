"""An OpenAI-compatible chat server on loopback that answers by a script, in every way that the wire can go wrong, and keeps what it was
sent: the wire tap. The script is asked for each request and gives one reply; requests are answered in threads, as many at once as come."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/v1/chat/completions"
PIECE_CHARS = 40


@dataclass(frozen=True)
class Call:
    """A tool that the model calls: ``args`` is the JSON text as it goes over the wire, well formed or not."""

    name: str
    args: str


@dataclass(frozen=True)
class Says:
    """A completion. ``after_seconds``: how long it thinks. ``usage`` None: the server does not tell it. ``choices`` False leaves them out.
    ``ends`` False: the stream breaks off without a finish reason; ``resets`` then by a reset, otherwise by a clean end."""

    calls: tuple[Call, ...] = ()
    content: str = ""
    refusal: str | None = None
    finish_reason: str = "stop"
    usage: tuple[int, int] | None = (100, 20)
    after_seconds: float = 0.0
    choices: bool = True
    ends: bool = True
    resets: bool = False


@dataclass(frozen=True)
class Status:
    """An error of HTTP."""

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: dict[str, Any] = field(default_factory=lambda: {"error": {"message": "no", "type": "server_error", "code": None}})


@dataclass(frozen=True)
class Reset:
    """The connection is reset before a byte of the answer."""


@dataclass(frozen=True)
class Raw:
    """These bytes as the body of a 200, whatever was asked for."""

    body: bytes
    content_type: str = "text/event-stream"


Reply = Says | Status | Reset | Raw


@dataclass(frozen=True)
class Asked:
    """One request as it came. ``number`` counts from 0."""

    number: int
    body: dict[str, Any]
    raw: bytes
    headers: dict[str, str]

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body["model"])

    @property
    def texts(self) -> tuple[str, ...]:
        """The contents of all messages, oldest first."""
        return tuple(str(message.get("content") or "") for message in self.body["messages"])

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that it may call."""
        return tuple(tool["function"]["name"] for tool in self.body.get("tools", []))


Script = Callable[[Asked], Reply]


def answers(value: object, *, usage: tuple[int, int] | None = (100, 20), after_seconds: float = 0.0) -> Says:
    """A completion that gives the answer, as the port asks for it."""
    args = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Says(calls=(Call("answer", args),), finish_reason="tool_calls", usage=usage, after_seconds=after_seconds)


def one_by_one(*replies: Reply) -> Script:
    """The replies in turn; the last one again and again."""
    return lambda asked: replies[min(asked.number, len(replies) - 1)]


class ModelServer:
    """The double at work. ``asked`` is everything it was sent, ``came`` is set by the first of it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.came = threading.Event()
        self._http = _Http(("127.0.0.1", 0), type("_Bound", (_Handler,), {"double": self}))

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Generator["ModelServer"]:
        """Serves while the block lasts."""
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    @contextmanager
    def taking(self, raw: bytes, headers: dict[str, str]) -> Generator[Reply]:
        """Notes the request and gives the script's reply."""
        with self._lock:
            asked = Asked(number=len(self.asked), body=json.loads(raw), raw=raw, headers=headers)
            self.asked.append(asked)
            self.came.set()
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield self.script(asked)
        finally:
            with self._lock:
                self._at_once -= 1


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class _Handler(BaseHTTPRequestHandler):
    double: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != PATH:
            self._status(Status(404))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.double.taking(raw, headers) as reply:
            try:
                self._reply(reply, json.loads(raw))
            except (BrokenPipeError, ConnectionResetError):
                # Whoever asked has gone: a time limit of theirs, or enough of an endless answer.
                self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return

    def _reply(self, reply: Reply, body: dict[str, Any]) -> None:
        match reply:
            case Status():
                self._status(reply)
            case Reset():
                self._reset()
            case Raw():
                self._whole(reply.body, reply.content_type)
            case Says():
                self.double.stopping.wait(reply.after_seconds)
                if body.get("stream"):
                    self._stream(reply, body)
                else:
                    self._whole(json.dumps(_completion(reply, body)).encode(), "application/json")

    def _status(self, reply: Status) -> None:
        self._whole(json.dumps(reply.body).encode(), "application/json", reply.status, reply.headers)

    def _whole(self, body: bytes, content_type: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, reply: Says, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in _chunks(reply, body):
            self._piece(f"data: {json.dumps(chunk)}\n\n".encode())
        if reply.ends:
            self._piece(b"data: [DONE]\n\n")
        if reply.resets:
            self._reset()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _piece(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _reset(self) -> None:
        self.close_connection = True
        # A linger of zero has the kernel send RST and no FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _completion(reply: Says, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.content or None, "refusal": reply.refusal}
    if reply.calls:
        message["tool_calls"] = [_call(n, call) for n, call in enumerate(reply.calls)]
    choices = [{"index": 0, "message": message, "finish_reason": reply.finish_reason}] if reply.choices else []
    return _frame(body, "chat.completion") | {"choices": choices, "usage": _usage(reply)}


def _chunks(reply: Says, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    frame = _frame(body, "chat.completion.chunk")
    if reply.choices:
        for delta in _deltas(reply):
            yield frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        if reply.ends:
            yield frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish_reason}]}
    # As OpenAI does: only whoever asks for it is told the usage, in a last chunk without choices.
    if reply.ends and reply.usage and body.get("stream_options", {}).get("include_usage"):
        yield frame | {"choices": [], "usage": _usage(reply)}


def _deltas(reply: Says) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for piece in _pieces(reply.content):
        yield {"content": piece}
    if reply.refusal is not None:
        yield {"refusal": reply.refusal}
    for index, call in enumerate(reply.calls):
        whole = _call(index, call)
        yield {"tool_calls": [{"index": index, **whole, "function": {"name": call.name, "arguments": ""}}]}
        for piece in _pieces(call.args):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _pieces(text: str) -> Iterator[str]:
    for at in range(0, len(text), PIECE_CHARS):
        yield text[at : at + PIECE_CHARS]


def _call(index: int, call: Call) -> dict[str, Any]:
    return {"id": f"call_{index}", "type": "function", "function": {"name": call.name, "arguments": call.args}}


def _usage(reply: Says) -> dict[str, int] | None:
    if reply.usage is None:
        return None
    sent, said = reply.usage
    return {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said}


def _frame(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}
