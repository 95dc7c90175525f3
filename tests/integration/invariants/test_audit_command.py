"""``recoup audit`` as a person uses it: verify the chains, read one, check the invariants. Exit codes 0, 1 and 2."""

import json
from pathlib import Path

import pytest

from evals.invariants import INVARIANTS
from tests.command import Said, run_recoup
from tests.integration.invariants.conftest import Copy


class Audit:
    """The command ``recoup audit`` on the test's database."""

    def __init__(self, database_url: str, home: Path) -> None:
        self._environment = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "COLUMNS": "200"}

    async def __call__(self, *arguments: object) -> Said:
        return await run_recoup(self._environment, "audit", *arguments)


@pytest.fixture
def audit(copy: Copy, tmp_path: Path) -> Audit:
    """The command on a copy of the past."""
    return Audit(copy.db.url, tmp_path / "home")


async def the_case(copy: Copy) -> str:
    async with copy.db.read() as session:
        return await session.value("SELECT case_id FROM actions ORDER BY id LIMIT 1")


async def test_chains_that_verify_say_so_and_a_broken_one_ends_with_1(copy: Copy, audit: Audit) -> None:
    sound = await audit("verify", "--json")
    assert sound.code == 0, sound.err
    told = json.loads(sound.out)
    assert told["entries"] == told["verified"] > 100
    assert told["problems"] == []

    await copy.plant("UPDATE audit_log SET body = replace(body, 'worker', 'walker') WHERE chain = ada() AND n = 2")
    broken = await audit("verify")
    assert broken.code == 1
    assert f"{told['entries'] - 1} of {told['entries']} entries verify" in broken.out
    assert "/2" in broken.out


async def test_a_chain_is_shown_in_the_order_of_its_commits(copy: Copy, audit: Audit) -> None:
    case_id = await the_case(copy)
    shown = await audit("show", case_id, "--json")
    assert shown.code == 0, shown.err
    entries = json.loads(shown.out)
    assert [entry["n"] for entry in entries] == list(range(1, len(entries) + 1))
    assert (entries[0]["kind"], entries[0]["state"], entries[0]["subject"]) == ("case", "open", case_id)

    few = await audit("show", case_id, "--limit", 3)
    assert few.code == 0
    assert few.out.count("2026-03-10 15:00") == 3
    assert "timer" in few.out


async def test_a_chain_that_is_not_there_ends_with_1(audit: Audit) -> None:
    said = await audit("show", "case_nobody")
    assert said.code == 1
    assert "there is no chain case_nobody" in said.err


async def test_a_clean_past_holds(audit: Audit) -> None:
    said = await audit("invariants", "--patience", 0, "--json")
    assert said.code == 0, said.out + said.err
    report = json.loads(said.out)
    assert report["violations"] == dict.fromkeys(INVARIANTS, 0)
    assert all(report["examined"].values())
    assert "sandbox has no ledger that can be read here" in report["notes"]["money_matches_the_platform"]


async def test_a_violation_is_named_and_ends_with_1(copy: Copy, audit: Audit, tmp_path: Path) -> None:
    await copy.plant("UPDATE inbox SET reason = NULL WHERE status = 'dead'")
    log = tmp_path / "worker.log"
    log.write_text("sent to ada@customer.example\n")
    said = await audit("invariants", "--log", log)
    assert said.code == 1
    assert "BROKEN  events_end_once: 8 rows, 1 violations" in said.out
    assert "dead without a reason" in said.out
    assert "worker.log:1: log line holds an e-mail address" in said.out
    assert "holds   money_matches_the_platform" in said.out


async def test_one_invariant_can_be_asked_for_alone(audit: Audit) -> None:
    said = await audit("invariants", "--only", "events_end_once", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["violations"] == {"events_end_once": 0}


WRONG = [
    (("invariants", "--only", "everything"), "there is no invariant everything"),
    (("invariants", "--patience", "-1"), "--patience"),
    (("invariants", "--log", "/nowhere/x.log"), "does not exist"),
    (("show",), "CASE_ID"),
    (("burn",), "No such command"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
async def test_wrong_use_ends_with_2(audit: Audit, arguments: tuple[str, ...], told: str) -> None:
    said = await audit(*arguments)
    assert said.code == 2
    assert told in said.err
