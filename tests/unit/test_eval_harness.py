"""The harness itself: what breaks is a value, what was not run is neither passed nor failed, and a stored log can be judged again."""

from pathlib import Path

import pytest

from evals.dataset import Dataset, Header, dataset_text, parse_dataset
from evals.log import SuiteLog, read_logs, score_again, write_logs
from evals.metric import calls_and_tokens, metrics_of
from evals.run import run_suite
from evals.sample import Sample, Split
from evals.scorer import Broken, Kind, Scorer, judged, kind_of
from evals.solver import Answer, Failed, NotRun, Solver, Usage
from evals.subject import Subject
from evals.suite import Suite
from recoup.errors import Defect, Malformed, NotFound


def a_sample(number: int, split: Split = Split.TEST, customer: str | None = None) -> Sample:
    return Sample(id=f"s{number}", split=split, customer=customer or f"c{number}", about="", input={"n": number}, expected={})


def a_dataset(*samples: Sample) -> Dataset:
    return Dataset(header=Header(dataset="made_up", version=1, written="2026-12-01", provenance="for a test"), samples=samples)


def is_even(sample: Sample, answer: Answer) -> bool:
    return answer.value["n"] % 2 == 0


def size(sample: Sample, answer: Answer) -> float:
    return answer.value["n"] / 10


def word(sample: Sample, answer: Answer) -> str:
    return "big" if answer.value["n"] > 2 else "small"


def breaks(sample: Sample, answer: Answer) -> bool:
    raise KeyError("what is not there")


def for_threes(sample: Sample, answer: Answer) -> bool | None:
    return True if answer.value["n"] == 3 else None


def repeating(subject: Subject) -> Solver:
    async def solve(sample: Sample, /) -> Answer | NotRun:
        number = sample.input["n"]
        if number == 7:
            raise ZeroDivisionError("seven breaks it")
        if number == 9:
            return NotRun(why="needs a model")
        return Answer(value={"n": number}, usage=Usage(calls=number, input_tokens=10, output_tokens=1))

    return solve


def a_suite(*quality: Scorer, safety: tuple[Scorer, ...] = ()) -> Suite:
    return Suite(name="made_up", about="", solver=repeating, quality=quality, safety=safety)


async def run(suite: Suite, *numbers: int) -> SuiteLog:
    return await run_suite(suite, a_dataset(*map(a_sample, numbers)), Subject())


async def test_the_return_type_says_what_a_score_means() -> None:
    log = await run(a_suite(is_even, size, word), 1, 2, 4)
    metrics = metrics_of(log)
    assert {name: metric.kind for name, metric in metrics.items()} == {"is_even": Kind.GATE, "size": Kind.MEASURE, "word": Kind.LABEL}
    assert metrics["is_even"].value == pytest.approx(2 / 3)
    assert metrics["size"].value == pytest.approx(0.7 / 3)
    assert metrics["word"].labels == {"big": 1, "small": 2}


async def test_an_evaluator_that_fails_is_a_value_and_passes_nothing() -> None:
    log = await run(a_suite(is_even, safety=(breaks,)), 2, 4)
    assert log.entries[0].scores == {"breaks": Broken(broken="KeyError: 'what is not there'"), "is_even": True}
    metric = metrics_of(log)["breaks"]
    assert (metric.broken, metric.value, metric.holds) == (2, 0.0, False)


async def test_a_solver_that_breaks_fails_its_sample_and_not_the_run() -> None:
    log = await run(a_suite(is_even), 2, 7, 4)
    assert isinstance(log.entries[1].outcome, Failed)
    assert metrics_of(log)["is_even"].failing == ("s7",)
    assert metrics_of(log)["is_even"].n == 3


async def test_what_was_not_run_is_neither_passed_nor_failed() -> None:
    log = await run(a_suite(is_even, safety=(is_even,)), 9)
    assert log.not_run == {"needs a model": 1}
    assert not log.was_run
    metric = metrics_of(log)["is_even"]
    assert (metric.n, metric.value, metric.holds) == (0, None, None)
    assert set(calls_and_tokens(log).values()) == {None}


async def test_a_question_that_does_not_arise_is_not_counted() -> None:
    assert metrics_of(await run(a_suite(for_threes), 1, 2, 3))["for_threes"].n == 1


async def test_calls_and_tokens_are_counted_exactly() -> None:
    assert calls_and_tokens(await run(a_suite(is_even), 1, 2, 3)) == {
        "calls_mean": 2.0,
        "calls_p95": 3.0,
        "tokens_mean": 11.0,
        "tokens_p95": 11.0,
    }


async def test_a_stored_log_is_judged_again_without_answering_again(tmp_path: Path) -> None:
    log = await run(a_suite(is_even), 1, 2)
    write_logs(tmp_path, [log])
    stored = read_logs(tmp_path)["made_up"]
    assert stored == log

    def unasked(subject: Subject) -> Solver:
        raise AssertionError("no sample is answered again")

    again = score_again(stored, Suite(name="made_up", about="", solver=unasked, quality=(size,)))
    assert [entry.scores for entry in again.entries] == [{"size": 0.1}, {"size": 0.2}]


async def test_a_split_leaves_the_other_out() -> None:
    dataset = a_dataset(a_sample(1, Split.DEV), a_sample(2))
    log = await run_suite(a_suite(is_even), dataset, Subject(), splits=(Split.TEST,))
    assert [entry.sample.id for entry in log.entries] == ["s2"]


def test_a_scorer_without_a_meaning_is_a_defect() -> None:
    def means_nothing(sample: Sample, answer: Answer) -> int:
        return 3

    with pytest.raises(Defect, match="means_nothing must return bool, float or str"):
        kind_of(means_nothing)


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_a_measure_outside_its_bounds_is_broken(value: float) -> None:
    def measure(sample: Sample, answer: Answer) -> float:
        return value

    assert isinstance(judged(measure, a_sample(1), Answer(value={})), Broken)


def test_a_dataset_is_read_back_as_it_was_with_what_is_hidden_in_it() -> None:
    hostile = a_sample(1).model_copy(update={"input": {"text": "a\u2028b\u202ec\x00\ud7ff\U000e0041 und ß"}})
    text = dataset_text(a_dataset(hostile))
    assert parse_dataset(text, "made_up").samples == (hostile,)
    assert text.replace("\n", "").isprintable()
    assert "ß" in text


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        ((a_sample(1), a_sample(1)), "there are two samples s1"),
        ((a_sample(1, customer="ada"), a_sample(2, Split.DEV, customer="ada")), "customer ada is in both splits"),
    ],
)
def test_a_dataset_that_would_mislead_is_refused(samples: tuple[Sample, ...], problem: str) -> None:
    with pytest.raises(Malformed, match=problem):
        parse_dataset(dataset_text(a_dataset(*samples)), "made_up")


def test_a_broken_line_is_named() -> None:
    with pytest.raises(Malformed, match="line 2: split"):
        parse_dataset(dataset_text(a_dataset(a_sample(1))).replace('"test"', '"exam"'), "made_up")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_logs(tmp_path)
