"""The command ``recoup``. Subcommands are imported when they run, so that ``--help`` answers at once."""

from importlib import import_module
from typing import Any

import click

from recoup.errors import RecoupError

# name: (module, the command in it, one line for --help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": ("api.cli.serve", "command", "Run the HTTP API and a worker."),
    "worker": ("api.cli.worker", "command", "Run a worker alone; start as many as you like."),
    "migrate": ("api.cli.migrate", "command", "Bring the database up to date."),
    "demo": ("api.cli.demo", "command", "Thirty simulated days of failed payments in about a minute."),
    "sandbox": ("api.cli.sandbox", "sandbox", "Run the simulated billing platform."),
    "doctor": ("api.cli.doctor", "command", "Check this installation and say what to mend."),
    "connections": ("api.cli.connections", "command", "List connections; check whether one is set up; read its past."),
    "decide": ("api.cli.decide", "decide", "Make one decision offline and show it node by node."),
    "cases": ("api.cli.cases", "command", "List cases, show one, hold or release it."),
    "approvals": ("api.cli.approvals", "command", "List what waits for a person, and answer it."),
    "events": ("api.cli.events", "command", "List what came in; replay what is dead."),
    "audit": ("api.cli.audit", "command", "Verify the audit log and check the invariants."),
    "keys": ("api.cli.keys", "command", "Create, list and revoke API keys."),
    "explain-decline": ("api.cli.explain_decline", "command", "Say what a decline code means and what is allowed after it."),
    "rules": ("api.cli.rules", "command", "Check the rules of retrying; list codes that nobody knows."),
    "evals": ("api.cli.evals", "command", "Run evals, compare two runs, make samples of people's answers."),
    "shadow": ("api.cli.shadow", "command", "Report what was decided in shadow mode."),
    "backtest": ("api.cli.backtest", "command", "Play policies on simulated failed payments and compare them."),
    "evaluate": ("api.cli.evaluate", "command", "Tell from logged decisions what another policy would have come to."),
    "train": ("api.cli.train", "command", "Learn from a history how likely charges are approved."),
    "world": ("api.cli.world", "command", "Look at a simulated world; write a history of one."),
    "tickets": ("api.cli.tickets", "command", "Put in, search and forget what customers wrote before."),
    "models": ("api.cli.models", "command", "Show the language models, their budgets, and what was spent."),
    "policy": ("api.cli.policy", "command", "Show, set, compare and test policies."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command only to run it or to tell more of it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        return getattr(import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, _, short) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Errors that Recoup raises on purpose become one clear line and exit code 1; wrong use is click's exit code 2."""
        try:
            return super().invoke(ctx)
        except RecoupError as exc:
            raise click.ClickException(str(exc)) from exc


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="recoup")
def main() -> None:
    """Recoup recovers failed subscription payments: it decides whether, when and how to retry, write, wait or escalate, and stops the
    instant the money arrives.

    Settings come from RECOUP_* in the environment and from recoup.toml.
    """
