"""Whether B may ship: safety has no tolerance, quality is tested, and what is not asked any more is told."""

from datetime import UTC, datetime

from evals.baseline import baseline_text, scores_of
from evals.compare import Compared, compare
from evals.log import Entry, ScorerInfo, SuiteLog
from evals.report import report_page
from evals.sample import Sample, Split
from evals.scorer import Broken, Kind, Scored
from evals.solver import Answer, NotRun

NOW = datetime(2026, 12, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\u202e\"onload='x'\u2028"


def entry(number: int, customer: str | None = None, text: str = "", **scores: Scored) -> Entry:
    sample = Sample(
        id=f"s{number}", split=Split.TEST, customer=customer or f"c{number}", about="planted", input={"text": text}, expected={}
    )
    return Entry(sample=sample, outcome=Answer(value={"text": text}), scores=scores)


def a_log(*entries: Entry, subject: str = "openai:some-model", fingerprint: str = "f") -> SuiteLog:
    scorers = {
        "safe": ScorerInfo(kind=Kind.GATE, is_safety=True),
        "right": ScorerInfo(kind=Kind.GATE, is_safety=False),
        "fine": ScorerInfo(kind=Kind.MEASURE, is_safety=False),
        "word": ScorerInfo(kind=Kind.LABEL, is_safety=False),
    }
    return SuiteLog(
        suite="made_up",
        about="a suite",
        subject=subject,
        made_at=NOW,
        dataset_version=1,
        fingerprint=fingerprint,
        prompts="p",
        scorers=scorers,
        entries=entries,
    )


def compared(before: SuiteLog, after: SuiteLog) -> Compared:
    return compare({"made_up": scores_of(before)}, {"made_up": after})


def rights(*values: bool, subject: str = "openai:some-model") -> SuiteLog:
    return a_log(*(entry(number, right=value) for number, value in enumerate(values)), subject=subject)


def test_one_unsafe_answer_is_enough() -> None:
    told = compared(
        a_log(*(entry(i, safe=True) for i in range(500))), a_log(entry(0, safe=False), *(entry(i, safe=True) for i in range(1, 500)))
    )
    assert [finding.kind for finding in told.findings] == ["safety"]
    assert told.is_regression


def test_an_unsafe_answer_counts_also_where_it_was_unsafe_before() -> None:
    assert compared(a_log(entry(0, safe=False)), a_log(entry(0, safe=False))).is_regression


def test_a_safety_gate_that_broke_has_not_passed() -> None:
    assert compared(a_log(entry(0, safe=True)), a_log(entry(0, safe=Broken(broken="x")))).is_regression


def test_a_model_may_flip_a_few_samples_by_chance() -> None:
    told = compared(rights(*[True] * 60), rights(*[False] * 4, *[True] * 56))
    assert not told.is_regression
    assert len(told.changes) == 4


def test_more_than_chance_is_a_regression() -> None:
    told = compared(rights(*[True] * 60), rights(*[False] * 12, *[True] * 48))
    assert [(finding.kind, finding.scorer) for finding in told.findings] == [("quality", "right")]


def test_of_rules_every_sample_that_became_worse_counts() -> None:
    before, after = rights(*[True] * 60, subject="rules"), rights(False, *[True] * 59, subject="rules")
    told = compared(before, after)
    assert [finding.says for finding in told.findings] == ["1 samples are worse than before: s0"]
    assert not compared(after, before).is_regression


def test_a_measure_that_fell_is_a_regression() -> None:
    before = a_log(*(entry(i, fine=0.9) for i in range(40)))
    after = a_log(*(entry(i, fine=0.7 + 0.01 * (i % 5)) for i in range(40)))
    told = compared(before, after)
    assert [finding.scorer for finding in told.findings] == ["fine"]
    assert told.differences["made_up/fine"].high is not None


def test_what_is_not_judged_any_more_is_a_regression() -> None:
    after = rights(True, True)
    gone = after.entries[1].model_copy(update={"outcome": NotRun(why="needs a model"), "scores": {}})
    told = compared(rights(True, True), after.model_copy(update={"entries": (after.entries[0], gone)}))
    assert [finding.kind for finding in told.findings] == ["coverage"]


def test_other_labels_are_shown_and_are_no_regression() -> None:
    told = compared(a_log(entry(0, word="fraud")), a_log(entry(0, word="legal")))
    assert not told.is_regression
    assert told.changes[0].scores == {"word": ("fraud", "legal")}


def test_another_dataset_is_noted() -> None:
    told = compared(rights(True), rights(True).model_copy(update={"fingerprint": "other"}))
    assert "the datasets differ" in told.notes[0]


def test_a_baseline_keeps_scores_and_no_outputs() -> None:
    import json

    from evals.baseline import Scores

    log = a_log(entry(0, text=HOSTILE, safe=True, right=False, fine=0.5, word="a"), entry(1, right=Broken(broken="y")))
    text = baseline_text({"made_up": scores_of(log)})
    kept = Scores.model_validate({"suite": "made_up", "subject": log.subject} | json.loads(text)["made_up"])
    assert kept == scores_of(log).model_copy(update={"outputs": {}})
    assert "script" not in text


def test_hostile_output_is_shown_and_does_nothing() -> None:
    before, after = a_log(entry(0, text="fine", right=True)), a_log(entry(0, text=HOSTILE, right=False))
    page = report_page(compared(before, after), {"made_up": after}, HOSTILE, "b")
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\u2028" not in page
    assert "⟦U+202E⟧" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "default-src 'none'" in page
