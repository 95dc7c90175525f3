"""What a backtest costs: seconds a case with all policies, more cases beside fewer, and memory. No database is touched.

``python -m evals.bench.backtests CASES POLICY…`` plays one and says what it took.
"""

import json
import os
import resource
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from evals.backtest.run import POLICIES, Backtest, run
from evals.bench.figure import Figure, tell
from evals.bench.processes import said
from evals.bench.server import Server

PROMISED_CASES, MOST_SECONDS, MOST_MEGABYTES = 10_000, 240.0, 1500.0
CASES, TIMES, REPEATS, MOST_GROWTH = 500, 4, 2, 1.25
MEGABYTE_KIB = 1000_000 / 1024


@dataclass(frozen=True)
class _Took:
    """``cpu_seconds``: of all its processes. ``megabytes``: at most, shared pages counted in each of them."""

    seconds: float
    cpu_seconds: float
    megabytes: float


async def figures(postgres: Server, home: Path, *, cases: int) -> AsyncGenerator[Figure]:  # noqa: ARG001 - every benchmark takes the same
    """Seconds for 10,000 cases under all policies, told from fewer; whether more cases cost more each; memory at ``cases``."""
    few: list[_Took] = []
    many: list[_Took] = []
    for _ in range(REPEATS):
        few.append(await _played(CASES, POLICIES))
        many.append(await _played(CASES * TIMES, POLICIES))
        tell(f"{few[-1].seconds:.0f} s for {CASES} cases, {many[-1].seconds:.0f} s for {CASES * TIMES}")
    # What it takes to begin is taken once, however many cases there are.
    each = [(m.seconds - f.seconds) / (CASES * (TIMES - 1)) for f, m in zip(few, many, strict=True)]
    shares = [(f.seconds + one * (PROMISED_CASES - CASES)) / MOST_SECONDS for f, one in zip(few, each, strict=True)]
    told = {"cases_per_second": round(1 / median(each), 1), "policies": len(POLICIES), "cores": os.cpu_count()}
    yield Figure(name="backtest", ratio=median(shares), spread=(min(shares), max(shares)), ceiling=1.0, extra=told)
    growth = [m.cpu_seconds / f.cpu_seconds / TIMES for f, m in zip(few, many, strict=True)]
    told = {"cpu_ms_a_case": round(median(m.cpu_seconds for m in many) / CASES / TIMES * 1e3, 2)}
    yield Figure(name="backtest-linear", ratio=median(growth), spread=(min(growth), max(growth)), ceiling=MOST_GROWTH, extra=told)
    large = await _played(cases, ("fixed-1-3-5-7",))
    share = large.megabytes / MOST_MEGABYTES
    extra = {"megabytes": round(large.megabytes, 1), "cases": cases, "seconds": round(large.seconds, 1)}
    yield Figure(name="backtest-memory", ratio=share, spread=(share, share), ceiling=1.0, extra=extra)


async def _played(cases: int, policies: Sequence[str]) -> _Took:
    return _Took(**json.loads((await said(["-m", "evals.bench.backtests", str(cases), *policies], os.environ))[-1]))


def main(cases: int, policies: tuple[str, ...]) -> None:
    """Plays a backtest on all processors and prints one object."""
    backtest = Backtest(policies=policies, cases=cases, seeds=(101,))
    started = time.monotonic()
    run(backtest)
    seconds = time.monotonic() - started
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    took = _Took(
        seconds=round(seconds, 2),
        cpu_seconds=round(own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime, 2),
        megabytes=round((own.ru_maxrss + backtest.processes * others.ru_maxrss) / MEGABYTE_KIB, 1),
    )
    sys.stdout.write(json.dumps(vars(took)) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), tuple(sys.argv[2:]))
