"""Few-shot examples as data: one TOML file a prompt, each example an input and the answer that is right for it."""

import json
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from recoup.record import Record


class Example(Record):
    """``input`` as the model would see it, ``answer`` as it should be given."""

    input: str
    answer: dict[str, Any]


class _Examples(Record):
    example: tuple[Example, ...]


@lru_cache(maxsize=1)
def all_examples() -> dict[str, tuple[Example, ...]]:
    """Every prompt's examples, by the name of the prompt."""
    found = sorted(entry.name for entry in files("prompts").iterdir() if entry.name.endswith("_examples.toml"))
    return {name.removesuffix("_examples.toml"): _read(name) for name in found}


def examples_of(prompt: str) -> str:
    """One prompt's examples as text."""
    return "\n\n".join(
        f"Example:\n{example.input.strip()}\nAnswer: {json.dumps(example.answer, ensure_ascii=False)}" for example in all_examples()[prompt]
    )


def _read(name: str) -> tuple[Example, ...]:
    text = files("prompts").joinpath(name).read_text(encoding="utf-8")
    return _Examples.model_validate(tomllib.loads(text)).example
