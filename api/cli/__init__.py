"""The command ``recoup``, one file a subcommand."""
