"""Random histories of merchants at Stripe and Recurly: nobody is charged twice, all invariants hold, our money state is the platform's.

``make soak`` runs ten thousand others; a failing one names the command that repeats it alone."""

import pytest

from tests.disorder.databases import Databases
from tests.merchants.shop import Kind
from tests.merchants.suite import run_histories

HISTORIES, AT_ONCE = 150, 15


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
@pytest.mark.parametrize("first", range(0, HISTORIES, AT_ONCE))
async def test_whatever_happens_nobody_is_charged_twice_and_the_books_agree(server_url: str, template: str, kind: Kind, first: int) -> None:
    await run_histories(Databases(server_url, template), kind, range(first, first + AT_ONCE))
