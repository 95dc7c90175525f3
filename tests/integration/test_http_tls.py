"""The guarded transport over TLS: it connects to an address, and still asks for and checks the name."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from recoup.errors import BillingUnavailable
from tests.factories import make_connection
from tools.http import GuardedTransport
from tools.http_errors import Call, failure

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl, which is not here")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, for one name, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    wanted = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2"]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", "-x509", *made, *wanted], check=True, capture_output=True)
    return certificate, key


@asynccontextmanager
async def serving(certificate: Path, key: Path) -> AsyncGenerator[tuple[int, list[str | None]]]:
    """A port that answers every request, and the names that callers asked for."""
    asked: list[str | None] = []

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = note
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


async def loopback(_host: str, _port: int) -> tuple[str, ...]:
    return ("127.0.0.1",)


async def get(certificate: Path, port: int) -> httpx.Response:
    """One request to ``localhost`` by a client that trusts this certificate alone."""
    address = f"https://localhost:{port}"
    inner = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=str(certificate)), trust_env=False)
    guarded = GuardedTransport(make_connection(api_base=address), inner=inner, resolver=loopback)
    async with httpx.AsyncClient(base_url=address, transport=guarded) as client:
        return await client.post("/v1/effects")


async def test_the_name_is_asked_for_and_checked_at_the_pinned_address(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "localhost")
    async with serving(certificate, key) as (port, asked):
        assert (await get(certificate, port)).is_success
    assert asked == ["localhost"]


async def test_a_certificate_for_another_name_ends_the_call_before_anything_is_sent(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "127.0.0.1.example")
    async with serving(certificate, key) as (port, _):
        with pytest.raises(httpx.ConnectError) as caught:
            await get(certificate, port)
    assert isinstance(failure(Call(connection="sandbox", what="act_1", is_effect=True), caught.value), BillingUnavailable)
