"""``recoup evals``: run the suites, compare two runs, keep what is good enough, and make samples of people's answers."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import json_option, print_json
from api.cli.since import Since, instant
from recoup.errors import Misconfigured

if TYPE_CHECKING:
    from evals.baseline import Scores
    from evals.compare import Compared
    from evals.dataset import Dataset
    from evals.log import SuiteLog
    from evals.suite import Suite
    from recoup.settings import Settings

LATEST = Path(".recoup/evals/latest")
STORED = "baseline"
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Evals: does a change of prompts, rules or model make anything worse? They run offline; a model is asked only where one is given."""


@command.command("run")
@click.option("--suite", "suites", multiple=True, help="Run only the suite of this name; repeatable.")
@click.option("--split", type=click.Choice(["dev", "test", "all"]), default="all", show_default=True, help="Which samples.")
@click.option(
    "--dataset", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own dataset; its header names its suite."
)
@click.option("--model", default=None, help="rules, or openai:<model>.  [default: rules, or the recorded one]")
@click.option("--record", type=FOLDER, help="Keep what the live model answers in this folder.")
@click.option("--replay", type=FOLDER, help="Answer from this folder instead of a live model.")
@click.option("--out", type=FOLDER, default=LATEST, show_default=True, help="Where the logs go.")
@click.option("--langsmith", is_flag=True, help="Run as experiments of LangSmith too (LANGSMITH_API_KEY).")
@json_option
def run_command(
    *,
    suites: tuple[str, ...],
    split: str,
    dataset: Path | None,
    model: str | None,
    record: Path | None,
    replay: Path | None,
    out: Path,
    langsmith: bool,
    as_json: bool,
) -> None:
    """Answer every sample and judge the answers. Exit code 1 where a safety gate fails."""
    from evals.log import write_logs

    if record and replay:
        raise click.UsageError("--record and --replay exclude each other")
    logs, leaks = asyncio.run(_run(suites, split, dataset, model, record, replay, langsmith=langsmith))
    write_logs(out, logs)
    if as_json:
        print_json({"out": str(out), "suites": {log.suite: _summary(log) for log in logs}, "leaks": leaks})
    else:
        _print_logs(logs, out)
        for leak in leaks:
            click.echo(f"LEAK    {leak}")
    sys.exit(1 if leaks or any(_is_unsafe(log) for log in logs) else 0)


@command.command("compare")
@click.argument("a")
@click.argument("b", type=click.Path(exists=True, file_okay=False, path_type=Path), default=LATEST)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page there with every changed sample side by side.")
@json_option
def compare_command(a: str, b: Path, *, html: Path | None, as_json: bool) -> None:
    """Compare run B with run A (a folder, or `baseline` for what is stored). Exit code 1 where B is worse than may be."""
    from evals.compare import compare
    from evals.log import read_logs
    from evals.report import report_page

    after = read_logs(b)
    compared = compare(_before(a, after), after)
    if html:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(report_page(compared, after, a, str(b)), encoding="utf-8")
    if as_json:
        print_json(compared)
    else:
        _print_compared(compared, html)
    sys.exit(1 if compared.is_regression else 0)


@command.command("score")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path), default=LATEST)
def score_command(run: Path) -> None:
    """Judge a stored run again by the scorers of today; no sample is answered again."""
    from evals.catalog import suite_named
    from evals.log import read_logs, score_again, write_logs

    logs = [score_again(log, suite_named(name)) for name, log in read_logs(run).items()]
    write_logs(run, logs)
    _print_logs(logs, run)
    sys.exit(1 if any(_is_unsafe(log) for log in logs) else 0)


@command.command("baseline")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path), default=LATEST)
@click.option("--into", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("evals/baselines"), show_default=True)
def baseline_command(run: Path, *, into: Path) -> None:
    """Keep a run's scores as what is good enough. What it says is seen in the file's diff."""
    from evals.baseline import store_baseline
    from evals.log import read_logs

    logs = read_logs(run)
    unsafe = [name for name, log in logs.items() if _is_unsafe(log)]
    if unsafe:
        raise Misconfigured(f"a run that fails a safety gate is no baseline: {', '.join(unsafe)}")
    click.echo(f"Stored {store_baseline(into, next(iter(logs.values())).subject, logs.values())}.")


