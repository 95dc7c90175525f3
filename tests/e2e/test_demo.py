"""The demo as a person runs it: each part a process of its own, one object at the end, no outcome that a killed worker could change."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.drafting import NAMES
from api.demo.driver import Driver
from api.demo.scene import Plot, stage
from tests.conftest import APP_ROLE, database_url_of, execute
from tests.drafts import GOOD
from tests.vendors.model_server import Asked, ModelServer, Reply, answers

KEYS = {
    *("events", "cases", "recovered_share", "recovered_amount_share", "decisions", "actions", "denied", "approvals", "messages"),
    *("model_calls", "audit", "violations", "examined", "elapsed_seconds"),
}
OUTCOME = """
SELECT i.vendor_id, c.episode, c.status, c.attribution, c.closed_at, c.suspended,
       (SELECT string_agg(a.name || ' ' || a.state, ', ' ORDER BY a.created_at, a.position, a.name) FROM actions a WHERE a.case_id = c.id)
FROM cases c JOIN invoices i ON i.id = c.invoice_id ORDER BY i.vendor_id, c.episode
"""

Environment = dict[str, str]


@pytest.fixture
def new_database(server_url: str, template: str) -> Generator[Callable[[], Environment]]:
    """Makes empty databases and gives the environment that points at one."""
    made: list[str] = []

    def make() -> Environment:
        made.append(f"recoup_demo_{os.getpid()}_{secrets.token_hex(4)}")
        execute(server_url, "CREATE DATABASE {} TEMPLATE {}", made[-1], template)
        return {
            "RECOUP_DATABASE_URL": database_url_of(server_url, made[-1], APP_ROLE),
            "RECOUP_MIGRATE_URL": database_url_of(server_url, made[-1]),
        }

    yield make
    for name in made:
        execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


def test_the_demo_ends_with_one_object_and_no_violation(new_database: Callable[[], Environment], tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "api.cli", "demo", "--once", "--json", "--cases", "8", "--days", "12"],
        env={**os.environ, **new_database(), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    outcome = json.loads(ran.stdout.strip().splitlines()[-1])
    assert outcome.keys() == KEYS
    assert set(outcome["violations"].values()) == {0}
    assert outcome["violations"].keys() == outcome["examined"].keys()
    assert outcome["examined"]["one_effect_per_action"] > 0
    assert sum(outcome["cases"].values()) >= 8
    assert outcome["audit"]["verified"] == outcome["audit"]["entries"] > 0
    assert outcome["actions"]["done"] > 0
    assert outcome["messages"] > 0
    assert outcome["approvals"].keys() <= {"decided", "void", "expired"}
    assert list(tmp_path.iterdir()) == [], "the demo left something behind"


def test_with_a_model_the_demo_sends_its_words_and_no_one_is_named_to_it(new_database: Callable[[], Environment], tmp_path: Path) -> None:
    def write(asked: Asked) -> Reply:
        spoken = next(code for code, name in NAMES.items() if f"Language: {name}" in asked.texts[1])
        return answers(GOOD[spoken].model_dump())

    database = new_database()
    with ModelServer(write).running() as server:
        model = {"RECOUP_MODEL": "openai:gpt-4o-mini", "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": ""}
        ran = subprocess.run(
            [sys.executable, "-m", "api.cli", "demo", "--once", "--json", "--cases", "8", "--days", "5"],
            env={**os.environ, **database, **model, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    outcome = json.loads(ran.stdout.strip().splitlines()[-1])
    assert set(outcome["violations"].values()) == {0}
    with psycopg.connect(database["RECOUP_MIGRATE_URL"]) as connection:
        written = connection.execute("SELECT count(*) FROM actions WHERE args ? 'words' AND state = 'done'").fetchone()
        people = connection.execute("SELECT first_name, full_name, email, phone FROM contacts").fetchall()
        ids = connection.execute(
            "SELECT id FROM accounts UNION ALL SELECT vendor_id FROM accounts UNION ALL SELECT vendor_id FROM invoices"
        )
        known = {value for row in [*people, *ids.fetchall()] for value in row if value}
    assert written is not None
    assert written[0] > 0
    assert outcome["messages"] > 0
    # Whoever is in the same situation shares what was written.
    assert 0 < outcome["model_calls"] == len(server.asked) < written[0]
    tapped = b"".join(asked.raw for asked in server.asked).decode()
    assert len(known) > 10
    assert [value for value in known if value in tapped] == []


async def test_killing_a_worker_in_the_middle_changes_no_outcome(
    new_database: Callable[[], Environment], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def outcome(name: str, *, kill: bool) -> list[dict[str, Any]]:
        for variable, value in new_database().items():
            monkeypatch.setenv(variable, value)
        home = tmp_path / name
        home.mkdir()
        steps: list[datetime] = []
        async with stage(Plot(cases=6, days=9, seed=5), home) as scene:

            def on_step(at: datetime) -> None:
                steps.append(at)
                if kill and len(steps) in {4, 9, 14, 19}:
                    scene.workers[len(steps) % 2].kill()

            await Driver(scene, on_step).run()
            assert not kill or sum(worker.starts for worker in scene.workers) > len(scene.workers)
            async with scene.db.read() as session:
                return await session.dicts(OUTCOME)

    undisturbed = await outcome("undisturbed", kill=False)
    assert await outcome("disturbed", kill=True) == undisturbed
    assert {row["status"] for row in undisturbed} >= {"open", "recovered"}
