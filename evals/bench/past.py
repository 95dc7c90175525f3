"""What reading the past takes: a backfill of as many invoices as a merchant may have, by Stripe's adapter over HTTP, in one process."""

import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from evals.bench.figure import Figure, tell
from evals.bench.processes import environment, listening, said
from evals.bench.server import Server, opened

MOST_MEGABYTES = 300.0
CONFIG = '[connections.bench]\nplatform = "stripe"\napi_key = "env:RECOUP_BENCH_KEY"\napi_base = "http://127.0.0.1:{port}"\n'
TABLES = ("invoices", "attempts", "credentials", "accounts", "cases")


async def figures(postgres: Server, home: Path, *, invoices: int) -> AsyncGenerator[Figure]:
    """The greatest resident size of ``recoup connections backfill``, PostgreSQL not counted, as a share of what is allowed."""
    async with postgres.fresh() as urls:
        serving = environment(urls, home)
        async with listening(["-m", "evals.bench.past_server", str(invoices)], serving) as (_, port):
            config = home / "past.toml"
            config.write_text(CONFIG.format(port=port), encoding="utf-8")
            told = environment(urls, home, config=str(config), bench_key="sk_test_bench")
            started = time.monotonic()
            command = ["-m", "evals.bench.unhurried", "connections", "backfill", "bench", "--since", "90d", "--json"]
            row, peak = [json.loads(line) for line in await said(command, told)]
            seconds = time.monotonic() - started
        async with opened(urls.app) as db, db.read() as session:
            rows = {table: await session.value(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608 - constants
    if not row["invoices"] == rows["invoices"] == invoices:
        raise RuntimeError(f"{row['invoices']} of {invoices} invoices were read, and {rows['invoices']} are in the rows")
    share = peak["peak_megabytes"] / MOST_MEGABYTES
    tell(f"{peak['peak_megabytes']} MB, {invoices / seconds:.0f} invoices a second")
    extra = peak | {"seconds": round(seconds, 1), "per_second": round(invoices / seconds, 1), **rows}
    yield Figure(name="backfill", ratio=share, spread=(share, share), ceiling=1.0, extra=extra)
