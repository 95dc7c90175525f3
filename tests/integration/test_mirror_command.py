"""``recoup connections mirror`` and ``recoup doctor`` as a person uses them: what a platform did not take, why, and once more."""

from pathlib import Path

import pytest

from memory import mirror
from memory.database import Database
from recoup.clock import wall_now
from tests.command import Said, run_recoup
from tests.deciding import rows
from tests.factories import NOW
from tests.fakes import make_services
from tests.scenes import open_case

TOML = """
[connections.sandbox]
platform = "sandbox"
api_key = "env:SANDBOX_KEY"
api_base = "http://127.0.0.1:1"
webhook_secrets = ["env:SANDBOX_SECRET"]
mirror = true
"""
WHY = "Misconfigured: connections.sandbox: the api_key lacks the permission rak_invoice_write"


class Recoup:
    """The command on the test's database."""

    def __init__(self, database_url: str, home: Path) -> None:
        (home / "recoup.toml").write_text(TOML, encoding="utf-8")
        places = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "RECOUP_CONFIG": str(home / "recoup.toml")}
        self._environment = places | {"SANDBOX_KEY": "sk", "SANDBOX_SECRET": "whsec", "COLUMNS": "250"}

    async def __call__(self, *arguments: str) -> Said:
        return await run_recoup(self._environment, *arguments)


@pytest.fixture
def recoup(database_url: str, tmp_path: Path) -> Recoup:
    return Recoup(database_url, tmp_path)


async def test_what_a_platform_did_not_take_is_told_and_tried_again(db: Database, recoup: Recoup) -> None:
    assert "took every note" in (await recoup("connections", "mirror", "sandbox")).out
    case_id = (await open_case(make_services(db))).case.id
    async with db.write() as tx:
        await mirror.want(tx, case_id, "sandbox", wall_now())
        await tx.run("UPDATE mirrors SET next_try_at = woken_at")
        held = await mirror.claim(tx, case_id, wall_now())
        assert held
        await mirror.give_up(tx, held, WHY, NOW)
    told = (await recoup("connections", "mirror", "sandbox")).out
    assert case_id in told
    assert "rak_invoice_write" in told
    assert "did not take 1 note: " in (await recoup("doctor")).out
    assert "1 are tried again" in (await recoup("connections", "mirror", "sandbox", "--again")).out
    assert await rows(db, "SELECT state, attempts, error FROM mirrors") == [("pending", 0, None)]


async def test_a_connection_that_is_not_there_is_named(db: Database, recoup: Recoup) -> None:
    said = await recoup("connections", "mirror", "nowhere")
    assert said.code != 0
    assert "there is no connection 'nowhere'" in said.err
