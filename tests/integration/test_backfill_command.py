"""``recoup connections backfill`` as a person uses it, against a sandbox over HTTP and a real database."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from memory.database import Database
from recoup.clock import wall_now
from tests.command import COMMAND, Said, run_recoup
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.deciding import rows
from tests.sandbox_server import API_KEY, WEBHOOK_SECRET, advance, client_of, running_sandbox, sandbox_options
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly import API_KEY as RECURLY_KEY

# A page of history has a hundred.
INVOICES = 130
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


class Recoup:
    """The command on the test's database, with two connections."""

    def __init__(self, database_url: str, home: Path, address: str) -> None:
        (home / "recoup.toml").write_text(TOML.format(address=address), encoding="utf-8")
        places = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "RECOUP_CONFIG": str(home / "recoup.toml")}
        self._environment = places | {"SANDBOX_KEY": API_KEY, "SANDBOX_SECRET": WEBHOOK_SECRET}

    async def __call__(self, *arguments: str) -> Said:
        return await run_recoup(self._environment, "connections", "backfill", *arguments)


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
        (("recurly-events",), 1, "connections.recurly-events has no api_key: only its webhooks are heard"),
        (("sandbox", "--since", "2999-01-01"), 1, "is not in the past"),
        (("sandbox", "--since", "the beginning"), 2, "neither a length such as 90d"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line(recoup: Recoup, arguments: tuple[str, ...], code: int, says: str) -> None:
    said = await recoup(*arguments)
    assert said.code == code
    assert says in said.err
    assert "Traceback" not in said.err


class Shop:
    """A double with many invoices, and the command on it: the connection ``recurly`` with its whole limit."""

    def __init__(self, database_url: str, home: Path, bench: RecurlyBench) -> None:
        self.double = bench.double
        toml = f'platform = "recurly"\napi_key = "env:RECURLY_KEY"\napi_base = "{bench.url}"\nwebhook_secrets = ["env:RECURLY_KEY"]\n'
        (home / "recoup.toml").write_text(f"[connections.recurly]\nlimit_share = 1.0\n{toml}", encoding="utf-8")
        places = {"RECOUP_DATABASE_URL": database_url, "RECOUP_HOME": str(home), "RECOUP_CONFIG": str(home / "recoup.toml")}
        self._environment = places | {"RECURLY_KEY": RECURLY_KEY, "TERM": "xterm", "COLUMNS": "100"}

    def start(self, **how: Any) -> subprocess.Popen[str]:
        """The command, running."""
        command = COMMAND
        arguments = ("connections", "backfill", "recurly", "--since", "90d")
        return subprocess.Popen(
            [sys.executable, "-c", command, *arguments], env=self._environment, text=True, stdout=subprocess.PIPE, **how
        )

    def hold_second_page(self) -> threading.Event:
        """Lets the list of invoices wait after its first page, until the event is set."""
        until = threading.Event()
        self.double.misbehaviours.add(Trouble.HELD, "GET", "/invoices", skip=1, until=until, times=None)
        return until


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Generator[Shop]:
    with recurly_bench(start=wall_now() - timedelta(days=40)) as bench:
        account = bench.double.account(bench.double.card())
        for _ in range(INVOICES):
            bench.double.invoice(account)
            bench.double.advance(timedelta(hours=6))
        yield Shop(database_url, tmp_path, bench)


def until(holds: Callable[[], bool]) -> None:
    """Waits for it, for a minute at most."""
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_it_goes_on_where_it_was_interrupted(shop: Shop, number: int, owner_url: str) -> None:
    held = shop.hold_second_page()
    first = shop.start(stderr=subprocess.PIPE)
    with psycopg.connect(owner_url, autocommit=True) as rows:
        until(lambda: rows.execute("SELECT invoices FROM backfills").fetchone() == (100,))
        first.send_signal(number)
        _, said = first.communicate(timeout=60)
        assert first.returncode != 0
        if number == signal.SIGINT:
            assert "Not finished: 100 invoices are kept, and the same command goes on from there." in said
            assert "Traceback" not in said
        held.set()
        again = shop.start(stderr=subprocess.PIPE)
        out, said = again.communicate(timeout=60)
        assert again.returncode == 0, said
        assert said.startswith("Goes on where it stopped: 100 invoices so far.\n")
        assert out.startswith(f"{INVOICES} invoices issued since ")
        assert rows.execute("SELECT count(*), count(DISTINCT vendor_id) FROM invoices").fetchone() == (INVOICES, INVOICES)
    first_pages = [one for one in shop.double.exchanges("GET", "/invoices") if "cursor" not in one.request.query]
    assert len(first_pages) == 1, "what is in the rows is not asked for again"


def test_without_a_terminal_progress_is_lines(shop: Shop) -> None:
    out, said = shop.start(stderr=subprocess.PIPE).communicate(timeout=60)
    assert re.fullmatch(r" +\d+ %: 100 invoices, back to \d{4}-\d\d-\d\d\n", said)
    assert out.startswith(f"{INVOICES} invoices issued since ")


def test_on_a_terminal_it_is_a_bar_that_is_gone_at_the_end(shop: Shop) -> None:
    ours, theirs = pty.openpty()
    try:
        process = shop.start(stderr=theirs)
        os.close(theirs)
        drawn = ""
        while piece := _read(ours):
            drawn += piece
        out, _ = process.communicate(timeout=60)
    finally:
        os.close(ours)
    assert process.returncode == 0, drawn
    assert "100 invoices, back to" in drawn
    assert "%" in drawn
    assert "\x1b[2K" in drawn, "the bar is wiped"
    assert out.startswith(f"{INVOICES} invoices issued since ")


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:  # the other end is closed: Linux says so with an error
        return ""
