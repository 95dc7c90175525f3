"""Accepting a webhook beside an endpoint of the same shape that does one bare INSERT: 16 connections, signed bodies of 6 KB."""

from collections.abc import AsyncGenerator
from pathlib import Path
from statistics import median

from evals.bench.figure import Figure, compare, take_turns
from evals.bench.load import CONNECTIONS, Load, Order, load
from evals.bench.payload import stripe_failure
from evals.bench.processes import accepts, environment, free_port, listening
from evals.bench.server import Server, connected

FLOOR = 0.5
SECONDS, REPEATS = 3.0, 7
SUBJECTS = 1_000_000
SECRET = "whsec_bench"  # noqa: S105 - not a secret
CONFIG = '[connections.bench]\nplatform = "stripe"\nwebhook_secrets = ["env:RECOUP_BENCH_SECRET"]\n'


async def figures(postgres: Server, home: Path) -> AsyncGenerator[Figure]:
    """Requests a second, with the 99th percentile of both."""
    config = write_config(home)
    doors: dict[str, list[Load]] = {"/webhooks/bench": [], "/bare/bench": []}
    async with postgres.fresh() as urls:
        with connected(urls.owner) as owner:
            owner.execute("CREATE TABLE bench_bodies (id text PRIMARY KEY, connection text NOT NULL, body text NOT NULL)")
            owner.execute("GRANT INSERT ON bench_bodies TO PUBLIC")
        told = environment(urls, home, config=str(config), bench_secret=SECRET)
        bare_port = free_port()
        async with (
            listening(["-m", "api.cli", "serve", "--port", "0", "--no-worker"], told) as (_, port),
            listening(["-m", "evals.bench.bare_app", str(bare_port)], told),
        ):
            await accepts(bare_port)

            async def rate(path: str, port: int) -> float:
                first = 1 + sum(len(loads) for loads in doors.values()) * SUBJECTS
                doors[path].append(await load(Order(port=port, path=path, secret=SECRET, first=first, subjects=SUBJECTS, seconds=SECONDS)))
                return doors[path][-1].per_second

            accepted, bare = await take_turns(REPEATS, lambda: rate("/webhooks/bench", port), lambda: rate("/bare/bench", bare_port))
    p99 = {
        "p99_ms": median(one.p99_ms for one in doors["/webhooks/bench"][1:]),
        "bare_p99_ms": median(one.p99_ms for one in doors["/bare/bench"][1:]),
    }
    size = stripe_failure()[1]
    yield compare(
        "webhook-accept", accepted, bare, floor=FLOOR, connections=CONNECTIONS, body_bytes=size, per_second=round(max(accepted)), **p99
    )


def write_config(home: Path) -> Path:
    """A recoup.toml with one Stripe connection."""
    config = home / "bench.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return config
