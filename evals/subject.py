"""What is under test: the rules alone, or the agents with a model, live or recorded."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agents.model import Chains, ChatModels
from agents.model_wire import Endpoint, Wire
from evals.recorder import Tap, listening_to, replaying, served
from evals.recordings import RecordingHeader, RecordingWriter, read_recording
from prompts.render import prompts_digest
from recoup.clock import wall_now
from recoup.errors import Misconfigured
from recoup.model_books import OpenBooks
from recoup.model_port import Model, NoModel

RULES = "rules"
PREFIX = "openai:"
OPENAI = "https://api.openai.com/v1"
CALL_SECONDS = 60.0


@dataclass(frozen=True)
class Subject:
    """``name`` as RECOUP_MODEL gives it: ``rules``, or ``openai:<model>``. ``model`` is what agents ask; ``tap``: what goes over the wire
    to it, where somebody listens."""

    name: str = RULES
    model: Model = field(default_factory=NoModel)
    tap: Tap | None = None

    @property
    def has_model(self) -> bool:
        """Whether anything but the rules answers."""
        return self.name != RULES


@asynccontextmanager
async def opened(name: str | None, record: Path | None = None, replay: Path | None = None) -> AsyncGenerator[Subject]:
    """The subject of that name, with somebody listening on the wire to its model. ``record``: a folder for what it answers; ``replay``: the
    folder of what it once answered. Raises Misconfigured where these do not fit together.
    """
    tap = Tap()
    if replay:
        recording = read_recording(replay)
        if name not in {None, recording.header.model}:
            raise Misconfigured(f"the recording is of {recording.header.model}, not of {name}")
        async with served(replaying(recording, tap)) as url:
            yield Subject(recording.header.model, _at(url, recording.header.model, "recorded"), tap)
        return
    if name in {None, RULES}:
        if record:
            raise Misconfigured("only a live model can be recorded: name one with --model openai:<model>")
        yield Subject()
        return
    upstream = os.environ.get("OPENAI_BASE_URL", OPENAI)
    header = RecordingHeader(model=str(name), host=upstream, recorded_at=wall_now(), prompts=prompts_digest())
    async with served(listening_to(upstream, tap, RecordingWriter(record, header) if record else None)) as url:
        yield Subject(str(name), _at(url, str(name), os.environ.get("OPENAI_API_KEY", "none")), tap)


def _at(url: str, name: str, key: str) -> Model:
    """The port as agents have it in production; nobody's budget is touched, so no database is needed."""
    if not name.startswith(PREFIX):
        raise Misconfigured(f"a model is named openai:<model>, not {name}")
    return ChatModels(Chains(default=(name.removeprefix(PREFIX),)), Wire(Endpoint(url, key, CALL_SECONDS)), OpenBooks())
