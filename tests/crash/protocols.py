"""Cuts what a client says into whole messages, so that a process can be killed between one message and the next.

Only the client's side is read: PostgreSQL's frontend protocol, HTTP/1.1 and SMTP, each as far as our own programs speak it.
"""

import asyncio
import re
import struct
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

END_OF_BATCH = frozenset(b"SQHXpfcd")
CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
SEPARATOR = "\n;\n"


@dataclass(frozen=True)
class Saying:
    """One message: what goes over the wire, what it says, and what was said before it in the same transaction."""

    raw: bytes
    text: str
    before: str = ""


Protocol = Callable[[asyncio.StreamReader], AsyncGenerator[Saying]]


async def postgres(reader: asyncio.StreamReader) -> AsyncGenerator[Saying]:
    """Everything up to a Sync is one saying: the statements that it executes, also those that were prepared earlier."""
    [length] = struct.unpack("!i", startup := await reader.readexactly(4))
    yield Saying(startup + await reader.readexactly(length - 4), "")
    prepared: dict[bytes, str] = {}
    batch, executed, transaction = b"", list[str](), list[str]()
    while True:
        header = await reader.readexactly(5)
        body = await reader.readexactly(struct.unpack("!i", header[1:])[0] - 4)
        batch += header + body
        match header[:1]:
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                prepared[name] = text.decode()
            case b"B":
                executed.append(prepared.get(body.split(b"\0", 2)[1], ""))
            case b"Q":
                executed.append(body.rstrip(b"\0").decode())
            case _:
                pass
        if header[0] not in END_OF_BATCH:
            continue
        yield Saying(batch, SEPARATOR.join(executed), SEPARATOR.join(transaction))
        for statement in executed:
            if statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
                transaction = [statement] if statement.startswith("BEGIN") else []
            elif transaction:
                transaction.append(statement)
        batch, executed = b"", []


async def http(reader: asyncio.StreamReader) -> AsyncGenerator[Saying]:
    """A request with its body."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        declared = CONTENT_LENGTH.search(head)
        raw = head + await reader.readexactly(int(declared[1]) if declared else 0)
        yield Saying(raw, raw.decode(errors="replace"))


async def smtp(reader: asyncio.StreamReader) -> AsyncGenerator[Saying]:
    """A command, or the whole text of a message."""
    while True:
        line = await reader.readuntil(b"\r\n")
        yield Saying(line, line.decode(errors="replace").strip())
        if line.upper() == b"DATA\r\n":
            text = await reader.readuntil(b"\r\n.\r\n")
            yield Saying(text, "TEXT\n" + text.decode(errors="replace"))
