"""Stands between Recoup and a model on the loopback: records what a live one answers, or gives recorded answers where there is none.

Whoever asks knows nothing of it but a base URL, so what is evaluated is the very code that runs in production.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evals.recordings import Exchange, Recording, RecordingWriter, personal_data_in
from evals.sample import Sample
from evals.solver import Answer, NotRun, Solver, Usage
from recoup.errors import Defect

NO_RECORDING = "what it asks is not in the recording"
MOST_SECONDS = 120.0
PASSED_ON = ("authorization", "content-type", "accept", "openai-organization", "openai-project")


@dataclass
class Tap:
    """What went over the wire, in its order. ``misses``: questions that the recording has no answer to. ``leaks``: what of a person
    was in a question."""

    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    misses: int = 0
    leaks: list[str] = field(default_factory=list[str])

    def note(self, exchange: Exchange) -> None:
        """One more."""
        self.exchanges.append(exchange)
        leak = personal_data_in(exchange)
        if leak:
            self.leaks.append(f"{leak} in call {len(self.exchanges)}")


def replaying(recording: Recording, tap: Tap) -> Starlette:
    """Answers from the recording; 404 and a miss for what is not in it."""

    async def answer(request: Request) -> Response:
        asked = await _asked(request)
        exchange = recording.answer_to(request.url.path, asked)
        if exchange is None:
            tap.misses += 1
            return JSONResponse({"error": {"message": NO_RECORDING, "type": "not_recorded", "code": "not_recorded"}}, 404)
        tap.note(exchange)
        return Response(exchange.body, media_type=exchange.content_type)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


def listening_to(upstream: str, tap: Tap, writer: RecordingWriter | None = None) -> Starlette:
    """Passes on to the live model at ``upstream``; ``writer`` keeps what it answered. Keys pass through and are kept nowhere."""
    client = httpx.AsyncClient(base_url=upstream.removesuffix("/v1"), timeout=MOST_SECONDS)

    async def pass_on(request: Request) -> Response:
        asked = await _asked(request)
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        told = await client.post(request.url.path, content=json.dumps(asked), headers=headers)
        content_type = told.headers.get("content-type", "application/json")
        if told.is_success:
            # What failed is asked again by whoever asked; only answers are worth keeping.
            exchange = Exchange(path=request.url.path, request=asked, content_type=content_type, body=told.text)
            if writer:
                writer.add(exchange)
            tap.note(exchange)
        return Response(told.content, told.status_code, media_type=content_type)

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncGenerator[None]:
        async with client:
            yield

    return Starlette(routes=[Route("/{path:path}", pass_on, methods=["POST"])], lifespan=closing)


def watched(solver: Solver, tap: Tap) -> Solver:
    """The solver with what each sample cost, and without answers that rest on a question nobody recorded. One sample at a time."""

    async def solve(sample: Sample, /) -> Answer | NotRun:
        calls, misses = len(tap.exchanges), tap.misses
        answer = await solver(sample)
        if tap.misses > misses:
            return NotRun(why=NO_RECORDING)
        if isinstance(answer, NotRun):
            return answer
        usages = [exchange.usage for exchange in tap.exchanges[calls:]]
        total = Usage(
            calls=len(usages),
            input_tokens=sum(usage.input_tokens for usage in usages),
            output_tokens=sum(usage.output_tokens for usage in usages),
        )
        return answer.model_copy(update={"usage": total})

    return solve


@asynccontextmanager
async def served(app: Starlette) -> AsyncGenerator[str]:
    """The base URL, as OPENAI_BASE_URL takes it, of the app on a free port of the loopback."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", access_log=False))
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if running.done():
                raise Defect("the recorder could not be started")
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        await running


async def _asked(request: Request) -> dict[str, Any]:
    return dict(await request.json())
