"""What a model was asked and what it answered, kept as it went over the wire, so that a run can be repeated without it.

A recording is made by a live model alone: nothing here writes an answer that no model gave.
"""

import json
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evals.personal_data import emails, has_card_number
from evals.solver import Usage
from recoup.digest import digest
from recoup.errors import Malformed, NotFound
from recoup.record import Record

HEADER, EXCHANGES = "recording.json", "exchanges.jsonl"


class RecordingHeader(Record):
    """Whose answers these are: the model's name and the host that answered for it."""

    model: str
    host: str
    recorded_at: datetime
    prompts: str


class Exchange(Record):
    """One question with its answer. ``body`` is the answer as text, streamed or not."""

    path: str
    request: dict[str, Any]
    content_type: str
    body: str

    @property
    def key(self) -> str:
        """The same question always has the same key."""
        return digest([self.path, self.request])

    @property
    def usage(self) -> Usage:
        """One call, and the tokens that the answer itself counts."""
        counted: dict[str, int] = {}
        for part in _parts(self.body):
            # A stream tells it once, in its last event; all others have none.
            counted = part.get("usage") or counted
        return Usage(calls=1, input_tokens=counted.get("prompt_tokens", 0), output_tokens=counted.get("completion_tokens", 0))


class Recording:
    """Exchanges in the order in which they were made. A question that was asked several times gives its answers in turn."""

    def __init__(self, header: RecordingHeader, exchanges: list[Exchange]) -> None:
        self.header, self._by_key, self._given = header, defaultdict[str, list[Exchange]](list), defaultdict[str, int](int)
        for exchange in exchanges:
            self._by_key[exchange.key].append(exchange)

    def answer_to(self, path: str, request: dict[str, Any]) -> Exchange | None:
        """The next answer to that question; None where it was never asked."""
        key = digest([path, request])
        known = self._by_key.get(key)
        if not known:
            return None
        self._given[key] += 1
        return known[min(self._given[key], len(known)) - 1]


def read_recording(folder: Path) -> Recording:
    """Raises NotFound or Malformed."""
    if not (folder / HEADER).is_file():
        raise NotFound(f"{folder} holds no recording; `recoup evals run --model openai:NAME --record {folder}` makes one with a live model")
    try:
        header = RecordingHeader.model_validate_json((folder / HEADER).read_bytes())
        lines = (folder / EXCHANGES).read_text(encoding="utf-8").split("\n")
        return Recording(header, [Exchange.model_validate_json(line) for line in lines if line])
    except (ValidationError, FileNotFoundError) as exc:
        raise Malformed(f"the recording in {folder} cannot be read") from exc


class RecordingWriter:
    """Writes each exchange as it is made: a run that is broken off keeps what was paid for."""

    def __init__(self, folder: Path, header: RecordingHeader) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / EXCHANGES
        (folder / HEADER).write_text(header.model_dump_json(indent=1) + "\n", encoding="utf-8")
        self._path.write_text("", encoding="utf-8")

    def add(self, exchange: Exchange) -> None:
        """Appends it."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(exchange.model_dump_json() + "\n")


def personal_data_in(exchange: Exchange) -> str | None:
    """What of a person went to the model, in a word; looked for by code that shares nothing with what masks it."""
    text = json.dumps(exchange.request, ensure_ascii=False)
    if has_card_number(text):
        return "a card number"
    return "an e-mail address" if emails(text) else None


def _parts(body: str) -> list[dict[str, Any]]:
    """The JSON objects of an answer: one, or one an event of a stream."""
    texts = [line.removeprefix("data:").strip() for line in body.split("\n") if line.startswith("data:")] or [body]
    found: list[dict[str, Any]] = []
    for text in texts:
        try:
            part = json.loads(text)
        except ValueError:
            continue
        if isinstance(part, dict):
            found.append(part)  # pyright: ignore[reportUnknownArgumentType]
    return found
