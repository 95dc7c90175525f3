"""Ten thousand random histories of merchants at Stripe and Recurly.

``RECOUP_SOAK_HISTORIES`` changes how many, ``RECOUP_SOAK_FIRST_SEED`` where they begin; ``RECOUP_HISTORY=stripe:4711`` runs that one."""

import os
from typing import cast

import pytest

from tests.disorder.databases import Databases
from tests.merchants.shop import Kind
from tests.merchants.suite import run_histories

HISTORIES = int(os.environ.get("RECOUP_SOAK_HISTORIES", "10000"))
# Those below are run by ``make test``.
FIRST_SEED = int(os.environ.get("RECOUP_SOAK_FIRST_SEED", "1000"))
SHARES = 10


def chosen() -> list[tuple[Kind, range]]:
    """The one history that is asked for, or all of both platforms in shares, so that several processes can divide them."""
    if "RECOUP_HISTORY" in os.environ:
        kind, _, seed = os.environ["RECOUP_HISTORY"].partition(":")
        return [(cast("Kind", kind), range(int(seed), int(seed) + 1))]
    kinds: tuple[Kind, ...] = ("stripe", "recurly")
    last = FIRST_SEED + HISTORIES // len(kinds)
    return [(kind, range(FIRST_SEED + share, last, SHARES)) for share in range(SHARES) for kind in kinds]


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "seeds"), chosen(), ids=str)
async def test_whatever_happens_nobody_is_charged_twice_and_the_books_agree(
    server_url: str, template: str, kind: Kind, seeds: range
) -> None:
    print(f"{kind}: {len(seeds)} histories, seeds {seeds}")
    await run_histories(Databases(server_url, template), kind, seeds)
