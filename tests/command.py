"""The command ``recoup`` as a process of its own, and what it answered."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

# Whoever starts the tests in the background has Ctrl-C ignored in all that they start.
COMMAND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from api.cli.main import main; main(prog_name='recoup')"


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


async def run_recoup(environment: Mapping[str, str], *arguments: object) -> Said:
    """``recoup`` with these arguments; ``environment`` goes over this process's own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COMMAND,
        *map(str, arguments),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())
