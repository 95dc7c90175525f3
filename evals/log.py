"""What a run saw, whole: so that it can be read, scored again by better scorers, and compared with another."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from evals.sample import Sample
from evals.scorer import Broken, Kind, Scored, judged, kind_of, name_of
from evals.solver import Answer, Failed, NotRun, Outcome
from evals.suite import Suite
from recoup.errors import Malformed, NotFound
from recoup.record import Record


class Entry(Record):
    """One sample, what came of it, and its scores by scorer. Nothing that was not run has scores."""

    sample: Sample
    outcome: Outcome
    scores: dict[str, Scored] = {}


class ScorerInfo(Record):
    """How a score of this name is to be read."""

    kind: Kind
    is_safety: bool


class SuiteLog(Record):
    """One suite's run. ``fingerprint`` is the dataset's, ``prompts`` the digest of all prompts that stood when it was made."""

    suite: str
    about: str
    subject: str
    made_at: datetime
    dataset_version: int
    fingerprint: str
    prompts: str
    scorers: dict[str, ScorerInfo]
    entries: tuple[Entry, ...]

    @property
    def was_run(self) -> bool:
        """Whether any sample was answered or failed."""
        return any(not isinstance(entry.outcome, NotRun) for entry in self.entries)

    @property
    def not_run(self) -> dict[str, int]:
        """How many samples were not run, by reason."""
        reasons: dict[str, int] = {}
        for entry in self.entries:
            if isinstance(entry.outcome, NotRun):
                reasons[entry.outcome.why] = reasons.get(entry.outcome.why, 0) + 1
        return reasons


def scorers_of(suite: Suite) -> dict[str, ScorerInfo]:
    """The scorers of a suite as a log keeps them."""
    return {name_of(s): ScorerInfo(kind=kind_of(s), is_safety=s in suite.safety) for s in suite.scorers}


def scored(suite: Suite, sample: Sample, outcome: Answer | NotRun | Failed) -> Entry:
    """The entry of one outcome. What failed passes no gate and measures nothing."""
    if isinstance(outcome, NotRun):
        return Entry(sample=sample, outcome=outcome)
    if isinstance(outcome, Failed):
        return Entry(sample=sample, outcome=outcome, scores={name_of(s): Broken(broken=outcome.error) for s in suite.scorers})
    return Entry(sample=sample, outcome=outcome, scores={name_of(s): judged(s, sample, outcome) for s in suite.scorers})


def score_again(log: SuiteLog, suite: Suite) -> SuiteLog:
    """The same outcomes under the scorers of today; no sample is answered again."""
    entries = tuple(scored(suite, entry.sample, entry.outcome) for entry in log.entries)
    return log.model_copy(update={"entries": entries, "scorers": scorers_of(suite)})


def write_logs(folder: Path, logs: Iterable[SuiteLog]) -> None:
    """One file a suite."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in logs:
        (folder / f"{log.suite}.json").write_text(log.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_logs(folder: Path) -> dict[str, SuiteLog]:
    """All suites of a run, by name; raises NotFound or Malformed."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise NotFound(f"{folder} holds no eval run")
    try:
        logs = [SuiteLog.model_validate_json(path.read_bytes()) for path in paths]
    except ValidationError as exc:
        raise Malformed(f"{folder} holds something that is no log of an eval run: {exc.errors()[0]['msg']}") from exc
    return {log.suite: log for log in logs}
