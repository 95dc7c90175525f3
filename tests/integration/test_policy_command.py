"""``recoup policy`` as a person uses it: read, compare, try on the decisions of the past, put in force."""

import json
from pathlib import Path
from typing import LiteralString

import pytest

from memory import decisions
from memory.database import Database
from memory.decisions import Conclusion, DecisionState, Stamp
from recoup.gate import judge
from recoup.policy import Policy, default_policy_text
from recoup.proposal import Proposal
from tests.command import Said, run_recoup
from tests.factories import FAILED_AT, NOW, make_facts, make_message, make_note, proposed

BOLD = default_policy_text().replace('mode = "approve"', 'mode = "auto"').replace("last_day = 28", "last_day = 30")

ROWS_OF_A_CASE: tuple[LiteralString, ...] = (
    "INSERT INTO accounts (id, connection, vendor_id, observed_at) VALUES ('acc_1', 'sandbox', 'cus_1', %(at)s)",
    "INSERT INTO invoices (id, connection, vendor_id, account_id, snapshot, stamps, observed_at, read_at)"
    " VALUES ('inv_1', 'sandbox', 'in_1', 'acc_1', '{}', '{}', %(at)s, %(at)s)",
    "INSERT INTO cases (id, invoice_id, account_id, connection, episode, status, opened_at, first_failed_at, simulated, woken_at)"
    " VALUES ('case_1', 'inv_1', 'acc_1', 'sandbox', 1, 'open', %(at)s, %(at)s, true, %(at)s)",
)


class Recoup:
    """The command ``recoup policy`` on the test's database."""

    def __init__(self, database_url: str, home: Path) -> None:
        self._environment = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "COLUMNS": "200"}

    async def __call__(self, *arguments: object) -> Said:
        return await run_recoup(self._environment, "policy", *arguments)


@pytest.fixture
def recoup(database_url: str, tmp_path: Path) -> Recoup:
    """The command on the test's own database."""
    return Recoup(database_url, tmp_path / "home")


@pytest.fixture
def bold(tmp_path: Path) -> Path:
    """A policy file that runs messages and charges by itself, for thirty days."""
    path = tmp_path / "bold.toml"
    path.write_text(BOLD, encoding="utf-8")
    return path


async def store_decision(db: Database) -> str:
    """A decision of yesterday: a message was asked and a note was run. Gives the message's action id."""
    facts = make_facts()
    message, note = proposed(make_message()), proposed(make_note())
    proposal = Proposal(agent="prioritization", reason="it failed", actions=(message, note))
    verdicts = tuple(judge(one, (), facts, Policy()) for one in proposal.actions)
    async with db.write() as tx:
        for insert in ROWS_OF_A_CASE:
            await tx.run(insert, {"at": FAILED_AT})
        stamp = Stamp(policy_version=1, flow_version="1", prompts_digest="none")
        await decisions.start(tx, "dec_1", facts=facts, stamp=stamp, trigger="payment_failed")
        conclusion = Conclusion(route="plan", proposals=(proposal,), verdicts=verdicts, trace=(), outcome="asked")
        await decisions.conclude(tx, "dec_1", "case_1", DecisionState.WAITING, conclusion, at=NOW)
    return message.id


async def test_show_prints_a_file_that_can_be_edited_and_set_again(recoup: Recoup) -> None:
    said = await recoup("show")
    assert (said.code, said.out) == (0, default_policy_text())
    assert "version 1" in said.err
    told = json.loads((await recoup("show", "--version", 1, "--json")).out)
    assert (told["version"], told["text"]) == (1, default_policy_text())


async def test_set_puts_a_file_in_force_and_says_what_changed(recoup: Recoup, bold: Path) -> None:
    said = await recoup("set", bold, "--note", "trusting it now")
    assert said.code == 0, said.err
    assert "Version 2 is in force." in said.out
    assert 'mode: "approve" -> "auto"' in said.out
    assert "word for word" in (await recoup("set", bold, "--note", "again")).out
    row = json.loads((await recoup("show", "--json")).out)
    assert (row["version"], row["note"]) == (2, "trusting it now")


async def test_diff_compares_versions_and_files(recoup: Recoup, bold: Path) -> None:
    changes = json.loads((await recoup("diff", 1, bold, "--json")).out)
    assert {change["key"]: (change["before"], change["after"]) for change in changes} == {
        "mode": ("approve", "auto"),
        "steps.last_day": (28.0, 30.0),
    }
    assert (await recoup("diff", 1, 1)).out == "No key differs.\n"


async def test_test_tells_what_a_policy_would_have_changed_and_changes_nothing(recoup: Recoup, db: Database, bold: Path) -> None:
    message_id = await store_decision(db)
    told = json.loads((await recoup("test", bold, "--json")).out)
    assert (told["decisions"], told["actions"], told["unseen_keys"]) == (1, 2, ["steps.last_day"])
    (change,) = told["changes"]
    assert (change["action_id"], change["action"], change["before"], change["after"]) == (message_id, "send_message", "ask", "run")

    said = await recoup("test", bold)
    assert "1 of 2 actions in 1 decisions would be answered differently" in said.out
    assert "ask -> run: 1" in said.out
    assert json.loads((await recoup("show", "--json")).out)["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("set", "BAD", "--note", "no"), 1, "mode"),
        (("show", "--version", "9"), 1, "no policy version 9"),
        (("diff", "1", "nowhere.toml"), 1, "neither a version number nor a file"),
        (("set", "BAD"), 2, "--note"),
        (("test", "nowhere.toml"), 2, "does not exist"),
    ],
)
async def test_failures_exit_with_one_and_wrong_use_with_two(
    recoup: Recoup, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('mode = "bold"', encoding="utf-8")
    said = await recoup(*(bad if argument == "BAD" else argument for argument in arguments))
    assert said.code == code
    assert told in said.err
