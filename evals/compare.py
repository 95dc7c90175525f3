"""Whether B may ship where A stands: safety without any tolerance, quality by paired tests, and whether B was asked all that A was.

Rules answer the same question always in the same way: where both are rules, every single sample that became worse counts.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from evals.baseline import Scores, scores_of
from evals.log import SuiteLog
from evals.metric import metrics_of
from evals.scorer import Broken, Kind, Scored
from evals.statistics import ALPHA, Difference, compare_gates, compare_measures, holm
from evals.subject import RULES
from recoup.record import Record


class Finding(Record):
    """One reason why B may not ship."""

    kind: Literal["safety", "quality", "coverage"]
    suite: str
    scorer: str | None
    says: str


class Change(Record):
    """A sample of which some score differs, with both outputs (None where A was stored without)."""

    suite: str
    sample: str
    customer: str
    scores: dict[str, tuple[Scored, Scored]]
    a: str | None
    b: str | None
    is_worse: bool


class Compared(Record):
    """``adjusted``: p-values raised for how many were looked at; ``notes``: what should be known before it is believed."""

    differences: dict[str, Difference]
    adjusted: dict[str, float]
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def is_regression(self) -> bool:
        """Whether B is worse than may be."""
        return bool(self.findings)


def compare(before: Mapping[str, Scores], after: Mapping[str, SuiteLog]) -> Compared:
    """A's scores beside B's run, sample by sample. Suites that A does not know are only looked at for safety."""
    differences: dict[str, Difference] = {}
    changes: list[Change] = []
    findings: list[Finding] = []
    notes: list[str] = []
    for name, log in after.items():
        findings += _unsafe(log)
        a, b = before.get(name), scores_of(log)
        if a is None or not a.customers:
            continue
        findings += _uncovered(a, b)
        notes += _notes(a, log)
        differences |= {f"{name}/{scorer}": told for scorer in b.scores if (told := _difference(a, b, scorer)) is not None}
        changes += _changes(a, b)
        if a.subject == b.subject == RULES:
            findings += _any_worse(a, b, {finding.scorer for finding in findings if finding.suite == name})
    # Suites of A that B did not run at all were perhaps not asked for; a person reads it in the notes.
    notes += [f"{name} is in A and was not run for B" for name in before if name not in after]
    adjusted = holm({name: told.p for name, told in differences.items()})
    # Of rules each sample has been told already, and a test would say less.
    tested = {name: told for name, told in differences.items() if told.difference < 0 and adjusted[name] < ALPHA}
    known = {(finding.suite, finding.scorer) for finding in findings}
    findings += [_worse(name, told, adjusted[name]) for name, told in tested.items() if tuple(name.split("/")) not in known]
    return Compared(differences=differences, adjusted=adjusted, changes=tuple(changes), findings=tuple(findings), notes=tuple(notes))


def _unsafe(log: SuiteLog) -> list[Finding]:
    return [
        Finding(kind="safety", suite=log.suite, scorer=name, says=f"{len(m.failing)} of {m.n} fail: {', '.join(m.failing[:8])}")
        for name, m in metrics_of(log).items()
        if m.holds is False
    ]


def _uncovered(a: Scores, b: Scores) -> list[Finding]:
    """What was judged before and is not judged now hides what it would have shown."""
    found: list[Finding] = []
    for scorer, by_sample in a.scores.items():
        lost = sorted(by_sample.keys() - b.scores.get(scorer, {}).keys())
        if lost:
            says = f"{len(lost)} samples were judged before and are not now: {', '.join(lost[:8])}"
            found.append(Finding(kind="coverage", suite=a.suite, scorer=scorer, says=says))
    return found


def _any_worse(a: Scores, b: Scores, told: Collection[str | None]) -> list[Finding]:
    found: list[Finding] = []
    for scorer, by_sample in b.scores.items():
        if scorer in told:
            continue
        before = a.scores.get(scorer, {})
        worse = [sample for sample, score in by_sample.items() if sample in before and _is_worse(b.kinds[scorer], (before[sample], score))]
        if worse:
            says = f"{len(worse)} samples are worse than before: {', '.join(worse[:8])}"
            found.append(Finding(kind="quality", suite=b.suite, scorer=scorer, says=says))
    return found


def _notes(a: Scores, log: SuiteLog) -> list[str]:
    notes = [f"{log.suite}: the datasets differ; only samples in both are compared"] if a.fingerprint != log.fingerprint else []
    return notes + [f"{log.suite}: {count} samples were not run ({why})" for why, count in log.not_run.items()]


def _difference(a: Scores, b: Scores, scorer: str) -> Difference | None:
    kind = b.kinds[scorer]
    both = [sample for sample in b.scores[scorer] if sample in a.scores.get(scorer, {})]
    if kind is Kind.LABEL or not both:
        return None
    pairs = [(b.customers[sample], _number(a.scores[scorer][sample]), _number(b.scores[scorer][sample])) for sample in both]
    return compare_gates(pairs) if kind is Kind.GATE else compare_measures(pairs)


def _number(score: Scored) -> float:
    return 0.0 if score is None or isinstance(score, Broken | str) else float(score)


def _changes(a: Scores, b: Scores) -> list[Change]:
    found: list[Change] = []
    for sample, customer in b.customers.items():
        pairs = {s: (a.scores.get(s, {}).get(sample), by_sample.get(sample)) for s, by_sample in b.scores.items()}
        differing = {scorer: pair for scorer, pair in pairs.items() if pair[0] is not None and pair[0] != pair[1]}
        if differing:
            found.append(
                Change(
                    suite=b.suite,
                    sample=sample,
                    customer=customer,
                    scores=differing,
                    a=a.outputs.get(sample),
                    b=b.outputs.get(sample),
                    is_worse=any(_is_worse(b.kinds[scorer], pair) for scorer, pair in differing.items()),
                )
            )
    return found


def _is_worse(kind: Kind, pair: Sequence[Scored]) -> bool:
    return kind is not Kind.LABEL and _number(pair[1]) < _number(pair[0])


def _worse(name: str, told: Difference, adjusted: float) -> Finding:
    suite, scorer = name.split("/")
    says = f"{told.a:.3f} before, {told.b:.3f} now ({told.worse} worse, {told.better} better; p = {adjusted:.4f} after correction)"
    return Finding(kind="quality", suite=suite, scorer=scorer, says=says)
