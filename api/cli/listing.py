"""A group of commands that lists when it is given no other command: ``recoup cases --json`` is ``recoup cases list --json``."""

import click

DEFAULT = "list"


class ListsByItself(click.Group):
    """Sends arguments that begin with no command's name to ``list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        wants_help = bool(args) and args[0] in ctx.help_option_names
        if not wants_help and not (args and args[0] in self.commands) and not (args and not args[0].startswith("-")):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)
