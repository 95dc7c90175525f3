"""What many scores come to: a share, a mean or counts; nothing where nothing was run."""

from collections import Counter

from pydantic import Field

from evals.log import SuiteLog
from evals.scorer import Broken, Kind, Scored
from recoup.record import Record


class Metric(Record):
    """``n``: how many samples were asked this; ``broken``: for how many of them nobody could tell, which passes no gate.

    ``value``: the share of gates passed, or the mean; None for labels and where nothing was run. ``failing``: samples that did not pass.
    """

    kind: Kind
    is_safety: bool
    n: int
    broken: int
    value: float | None
    labels: dict[str, int] = Field(default_factory=dict[str, int])
    failing: tuple[str, ...] = ()

    @property
    def holds(self) -> bool | None:
        """Whether a safety gate passed everywhere; None for all else, and where nothing was run."""
        return not self.failing if self.is_safety and self.n else None


def metrics_of(log: SuiteLog) -> dict[str, Metric]:
    """One metric a scorer."""
    found: dict[str, Metric] = {}
    for name, info in log.scorers.items():
        given = {e.sample.id: e.scores[name] for e in log.entries if e.scores.get(name) is not None}
        found[name] = _metric(given, info.kind, is_safety=info.is_safety)
    return found


def _metric(given: dict[str, Scored], kind: Kind, *, is_safety: bool) -> Metric:
    broken = [sample for sample, score in given.items() if isinstance(score, Broken)]
    values = [0.0 if isinstance(score, Broken) else float(score) for score in given.values() if not isinstance(score, str | None)]
    labels = Counter(score for score in given.values() if isinstance(score, str))
    failing = [sample for sample, score in given.items() if score is False or isinstance(score, Broken)] if kind is Kind.GATE else broken
    return Metric(
        kind=kind,
        is_safety=is_safety,
        n=len(given),
        broken=len(broken),
        value=sum(values) / len(values) if values and kind is not Kind.LABEL else None,
        labels=dict(sorted(labels.items())),
        failing=tuple(failing),
    )


def calls_and_tokens(log: SuiteLog) -> dict[str, float | None]:
    """Mean and 95th percentile of calls and tokens a sample; None where nothing was run."""
    usages = [entry.outcome.usage for entry in log.entries if entry.outcome.kind == "answer"]
    figures: dict[str, float | None] = {}
    for what, counts in (("calls", [u.calls for u in usages]), ("tokens", [u.tokens for u in usages])):
        figures[f"{what}_mean"] = sum(counts) / len(counts) if counts else None
        figures[f"{what}_p95"] = float(sorted(counts)[max(0, -(-len(counts) * 95 // 100) - 1)]) if counts else None
    return figures