@command.command("from-decisions")
@click.argument("into", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--since", type=Since(), help="Only answers given since then: 30d, 12h, 6w, or a day such as 2026-08-01. Default: all.")
def from_decisions_command(into: Path, *, since: timedelta | datetime | None) -> None:
    """Make a dataset of what people approved, edited and rejected, free of personal data.

    Run it with `recoup evals run --dataset FILE`.
    """
    from api.cli.running import run
    from evals.dataset import dataset_text

    made = run(lambda settings: _made(settings, since))
    into.write_text(dataset_text(made), encoding="utf-8")
    click.echo(f"{len(made.samples)} samples in {into}.")


async def _run(
    names: Sequence[str],
    split: str,
    dataset: Path | None,
    model: str | None,
    record: Path | None,
    replay: Path | None,
    *,
    langsmith: bool,
) -> tuple[list["SuiteLog"], list[str]]:
    from evals.dataset import read_dataset, shipped_dataset
    from evals.langsmith_run import evaluate_with_langsmith
    from evals.run import run_suite
    from evals.sample import Split
    from evals.subject import opened

    own = read_dataset(dataset) if dataset else None
    splits = tuple(Split) if split == "all" else (Split(split),)
    logs: list[SuiteLog] = []
    async with opened(model, record, replay) as subject:
        for suite in _chosen(names, own.header.dataset if own else None):
            samples = own or shipped_dataset(suite.name)
            with click.progressbar(length=len(samples.samples), label=f"{suite.name:18}", file=sys.stderr) as bar:
                logs.append(await run_suite(suite, samples, subject, splits=splits, on_done=lambda _, bar=bar: bar.update(1)))
            if langsmith:
                click.echo(f"LangSmith: {await evaluate_with_langsmith(suite, samples, subject)}", err=True)
    return logs, subject.tap.leaks if subject.tap else []


def _chosen(names: Sequence[str], dataset: str | None) -> list["Suite"]:
    from evals.catalog import SHIPPED, suite_named

    if dataset:
        return [suite_named(dataset)]
    return [suite_named(name) for name in names] or list(SHIPPED.values())


def _before(a: str, after: Mapping[str, "SuiteLog"]) -> dict[str, "Scores"]:
    from evals.baseline import scores_of, stored_baseline
    from evals.log import read_logs

    if a == STORED:
        return stored_baseline(next(iter(after.values())).subject)
    return {name: scores_of(log) for name, log in read_logs(Path(a)).items()}


async def _made(settings: "Settings", since: timedelta | datetime | None) -> "Dataset":
    from evals.from_decisions import dataset_from_decisions
    from graph.bootstrap import make_clock, open_database

    async with open_database(settings) as db:
        now = await make_clock(settings, db).now()
        return await dataset_from_decisions(db, now, instant(since, now) if since is not None else None)


def _is_unsafe(log: "SuiteLog") -> bool:
    from evals.metric import metrics_of

    return any(metric.holds is False for metric in metrics_of(log).values())


def _summary(log: "SuiteLog") -> dict[str, Any]:
    """Null wherever nothing was run: what was not asked has neither passed nor failed."""
    from evals.metric import calls_and_tokens, metrics_of

    metrics = {name: metric if metric.n else None for name, metric in metrics_of(log).items()}
    return {"samples": len(log.entries), "not_run": log.not_run, "scores": metrics if log.was_run else None, "cost": calls_and_tokens(log)}


def _print_logs(logs: Sequence["SuiteLog"], out: Path) -> None:
    from evals.metric import metrics_of
    from evals.scorer import Kind

    for log in logs:
        ran = len(log.entries) - sum(log.not_run.values())
        click.echo(f"{log.suite}: {ran} of {len(log.entries)} samples run, by {log.subject}")
        for why, count in log.not_run.items():
            click.echo(f"  not run: {why} ({count})")
        for name, metric in metrics_of(log).items():
            if metric.n and metric.kind is not Kind.LABEL:
                word = "" if metric.holds is None else "safe    " if metric.holds else "UNSAFE  "
                failing = f"  fails: {', '.join(metric.failing[:6])}{' …' if len(metric.failing) > 6 else ''}" if metric.failing else ""
                click.echo(f"  {word:8}{name:36} {metric.value:.3f}  of {metric.n}{failing}")
    click.echo(f"Logs are in {out}.")


def _print_compared(compared: "Compared", html: Path | None) -> None:
    for name, told in compared.differences.items():
        detectable = "too little varies" if told.detectable is None else f"detectable {told.detectable:.3f}"
        p = compared.adjusted[name]
        click.echo(f"{name:58} {told.a:.3f} → {told.b:.3f}  +{told.better} -{told.worse} of {told.n}  p {p:.3f}  {detectable}")
    for note in compared.notes:
        click.echo(f"note: {note}")
    for finding in compared.findings:
        click.echo(f"{finding.kind.upper()}  {finding.suite}{' / ' + finding.scorer if finding.scorer else ''}: {finding.says}")
    click.echo(f"{len(compared.changes)} samples changed{f'; side by side in {html}' if html else ''}.")
    click.echo("B may not ship." if compared.is_regression else "Nothing speaks against B.")
