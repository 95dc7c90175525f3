"""Runs a command's coroutine: settings, logging, one event loop, and a stop that a signal asks for."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from graph.logging import configure_logging
from graph.settings import load_settings
from recoup.settings import Settings

ResultT = TypeVar("ResultT")


def run(command: Callable[[Settings], Coroutine[Any, Any, ResultT]]) -> ResultT:
    """A command that ends by itself: ``run(lambda settings: show(settings, case_id))``."""
    settings = load_settings()
    configure_logging(settings.log_level if settings.log_level != "info" else "error")
    return asyncio.run(command(settings))


def run_until_stopped(command: Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """A command that runs until SIGTERM or SIGINT sets its event; it then ends its work and returns."""
    import uvloop

    settings = load_settings()
    configure_logging(settings.log_level)

    async def watched() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await command(settings, stop)

    uvloop.run(watched())
