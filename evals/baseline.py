"""What was good enough to ship: one score a sample and scorer, kept in the repository, so that a change is seen in its diff."""

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from evals.log import SuiteLog
from evals.scorer import Kind, Scored
from evals.shown import readable
from recoup.errors import NotFound
from recoup.record import Record

STORED = files("evals").joinpath("baselines")


class Scores(Record):
    """One suite's scores: by scorer, by sample. ``outputs`` are what was answered, where that is known. ``subject``: who answered."""

    suite: str
    subject: str
    fingerprint: str
    kinds: dict[str, Kind]
    scores: dict[str, dict[str, Scored]]
    customers: dict[str, str]
    outputs: dict[str, str] = {}


def scores_of(log: SuiteLog) -> Scores:
    """What a comparison needs of a log. Samples that were not run are not among them."""
    ran = [entry for entry in log.entries if entry.outcome.kind != "not_run"]
    return Scores(
        suite=log.suite,
        subject=log.subject,
        fingerprint=log.fingerprint,
        kinds={name: info.kind for name, info in log.scorers.items()},
        scores={name: {e.sample.id: e.scores[name] for e in ran if e.scores.get(name) is not None} for name in log.scorers},
        customers={entry.sample.id: entry.sample.customer for entry in ran},
        outputs={
            entry.sample.id: readable(entry.outcome.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)) for entry in ran
        },
    )


def stored_baseline(subject: str) -> dict[str, Scores]:
    """The baseline of a subject by suite; raises NotFound where none is stored."""
    file = STORED.joinpath(f"{_file_name(subject)}.json")
    if not file.is_file():
        raise NotFound(f"no baseline of {subject} is stored; `recoup evals baseline RUN` stores one")
    kept = json.loads(file.read_text(encoding="utf-8"))
    return {suite: Scores.model_validate({"suite": suite, "subject": subject} | scores) for suite, scores in kept.items()}


def baseline_text(baselines: Mapping[str, Scores]) -> str:
    """JSON, a line a scorer: what changes is seen, and the file stays small. Outputs are left out."""
    blocks = [_block(suite, baselines[suite]) for suite in sorted(baselines) if baselines[suite].customers]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def store_baseline(folder: Path, subject: str, logs: Iterable[SuiteLog]) -> Path:
    """Writes the baseline of a subject; gives where."""
    path = folder / f"{_file_name(subject)}.json"
    path.write_text(baseline_text({log.suite: scores_of(log) for log in logs}), encoding="utf-8")
    return path


def _block(suite: str, scores: Scores) -> str:
    fields = scores.model_dump(mode="json", exclude={"outputs", "suite", "subject", "scores"})
    lines = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    kept = [f"   {json.dumps(name)}: {json.dumps(_jsonable(by_sample))}" for name, by_sample in scores.scores.items()]
    return f" {json.dumps(suite)}: {{\n" + ",\n".join([*lines, '  "scores": {\n' + ",\n".join(kept) + "\n  }"]) + "\n }"


def _jsonable(by_sample: Mapping[str, Scored]) -> dict[str, object]:
    return {sample: score.model_dump() if isinstance(score, Record) else score for sample, score in by_sample.items()}


def _file_name(subject: str) -> str:
    return "".join(char if char.isalnum() or char in "-." else "_" for char in subject)
