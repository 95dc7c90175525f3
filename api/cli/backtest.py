"""``recoup backtest``: what policies would have come to, on simulated failed payments and on a merchant's own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from evals.backtest.figures import Comparison
    from evals.backtest.replay import Replay
    from evals.backtest.run import Backtest
    from recoup.policy import Policy

File = click.Path(exists=True, dir_okay=False, path_type=Path)
Folder = click.Path(file_okay=False, path_type=Path)
DEFAULT_POLICIES = "recoup,fixed-1-3-5-7,kill-bill-8-8-8,polar-2-5-7-7,stripe-like-8-in-14,by-code,never,oracle"
DEFAULT_WORLD = "tools.sandbox.world:home"
PROBLEMS_SHOWN = 20


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them; each once."""

    name = "names"

    def convert(self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """In the order given."""
        if not isinstance(value, str):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        return names or self.fail("names none", param, ctx)


class Seeds(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them; each once."""

    name = "seeds"

    def convert(self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """In the order given."""
        if not isinstance(value, str):
            return value
        try:
            seeds = tuple(dict.fromkeys(int(seed) for seed in value.split(",") if seed.strip()))
        except ValueError:
            self.fail(f"{value!r} are not whole numbers with commas between them", param, ctx)
        return seeds or self.fail("names none", param, ctx)


@click.command()
@click.option("--policy", "policies", type=Names(), default=DEFAULT_POLICIES, show_default=True, help="What is compared, by name.")
@click.option("--cases", type=click.IntRange(1, 1_000_000), default=2_000, show_default=True, help="Failed payments per seed.")
@click.option("--seeds", type=Seeds(), default="101,102,103", show_default=True, help="Worlds to judge in, such as 1,2,3.")
@click.option("--train-seeds", type=Seeds(), default=(), help="Other worlds, in which the best baseline is picked. Default: the judged.")
@click.option("--model", type=Folder, help="A folder that recoup train wrote. Default: published figures alone.")
@click.option("--policy-file", type=File, help="Recoup's house rules: an edited policy before it is in force. Default: the first.")
@click.option("--world", default=DEFAULT_WORLD, show_default=True, help="A factory of a world, as package.module:name.")
@click.option("--history", type=File, help="Failed payments of your own to replay beside it: CSV, JSONL or Parquet (docs/history.md).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the last line of the output.")
@click.option("--out", type=Folder, help="Folder for report.html, its pictures and result.json.")
def command(
    *,
    policies: tuple[str, ...],
    cases: int,
    seeds: tuple[int, ...],
    train_seeds: tuple[int, ...],
    model: Path | None,
    policy_file: Path | None,
    world: str,
    history: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Compare policies on the same simulated failed payments.

    Every policy asks the networks' rules before a charge; Recoup keeps its house rules besides. Recovery is counted by number and by amount
    within 28 days, net value by what attempts and messages cost; intervals are 95 %, by resampling accounts. The same seeds give the same
    figures. Nothing here is a real payment, except what --history holds.
    """
    from evals.backtest.report import result_of, write_report
    from evals.backtest.run import Backtest, currency_of, run
    from evals.backtest.wording import headline

    shared = sorted({*seeds} & {*train_seeds})
    if shared:
        raise click.BadParameter(f"seed {shared[0]} is also among the judged ones", param_hint="--train-seeds")
    backtest = Backtest(
        policies=policies, cases=cases, seeds=seeds, train_seeds=train_seeds, model=_model(model), house=_house(policy_file), world=world
    )
    # What a person gave is read before minutes are spent on playing.
    replayed = None if history is None else _replayed(history, backtest)
    found = run(backtest)
    if not as_json:
        click.echo(headline(found))
        _print_policies(found)
        if replayed is not None:
            _print_replay(replayed)
    if out is not None:
        report = write_report(out, found, currency_of(backtest), replayed)
        click.echo(f"The report is {report}", err=as_json)
    if as_json:
        click.echo(json.dumps(result_of(found, replayed)))


def _model(folder: Path | None) -> str | None:
    """The model's text, once it was seen to be one."""
    if folder is None:
        return None
    from agents.planner.model import load_model, model_text

    return model_text(load_model(folder))


def _house(path: Path | None) -> "Policy":
    from recoup.policy import Policy, parse_policy

    return Policy() if path is None else parse_policy(path.read_text(encoding="utf-8"))


def _replayed(path: Path, backtest: "Backtest") -> "Replay":
    from evals.backtest.replay import replay
    from evals.backtest.run import policies_of
    from evals.history import read_history

    history = read_history(path)
    for problem in history.problems[:PROBLEMS_SHOWN]:
        click.echo(f"{path.name}: {problem}", err=True)
    if len(history.problems) > PROBLEMS_SHOWN:
        click.echo(f"{path.name}: and {len(history.problems) - PROBLEMS_SHOWN} more", err=True)
    return replay(history, policies_of(backtest))


def _print_policies(found: "Comparison") -> None:
    from evals.backtest.wording import number, percent

    click.echo()
    heads = ("recovered", "of amount", "net", "attempts/rec.", "messages", "cancelled", "breaches")
    click.echo(f"{'policy':<22}" + "".join(f"{head:>14}" for head in heads))
    for name, one in sorted(found.policies.items(), key=lambda item: -item[1].net_minor):
        gained = percent(one.recovery_rate.value), percent(one.recovery_amount_share.value), number(one.net_minor / found.cases)
        effort = number(one.attempts_per_recovery), number(one.messages_per_case), percent(one.cancel_rate), number(one.cap_breaches, 0)
        click.echo(f"{name:<22}" + "".join(f"{word:>14}" for word in (*gained, *effort)))
    click.echo("\nnet: in minor units for each failed payment")


def _print_replay(replay: "Replay") -> None:
    from evals.backtest.wording import percent

    click.echo(f"\nOn {replay.cases} failed payments of the history:")
    for name, one in replay.policies.items():
        low, _, high = one.counts.bounds().values()
        click.echo(f"  {name:<22}known {percent(one.counts.known_share)}; recovered between {percent(low)} and {percent(high)}")
