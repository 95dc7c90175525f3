"""The suites as LangSmith's experiments, against a double of its API on the loopback; without a key nothing is sent anywhere."""

import asyncio
import json
import threading
import uuid
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from langsmith import Client

from evals.dataset import shipped_dataset
from evals.langsmith_run import evaluate_with_langsmith
from evals.run import run_suite
from evals.subject import Subject
from evals.suites import personal_data
from recoup.errors import Misconfigured

THEN = "2026-12-01T00:00:00+00:00"


class Service:
    """What LangSmith was told: its datasets, their examples, and the feedback on runs."""

    def __init__(self) -> None:
        self.datasets: list[dict[str, Any]] = []
        self.examples: list[dict[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.experiments: list[str] = []

    def answer(self, method: str, path: str, body: Any) -> Any:
        """As far as an experiment asks."""
        if path == "/datasets" and method == "POST":
            self.datasets.append(body | {"id": str(uuid.uuid4()), "created_at": THEN, "data_type": "kv"})
            return self.datasets[-1]
        if path == "/datasets":
            return self.datasets
        if path.startswith("/datasets/") and method == "GET":
            return self.datasets[-1]
        if path == "/examples/bulk":
            self.examples += [one | {"id": str(uuid.uuid4()), "created_at": THEN} for one in body]
            return self.examples
        if path == "/examples":
            return self.examples
        if path == "/sessions" and method == "POST":
            self.experiments.append(body["name"])
        if path == "/feedback":
            self.feedback.append(body)
        if path.startswith("/sessions"):
            return {"id": str(uuid.uuid4()), "name": "n", "start_time": THEN, "tenant_id": str(uuid.uuid4()), "reference_dataset_id": None}
        return {"id": str(uuid.uuid4())}


@pytest.fixture
def service() -> Generator[tuple[Service, Client]]:
    kept = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._tell("GET")

        def do_POST(self) -> None:
            self._tell("POST")

        def do_PATCH(self) -> None:
            self._tell("PATCH")

        def _tell(self, method: str) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            body: Any = json.loads(raw) if raw[:1] in {b"{", b"["} else {}
            answer = json.dumps(kept.answer(method, urlsplit(self.path).path, body)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept, Client(api_url=f"http://127.0.0.1:{server.server_port}", api_key="none", auto_batch_tracing=False)
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_suite_is_an_experiment_with_our_scores(service: tuple[Service, Client]) -> None:
    kept, client = service
    suite, dataset = personal_data.SUITE, shipped_dataset("personal_data")
    few = dataset.model_copy(update={"samples": dataset.samples[::20]})

    await evaluate_with_langsmith(suite, few, Subject(), client)

    assert len(kept.examples) == len(few.samples)
    assert kept.experiments[0].startswith("personal_data-rules")
    ours = [score for entry in (await run_suite(suite, few, Subject())).entries for score in entry.scores.values()]
    # Its client sends feedback from threads of its own.
    async with asyncio.timeout(10):
        while len(kept.feedback) < len(ours):  # noqa: ASYNC110 - the client offers no event
            await asyncio.sleep(0.01)
    theirs = [told.get("score") for told in kept.feedback]
    assert {told["key"] for told in kept.feedback} == {"hides_personal_data", "keeps_look_alikes"}
    assert sorted(map(str, theirs)) == sorted(map(str, ours))


async def test_without_a_key_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGSMITH_API_KEY", raising=False)
    with pytest.raises(Misconfigured, match="LANGSMITH_API_KEY is not set"):
        await evaluate_with_langsmith(personal_data.SUITE, shipped_dataset("personal_data"), Subject())
