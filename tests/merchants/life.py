"""What happens around a merchant, whichever the platform: customers, their banks, the platform's own retries, the merchant's people."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tests.vendors.chassis import Request, Site

AMOUNTS = (1900, 4900, 9900, 12000)


class Place(NamedTuple):
    """Calls that a trouble can hit."""

    method: str
    path_prefix: str


class Life(Protocol):
    """The verbs draw everything they need from the ``chance`` that they are given, and do nothing where nothing fits."""

    @property
    def charges(self) -> Place:
        """Where charges go."""
        ...

    @property
    def places(self) -> Sequence[Place]:
        """Where troubles happen."""
        ...

    def begin(self, chance: random.Random) -> None:
        """Customers with cards and bills, some of which fail."""
        ...

    def bill(self, chance: random.Random) -> None:
        """One more bill."""
        ...

    def customer_pays(self, chance: random.Random) -> None:
        """By the hosted link, maybe twice."""
        ...

    def platform_tries(self, chance: random.Random) -> None:
        """A retry that the platform has planned comes now."""
        ...

    def customer_changes_card(self, chance: random.Random) -> None:
        """Another card, which is the default from now on."""
        ...

    def merchant_acts(self, chance: random.Random) -> None:
        """The merchant's people give up, void, refund or cancel at the platform itself; or the customer disputes."""
        ...


class Desk:
    """The platform's own dashboard: what people do there is done at once and on no wire."""

    def __init__(self, double: Site, **headers: str) -> None:
        self._double = double
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """The status of the answer; a refusal is one too."""
        path, _, query = path.partition("?")
        return self._double.handle(Request(method, path, query, self._headers, body), None).status


def one_of(chance: random.Random, *verbs: Callable[[random.Random], None]) -> None:
    """Does one of them."""
    chance.choice(verbs)(chance)
