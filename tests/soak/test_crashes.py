"""Two hundred kills and more, at every named point and at random, in worlds that differ: RECOUP_SOAK_KILLS, RECOUP_SOAK_SEED."""

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from api.demo.scene import Plot
from tests.crash.books import problems_of
from tests.crash.driver import PatientDriver
from tests.crash.points import POINTS, WORKER, Victim
from tests.crash.scene import Scene, scene
from tests.crash.storm import TAKEOVER_SECONDS

KILLS = int(os.environ.get("RECOUP_SOAK_KILLS", "200"))
SEED = int(os.environ.get("RECOUP_SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
KILLS_A_WORLD = 60

pytestmark = pytest.mark.soak


async def test_the_living_take_over_wherever_a_worker_dies(tmp_path: Path) -> None:
    """Every named point once. Where a worker dies it stays dead, and nobody else dies, until its work is done."""
    workers_die = [point.name for point in POINTS if point.caller == WORKER and point.victim is Victim.CALLER]
    async with scene(Plot(cases=40, days=8, seed=SEED), tmp_path) as running:
        running.storm.arm(POINTS, held_down=workers_die)
        await PatientDriver(running.stage, storm=running.storm).run()
        _tell(running)
        assert "\n".join(await problems_of(running)) == "", f"seed {SEED}"
    assert [point.name for point in running.storm.armed] == [], f"seed {SEED}: these points were never reached"
    assert [late for late in running.storm.takeovers if late[1] > TAKEOVER_SECONDS] == [], f"seed {SEED}"
    assert len(running.storm.takeovers) == len(workers_die)


async def test_kills_at_random_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    killed, dice = 0, random.Random(SEED)
    while killed < KILLS:
        seed = dice.randrange(10**6)
        enough = min(KILLS_A_WORLD, KILLS - killed)
        home = tmp_path / f"world-{seed}"
        async with scene(Plot(cases=dice.randint(30, 60), days=10, seed=seed), home) as running:
            await _play(running, random.Random(seed), enough)
            _tell(running)
            assert "\n".join(await problems_of(running)) == "", f"seed {SEED}, world {seed}"
        killed += len(running.storm.kills)
        print(f"crash soak: seed {SEED}, world {seed}: {killed} of {KILLS} kills")


async def _play(running: Scene, dice: random.Random, enough: int) -> None:
    raging = asyncio.create_task(running.storm.rage(dice, enough))
    try:
        await PatientDriver(running.stage, storm=running.storm).run()
    finally:
        raging.cancel()
        with suppress(asyncio.CancelledError):
            await raging


def _tell(running: Scene) -> None:
    storm = running.storm
    print(f"\ncrash soak: seed {SEED}: {len(storm.kills)} kills, {len(storm.cuts)} connections cut")
    for where, times in sorted(Counter(map(str, storm.kills)).items()):
        print(f"  {times} x {where}")
    for where, seconds in storm.takeovers:
        print(f"  taken over after {seconds:.1f} s: {where}")
