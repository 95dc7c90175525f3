"""Real processes are killed at named points of their way: nothing is lost, nothing happens twice, and the living take over in time."""

from pathlib import Path

import pytest

from api.demo.scene import Plot
from tests.crash.books import problems_of
from tests.crash.driver import PatientDriver
from tests.crash.points import BY_NAME
from tests.crash.scene import scene
from tests.crash.storm import TAKEOVER_SECONDS

LEAST_KILLS = 15
NAMES = (
    "before-the-event-is-kept",
    "after-commit-before-answer",
    "the-202-is-lost",
    "the-sender-dies-before-the-202",
    "platform-dies-at-a-reading",
    "before-the-event-is-finished",
    "during-checkpoint-write",
    "decision-committed-unheard",
    "between-start-and-send",
    "charge-answer-lost",
    "charge-request-sent",
    "charge-response-not-read",
    "after-send-before-outcome",
    "mail-data-accepted-no-reply",
    "mail-server-dies-at-a-text",
    "answer-committed-unheard",
    "database-dies-at-a-commit",
    "supervisor-dies-at-a-commit",
)
# Nobody else is killed, and nothing is started again, until the other worker has done what this victim held.
TAKEN_OVER = ("before-the-answer-is-used",)


@pytest.mark.xdist_group("crashes")
async def test_whoever_is_killed_nothing_is_lost_and_nothing_done_twice(tmp_path: Path) -> None:
    async with scene(Plot(cases=60, days=3, seed=5), tmp_path) as running:
        storm = running.storm
        storm.arm([BY_NAME[name] for name in (*TAKEN_OVER, *NAMES)], held_down=TAKEN_OVER)
        await PatientDriver(running.stage, storm=storm).run()
        assert "\n".join(await problems_of(running)) == ""
    assert [point.name for point in storm.armed] == [], "these points were never reached"
    assert len(storm.kills) >= LEAST_KILLS
    assert {name for name, seconds in storm.takeovers if seconds <= TAKEOVER_SECONDS} == set(TAKEN_OVER), storm.takeovers
