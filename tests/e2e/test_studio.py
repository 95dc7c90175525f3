"""``langgraph dev`` opens the graph offline, and a thread runs to the question that it asks a person."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from langgraph_sdk import get_client

ROOT = Path(__file__).parents[2]
# The server pins other versions than ours (jsonschema-rs): `make studio` gives it an environment of its own.
COMMAND = ROOT / ".venv-studio" / "bin" / "langgraph"
STARTS_WITHIN_SECONDS = 60.0

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="there is no .venv-studio; make studio-setup makes it")


@pytest.fixture
def studio(tmp_path: Path) -> Generator[str]:
    """The address of a server at work, without a key of LangSmith's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH_", "LANGCHAIN_", "RECOUP_"))}
    log = (tmp_path / "studio.log").open("wb")
    command = [str(COMMAND), "dev", "--no-browser", "--no-reload", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}/ok", process, tmp_path / "studio.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)
        log.close()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(url, timeout=1):
                return
        except URLError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


async def test_a_thread_runs_to_the_question_that_it_asks_a_person(studio: str) -> None:
    client = get_client(url=studio)
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], "decision", input={"case_id": "the example"})
    state = await client.threads.get_state(thread["thread_id"])
    assert state["next"] == ["human_review"]
    [question] = state["interrupts"]
    assert [asked["name"] for asked in question["value"]["action_requests"]] == ["retry_payment"]
