"""The command as people run it: whole processes on a real database, stopped and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

RECOUP = Path(sys.executable).with_name("recoup")
ADMIN = {"Authorization": "Bearer rk_test_admin_key_of_this_test_only"}


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """A clean environment on the test's own database; the mail goes into a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOUP_")}
    key = ADMIN["Authorization"].removeprefix("Bearer ")
    return kept | {"RECOUP_HOME": str(tmp_path), "RECOUP_DATABASE_URL": database_url, "RECOUP_ADMIN_KEY": key, "RECOUP_SANDBOX": "1"}


@contextmanager
def serving(environment: dict[str, str], *options: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A running ``recoup serve`` and its address."""
    command = [RECOUP, "serve", "--port", "0", *options]
    process = subprocess.Popen(command, env=environment, cwd=environment["RECOUP_HOME"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process, process.stdout.readline().removeprefix("Recoup listens on ").strip()
    finally:
        process.kill()
        process.wait()


def recoup(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [RECOUP, *arguments], env=environment, cwd=environment["RECOUP_HOME"], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("options", [(), ("--no-worker",)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_ready_answers_its_admin_and_stops_cleanly(environment: dict[str, str], options: tuple[str, ...], number: int) -> None:
    with serving(environment, *options) as (process, address):
        assert httpx.get(f"{address}/readyz").json()["ready"] is True
        assert httpx.get(f"{address}/api/v1/cases", headers=ADMIN).json() == {"items": [], "next_cursor": None}
        assert httpx.get(f"{address}/api/v1/cases").status_code == 401
        process.send_signal(number)
        assert process.wait(30) == 0


def test_a_worker_stops_cleanly(environment: dict[str, str], owner_url: str) -> None:
    worker = subprocess.Popen([RECOUP, "worker"], env=environment)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM procrastinate_workers").fetchone() is None:
            assert worker.poll() is None
            time.sleep(0.02)
    worker.terminate()
    assert worker.wait(30) == 0


def test_a_port_that_is_taken_is_a_clear_failure(environment: dict[str, str]) -> None:
    with serving(environment, "--no-worker") as (_, address):
        second = recoup(environment, "serve", "--port", address.rsplit(":", 1)[1])
    assert second.returncode == 1
    assert "in use" in second.stderr


def test_the_embedded_database_survives_the_kill_of_the_service(environment: dict[str, str]) -> None:
    del environment["RECOUP_DATABASE_URL"]
    with serving(environment) as (process, address):
        made = httpx.post(f"{address}/api/v1/keys", headers=ADMIN, json={"person": "ada", "role": "viewer"}).json()
        process.kill()
        process.wait()
    listed = recoup(environment, "keys", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert made["row"]["id"] in listed.stdout


def test_an_unmigrated_database_is_named_with_its_mend(environment: dict[str, str], owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("DROP TABLE alembic_version")
    refused = recoup(environment, "keys", "list")
    assert refused.returncode == 1
    assert "run recoup migrate" in refused.stderr


def test_a_database_that_is_away_is_one_clear_line(environment: dict[str, str]) -> None:
    away = environment | {"RECOUP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    refused = recoup(away, "keys", "list")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: PostgreSQL does not answer")
    assert "Traceback" not in refused.stderr


def test_migrating_says_so_and_the_doctor_is_content(environment: dict[str, str], owner_url: str) -> None:
    with_owner = environment | {"RECOUP_MIGRATE_URL": owner_url}
    assert recoup(with_owner, "migrate").stdout == "The database is up to date.\n"
    seen = recoup(environment, "doctor")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    assert "may not change the audit log" in seen.stdout
    assert "four eyes" in seen.stdout


def test_wrong_use_is_exit_code_2(environment: dict[str, str]) -> None:
    for arguments in (["nonsense"], ["keys", "create", "ada", "--role", "king"], ["serve", "--port", "x"], ["keys", "revoke"]):
        assert recoup(environment, *arguments).returncode == 2


def test_a_key_lives_from_create_to_revoke(environment: dict[str, str]) -> None:
    made = recoup(environment, "keys", "create", "ada", "--role", "viewer")
    assert made.stdout.startswith("rk_")
    [row] = [row for row in json.loads(recoup(environment, "keys", "list", "--json").stdout) if row["person"] == "ada"]
    assert recoup(environment, "keys", "revoke", row["id"]).returncode == 0
    again = recoup(environment, "keys", "revoke", row["id"])
    assert (again.returncode, again.stderr) == (1, f"Error: key {row['id']} is revoked already\n")
