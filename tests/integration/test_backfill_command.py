"""``recoup connections backfill`` as a person uses it, against a sandbox over HTTP and a real database."""

import asyncio
import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import pytest

from memory.database import Database
from tests.deciding import rows
from tests.sandbox_server import API_KEY, WEBHOOK_SECRET, advance, client_of, running_sandbox, sandbox_options

TOML = """
[connections.sandbox]
platform = "sandbox"
api_key = "env:SANDBOX_KEY"
api_base = "{address}"
webhook_secrets = ["env:SANDBOX_SECRET"]

[connections.recurly-events]
platform = "recurly"
webhook_secrets = ["env:SANDBOX_SECRET"]
"""


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


class Recoup:
    """The command on the test's database, with two connections."""

    def __init__(self, database_url: str, home: Path, address: str) -> None:
        (home / "recoup.toml").write_text(TOML.format(address=address), encoding="utf-8")
        places = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "RECOUP_CONFIG": str(home / "recoup.toml")}
        self._environment = os.environ | places | {"SANDBOX_KEY": API_KEY, "SANDBOX_SECRET": WEBHOOK_SECRET}

    async def __call__(self, *arguments: str) -> Said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from api.cli.main import main; main(prog_name='recoup')",
            *("connections", "backfill", *arguments),
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture
def recoup(database_url: str, tmp_path: Path) -> Generator[Recoup]:
    with running_sandbox(sandbox_options(tmp_path / "sandbox")) as address, client_of(address) as control:
        advance(control, 10)
        yield Recoup(database_url, tmp_path, address)


async def test_it_fills_the_rows_and_says_what_it_did(db: Database, recoup: Recoup) -> None:
    said = await recoup("sandbox", "--since", "2020-01-01")
    assert said.code == 0, said.err
    [(invoices,)] = await rows(db, "SELECT count(*) FROM invoices")
    assert invoices > 10
    assert said.out.startswith(f"{invoices} invoices issued since 2020-01-01 are in the rows.")
    assert said.err == ""
    again = await recoup("sandbox", "--since", "2020-01-01", "--json")
    told = json.loads(again.out)
    assert (told["invoices"], told["opened"], told["unread"]) == (invoices, 0, 0)
    assert told["finished_at"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("stripe-eu",), 1, "there are: sandbox, recurly-events"),
        (("recurly-events",), 1, "nothing here can fetch"),
        (("sandbox", "--since", "the beginning"), 2, "neither a length such as 90d"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line(recoup: Recoup, arguments: tuple[str, ...], code: int, says: str) -> None:
    said = await recoup(*arguments)
    assert said.code == code
    assert says in said.err
    assert "Traceback" not in said.err
