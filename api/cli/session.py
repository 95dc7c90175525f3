"""What the data commands share: services opened for one command, and who is at the keyboard."""

import getpass
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.cli.running import run
from graph.bootstrap import Services, open_services
from recoup.people import Person, Role
from recoup.settings import Settings

ResultT = TypeVar("ResultT")


def with_services(command: Callable[[Services], Awaitable[ResultT]]) -> ResultT:
    """Runs a coroutine with services opened for it, and gives its result."""

    async def opened(settings: Settings) -> ResultT:
        async with open_services(settings) as services:
            return await command(services)

    return run(opened)


def person_here() -> Person:
    """The operating system's user. Whoever can read the database's credentials is an administrator already."""
    return Person(name=getpass.getuser(), role=Role.ADMIN)
