"""What LangSmith is told where its key is set, read from the wire: listed fields and nothing else; without a key nothing is sent."""

import json
import threading
from collections.abc import Generator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from api.jobs import decide
from graph.tracing import LangSmithTracer, NoTracer, TracedDecision, TracedTurn, open_tracer
from memory.database import Database
from tests.deciding import decisions_of
from tests.fakes import make_services
from tests.model_script import ScriptedWire, says, scripted
from tests.scenes import open_case

LISTED = set(TracedDecision.model_fields) | set(TracedTurn.model_fields)
OF_THE_RUN = {"id", "name", "trace_id", "dotted_order", "session_name", "start_time", "end_time", "run_type"}
OF_THE_CLIENT = OF_THE_RUN | {"inputs", "outputs", "extra", "metadata", "parent_run_id"}
INGEST = {
    "use_multipart_endpoint": False,
    "scale_up_qsize_trigger": 1000,
    "scale_up_nthreads_limit": 1,
    "scale_down_nempty_trigger": 4,
    "size_limit": 100,
    "size_limit_bytes": 10_000_000,
}


class Collector:
    """LangSmith's door on loopback: keeps every body that it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(json.dumps({"version": "0.9.0", "batch_ingest_config": INGEST}).encode())

            def do_POST(self) -> None:
                collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self._answer(b"{}")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def collector() -> Generator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    found.http.shutdown()
    thread.join()
    found.http.server_close()


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        return set(pairs) | {key for one in pairs.values() for key in keys_of(one)}
    return {key for one in cast("list[Any]", value) for key in keys_of(one)} if isinstance(value, list) else set()


async def test_a_decision_is_told_in_listed_fields_and_names_its_run(
    db: Database, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{collector.http.server_port}"
    # Were LangSmith's own tracer not off, it would send whole states.
    for name, value in (("LANGSMITH_TRACING", "true"), ("LANGSMITH_ENDPOINT", address), ("LANGSMITH_API_KEY", "ls-test")):
        monkeypatch.setenv(name, value)
    tracer = open_tracer()
    assert isinstance(tracer, LangSmithTracer)
    services = replace(make_services(db, model=scripted(ScriptedWire(lambda _: says("{}")))), tracer=tracer)
    case = await open_case(services)

    await decide.run(services, case.case.id)
    tracer.flush()

    [decision] = await decisions_of(db, case.case.id)
    posted = [run for body in collector.bodies for run in json.loads(body).get("post", [])]
    assert {run["name"] for run in posted} == {"decision", "communication"}
    [run] = [run for run in posted if run["name"] == "decision"]
    assert run["id"] == decision.trace_run_id == tracer.run_id(decision.id)
    assert run["outputs"]["route"] == "prioritize"
    assert keys_of(posted) - {"post", "patch"} <= LISTED | OF_THE_CLIENT
    sent = b"".join(collector.bodies).decode()
    for secret in (case.account.id, case.invoice.id, "cus_1", "in_1", "Ada", "customer.example", "4900", "49.00"):
        assert secret not in sent, secret


async def test_without_a_key_nobody_is_told(db: Database) -> None:
    assert isinstance(open_tracer({}), NoTracer)
    services = make_services(db)
    case = await open_case(services)
    await decide.run(services, case.case.id)
    [decision] = await decisions_of(db, case.case.id)
    assert decision.trace_run_id is None
