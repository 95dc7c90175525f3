"""``recoup demo``: thirty simulated days of failed payments, every part of Recoup as a process of its own."""

import asyncio
import json
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from api.demo.report import Outcome
    from api.demo.scene import Plot, Stage


@click.command()
@click.option("--once", is_flag=True, help="Stop everything and exit when the simulated days are over.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object, the last line of the output.")
@click.option("--cases", type=click.IntRange(1, 5000), default=60, show_default=True, help="Failed payments.")
@click.option("--days", type=click.IntRange(1, 120), default=30, show_default=True, help="Simulated days.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same outcome.")
def command(*, once: bool, as_json: bool, cases: int, days: int, seed: int) -> None:
    """Thirty simulated days of failed payments in about a minute.

    Starts the sandbox platform, the API and two workers, lets a simulated approver answer what Recoup asks, and shows what was
    recovered. Then the service stays up until Ctrl-C. Runs in a folder of its own, which is deleted; RECOUP_DATABASE_URL is used where
    it is set, and must be empty.
    """
    from rich.console import Console

    from api.demo.scene import Plot

    console = Console(stderr=as_json)
    outcome = asyncio.run(_play(Plot(cases=cases, days=days, seed=seed), console, once=once, as_json=as_json))
    if not outcome.invariants.holds:
        raise click.ClickException("an invariant is violated: this is a defect of Recoup")


async def _play(plot: "Plot", console: "Console", *, once: bool, as_json: bool) -> "Outcome":
    from api.demo.report import outcome_of, show
    from api.demo.scene import stage

    home = Path(tempfile.mkdtemp(prefix="recoup-demo-"))
    started = time.monotonic()
    stop = _stop_on_signals()
    try:
        async with stage(plot, home) as scene:
            await _run_with_progress(scene, console, stop)
            outcome = await outcome_of(scene, time.monotonic() - started)
            show(outcome, console)
            if as_json:
                click.echo(json.dumps(outcome.document()))
            if not once:
                _tell_address(scene, console)
                await stop.wait()
    except click.Abort:
        shutil.rmtree(home)
        raise
    except Exception:
        console.print(f"What the programs said is in {home}/logs.", style="red")
        raise
    shutil.rmtree(home)
    return outcome


async def _run_with_progress(scene: "Stage", console: "Console", stop: asyncio.Event) -> None:
    """Plays the days under a progress bar; Ctrl-C ends it early, and everything is stopped all the same."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from api.demo.driver import Driver
    from tools.sandbox.population import DEFAULT_START

    plot = scene.plot
    console.print(
        f"{plot.cases} failed payments over {plot.days} simulated days, seed {plot.seed}. Policy: api/demo/policy.toml (mode hybrid)."
        " A simulated approver answers what a person would be asked. All money is simulated."
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("day {task.completed:.1f} of {task.total:.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("simulating", total=plot.days)
        driver = Driver(scene, on_step=lambda at: progress.update(bar, completed=(at - DEFAULT_START).total_seconds() / 86_400))
        playing, stopping = asyncio.create_task(driver.run()), asyncio.create_task(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not playing.done():
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
            raise click.Abort
        await playing


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _tell_address(scene: "Stage", console: "Console") -> None:
    console.print(f"Recoup runs on [bold]{scene.api_url}[/bold] (try /api/v1/cases) with this key of the demo's approver:")
    console.print(f"  Authorization: Bearer {scene.approver_key}", soft_wrap=True, highlight=False)
    console.print("Ctrl-C stops it.")
