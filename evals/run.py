"""Runs suites: every sample is answered and judged, and nothing that breaks on the way stops the others."""

import asyncio
from collections.abc import Callable, Collection

from evals.dataset import Dataset
from evals.log import Entry, SuiteLog, scored, scorers_of
from evals.recorder import watched
from evals.sample import Sample, Split
from evals.solver import Answer, Failed, NotRun, Solver
from evals.subject import Subject
from evals.suite import Suite
from prompts.render import prompts_digest
from recoup.clock import wall_now

# A sample that takes longer hangs.
MOST_SECONDS = 300.0


async def run_suite(
    suite: Suite,
    dataset: Dataset,
    subject: Subject,
    *,
    splits: Collection[Split] = tuple(Split),
    on_done: Callable[[str], None] | None = None,
) -> SuiteLog:
    """The log of one suite. One sample after another, so that what each one costs is known. ``on_done`` hears each one's id."""
    solver = suite.solver(subject) if subject.tap is None else watched(suite.solver(subject), subject.tap)
    entries: list[Entry] = []
    for sample in (sample for sample in dataset.samples if sample.split in splits):
        entries.append(scored(suite, sample, await answered(solver, sample)))
        if on_done:
            on_done(sample.id)
    return SuiteLog(
        suite=suite.name,
        about=suite.about,
        subject=subject.name,
        made_at=wall_now(),
        dataset_version=dataset.header.version,
        fingerprint=dataset.fingerprint,
        prompts=prompts_digest(),
        scorers=scorers_of(suite),
        entries=tuple(entries),
    )


async def answered(solver: Solver, sample: Sample) -> Answer | NotRun | Failed:
    """The solver's answer; what it raises is a value."""
    try:
        async with asyncio.timeout(MOST_SECONDS):
            return await solver(sample)
    except Exception as exc:  # noqa: BLE001 - one sample that breaks must not hide what the others would show
        return Failed(error=f"{type(exc).__name__}: {exc}"[:500])
