"""Between Recoup and a model over real HTTP: what a live one answered is given again, and what it was never asked is no answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from evals.recorder import NO_RECORDING, Tap, listening_to, replaying, served, watched
from evals.recordings import EXCHANGES, RecordingHeader, RecordingWriter, read_recording
from evals.recordings import HEADER as HEADER_FILE
from evals.sample import Sample, Split
from evals.solver import Answer, NotRun, Usage
from recoup.clock import wall_now
from recoup.errors import Malformed, NotFound

KEY = "sk-live-key-that-nobody-may-keep"
HEADER = RecordingHeader(model="openai:double", host="http://127.0.0.1", recorded_at=wall_now(), prompts="p")
SAMPLE = Sample(id="s1", split=Split.DEV, customer="c1", about="", input={"question": "How are you?"}, expected={})


class Double:
    """A model that counts how often it was asked; ``stream`` answers in events."""

    def __init__(self, *, stream: bool = False, status: int = 200) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._stream, self._status = stream, status

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("authorization"))
        if self._status != 200:
            return JSONResponse({"error": {"message": "slow down"}}, self._status)
        usage = {"prompt_tokens": 20, "completion_tokens": len(self.asked)}
        text = f"answer {len(self.asked)}"
        if not self._stream:
            return JSONResponse({"choices": [{"message": {"content": text}}], "usage": usage})
        events: list[Any] = [{"choices": [{"delta": {"content": text}}], "usage": None}, {"choices": [], "usage": usage}]
        return PlainTextResponse("".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n", media_type="text/event-stream")


def read_file(path: Path) -> str:
    return path.read_text(encoding="utf-8")


async def ask(base_url: str, question: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        body = {"model": "double", "messages": [{"role": "user", "content": question}]}
        return await client.post(f"{base_url}/chat/completions", json=body, headers={"Authorization": f"Bearer {KEY}"})


def asking(base_url: str, *questions: str) -> Callable[[Sample], Any]:
    async def solve(sample: Sample, /) -> Answer:
        told = [await ask(base_url, question) for question in questions]
        return Answer(value={"status": [one.status_code for one in told], "text": [one.text for one in told]})

    return solve


async def record(folder: Path, model: Double, *questions: str) -> Tap:
    tap = Tap()
    async with served(model.app()) as upstream, served(listening_to(upstream, tap, RecordingWriter(folder, HEADER))) as url:
        for question in questions:
            await ask(url, question)
    return tap


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_recorded_answer_is_given_again_with_its_cost(tmp_path: Path, stream: bool) -> None:
    model = Double(stream=stream)
    await record(tmp_path, model, "How are you?", "And now?")
    tap = Tap()
    async with served(replaying(read_recording(tmp_path), tap)) as url:
        answer = await watched(asking(url, "How are you?", "And now?"), tap)(SAMPLE)
    assert isinstance(answer, Answer)
    assert ["answer 1" in answer.value["text"][0], "answer 2" in answer.value["text"][1]] == [True, True]
    assert answer.usage == Usage(calls=2, input_tokens=40, output_tokens=3)
    assert len(model.asked) == 2


async def test_a_question_asked_twice_gets_its_answers_in_turn(tmp_path: Path) -> None:
    await record(tmp_path, Double(), "How are you?", "How are you?")
    async with served(replaying(read_recording(tmp_path), Tap())) as url:
        texts = [(await ask(url, "How are you?")).text for _ in range(3)]
    assert ["answer 1" in texts[0], "answer 2" in texts[1], "answer 2" in texts[2]] == [True, True, True]


async def test_what_was_never_asked_is_not_run_however_the_agent_copes(tmp_path: Path) -> None:
    await record(tmp_path, Double(), "How are you?")
    tap = Tap()
    async with served(replaying(read_recording(tmp_path), tap)) as url:
        answer = await watched(asking(url, "Something new?"), tap)(SAMPLE)
    assert answer == NotRun(why=NO_RECORDING)


async def test_the_key_reaches_the_model_and_is_kept_nowhere(tmp_path: Path) -> None:
    model = Double()
    await record(tmp_path, model, "How are you?")
    assert model.keys == [f"Bearer {KEY}"]
    kept = [read_file(path) for path in (tmp_path / HEADER_FILE, tmp_path / EXCHANGES)]
    assert [text for text in kept if KEY in text] == []
    assert all(kept)


async def test_a_failure_of_the_model_is_passed_on_and_not_kept(tmp_path: Path) -> None:
    tap = Tap()
    model = Double(status=429).app()
    async with served(model) as upstream, served(listening_to(upstream, tap, RecordingWriter(tmp_path, HEADER))) as url:
        assert (await ask(url, "How are you?")).status_code == 429
    assert read_file(tmp_path / EXCHANGES) == ""
    assert tap.exchanges == []


@pytest.mark.parametrize(("question", "leak"), [("charge 4242 4242 4242 4242", "a card number"), ("write to ada@example.com", "an e-mail")])
async def test_personal_data_on_the_wire_is_told(tmp_path: Path, question: str, leak: str) -> None:
    tap = await record(tmp_path, Double(), "How are you?", question)
    assert len(tap.leaks) == 1
    assert leak in tap.leaks[0]
    assert "call 2" in tap.leaks[0]


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="with a live model"):
        read_recording(tmp_path)
    (tmp_path / "recording.json").write_text("{}")
    with pytest.raises(Malformed):
        read_recording(tmp_path)
