# ruff: noqa: S101 - these are tests, asked for by their folder
"""``pytest evals``: the suites on the rules, against what is stored. LangSmith's own tracking of tests stays off."""

import os

import pytest

from evals.baseline import stored_baseline
from evals.catalog import SHIPPED
from evals.compare import compare
from evals.dataset import shipped_dataset
from evals.metric import metrics_of
from evals.run import run_suite
from evals.subject import Subject
from evals.suite import Suite

os.environ.setdefault("LANGSMITH_TEST_TRACKING", "false")


@pytest.mark.parametrize("suite", SHIPPED.values(), ids=SHIPPED.keys())
async def test_the_rules_are_as_good_as_the_stored_baseline(suite: Suite) -> None:
    subject = Subject()
    log = await run_suite(suite, shipped_dataset(suite.name), subject)
    if not log.was_run:
        pytest.skip(f"not run: {', '.join(log.not_run)}")

    compared = compare({suite.name: stored_baseline(subject.name)[suite.name]}, {suite.name: log})

    assert [finding.says for finding in compared.findings] == []
    assert all(metric.broken == 0 for metric in metrics_of(log).values())
