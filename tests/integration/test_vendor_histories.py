"""Random histories of merchants at Stripe and Recurly: nobody is charged twice, all invariants hold, our money state is the platform's.

``make soak`` runs ten thousand others; a failing one names the command that repeats it alone."""

import pytest

from tests.disorder.databases import Databases
from tests.merchants.shop import Kind
from tests.merchants.suite import run_histories

HISTORIES, AT_ONCE = 150, 15
# In these, planted faults of looking up what was lost come to light; other dice need other seeds.
TELLING: tuple[tuple[Kind, int], ...] = (("recurly", 43), ("stripe", 10))


@pytest.mark.parametrize("kind", ["stripe", "recurly"])
@pytest.mark.parametrize("first", range(0, HISTORIES, AT_ONCE))
async def test_whatever_happens_nobody_is_charged_twice_and_the_books_agree(server_url: str, template: str, kind: Kind, first: int) -> None:
    await run_histories(Databases(server_url, template), kind, range(first, first + AT_ONCE))


@pytest.mark.parametrize(("kind", "seed"), TELLING)
async def test_what_was_lost_is_found_as_the_exact_attempt_and_no_key_outlives_its_life(
    server_url: str, template: str, kind: Kind, seed: int
) -> None:
    await run_histories(Databases(server_url, template), kind, [seed])
