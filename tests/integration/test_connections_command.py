"""``recoup connections``: what is listed, and that a check names the fault and its mend."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.main import main
from api.demo.processes import free_port
from tests.sandbox_server import API_KEY, WEBHOOK_SECRET, running_sandbox, sandbox_options

TOML = """
[connections.sandbox]
platform = "sandbox"
api_key = "env:SANDBOX_KEY"
api_base = "{address}"
webhook_secrets = ["env:SANDBOX_SECRET"]

[connections.recurly-events]
platform = "recurly"
webhook_secrets = ["env:SANDBOX_SECRET"]

[connections.recurly]
platform = "recurly"
api_key = "env:SANDBOX_KEY"

[connections.stripe]
platform = "stripe"
api_key = "env:SANDBOX_KEY"

[connections.stripe-old]
platform = "stripe"
api_key = "env:SANDBOX_KEY"
api_version = "2023-08-16"

[connections.stripe-astray]
platform = "stripe"
api_key = "env:SANDBOX_KEY"
api_base = "https://stripe.example"
webhook_secrets = ["env:SANDBOX_SECRET"]
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_sandbox(sandbox_options(tmp_path_factory.mktemp("sandbox"))) as base_url:
        yield base_url


@pytest.fixture
def home(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with three connections and no database."""
    (tmp_path / "recoup.toml").write_text(TOML.format(address=address), encoding="utf-8")
    for name, value in {"RECOUP_HOME": str(tmp_path), "SANDBOX_KEY": API_KEY, "SANDBOX_SECRET": WEBHOOK_SECRET}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RECOUP_CONFIG", str(tmp_path / "recoup.toml"))
    monkeypatch.setenv("RECOUP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    return tmp_path


def recoup(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["connections", *arguments])


def listed() -> dict[str, dict[str, Any]]:
    result = recoup("--json")
    assert result.exit_code == 0, result.output
    return {line["name"]: line for line in json.loads(result.output)}


def test_the_list_says_what_can_and_cannot_be_done(home: Path, address: str) -> None:
    lines = listed()
    assert lines["sandbox"]["address"] == address
    assert "retry_payment" in lines["sandbox"]["can"]
    assert lines["sandbox"]["cannot"] == ["tag"]
    assert lines["recurly-events"]["address"] is None
    assert {"read", "retry_payment"} <= set(lines["recurly-events"]["cannot"])


@pytest.mark.parametrize(
    ("name", "can", "cannot"),
    [
        (
            "stripe",
            {"read", "retry_payment", "use_backup_method", "take_over_collection", "hand_back_collection", "refund_duplicate", "write_off"},
            {"extend_grace", "offer_payment_plan", "offer_discount", "refer_to_agency"},
        ),
        (
            "recurly",
            {"read", "retry_payment", "use_backup_method", "refund_duplicate", "cancel_subscription", "write_off"},
            {"take_over_collection", "hand_back_collection", "suspend_service", "reinstate_service", "extend_grace", "offer_discount"},
        ),
    ],
)
def test_of_each_platform_the_list_says_what_it_can_do_and_what_is_missing(home: Path, name: str, can: set[str], cannot: set[str]) -> None:
    line = listed()[name]
    assert can <= set(line["can"])
    assert cannot <= set(line["cannot"])
    assert set(line["can"]).isdisjoint(line["cannot"])
    row = next(row for row in recoup().output.splitlines() if row.split()[0] == name)
    assert all(action in row for action in can | cannot)


def test_the_list_says_which_version_of_its_api_each_platform_is_spoken_to_in(home: Path) -> None:
    told = {name: line["api_version"] for name, line in listed().items()}
    assert told["stripe"] == "2026-10-28.endive"
    assert told["stripe-old"] == "2023-08-16"
    assert told["recurly"] == "v2021-02-25"
    assert (told["sandbox"], told["recurly-events"], told["stripe-astray"]) == (None, None, None)
    assert "2026-10-28.endive" in recoup().output


def test_the_list_says_how_many_attempts_are_kept_for_the_platform(home: Path) -> None:
    assert {name: line["reserved_platform_attempts"] for name, line in listed().items()} == {
        "sandbox": 0,
        "recurly-events": 3,
        "recurly": 3,
        "stripe": 0,
        "stripe-old": 0,
        "stripe-astray": 0,
    }


def test_a_connection_that_cannot_be_opened_is_listed_with_its_problem(home: Path) -> None:
    assert "not a host of stripe" in listed()["stripe-astray"]["problem"]
    table = recoup().output
    assert "stripe-astray" in table
    assert "sandbox" in table


def test_without_connections_the_list_says_where_they_are_written(home: Path) -> None:
    (home / "recoup.toml").write_text("", encoding="utf-8")
    assert str(home / "recoup.toml") in recoup().output


def test_a_connection_that_is_set_up_passes_its_check(home: Path) -> None:
    result = recoup("check", "sandbox")
    assert result.exit_code == 0, result.output
    assert "fail" not in result.output
    told = json.loads(recoup("check", "sandbox", "--json").output)
    assert (told["connection"], told["ready"]) == ("sandbox", True)
    assert all(check["ok"] for check in told["checks"])


def test_the_check_names_the_fault_and_its_mend_and_no_secret(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_KEY", "sk_that_is_wrong")
    result = recoup("check", "sandbox")
    assert result.exit_code == 1
    assert "credentials" in result.output
    assert "connections.sandbox.api_key" in result.output
    assert "sk_that_is_wrong" not in result.output
    told = json.loads(recoup("check", "sandbox", "--json").stdout)
    assert [check["name"] for check in told["checks"] if not check["ok"]] == ["credentials"]


@pytest.mark.parametrize(
    ("name", "fault", "says"),
    [("recurly-events", "credentials", "only events are heard"), ("stripe-astray", "settings", "not a host of stripe")],
)
def test_what_cannot_be_asked_fails_the_check(home: Path, name: str, fault: str, says: str) -> None:
    result = recoup("check", name, "--json")
    assert result.exit_code == 1
    told = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert says in told[fault]["found"]
    assert told[fault]["fix"]


def test_a_platform_that_does_not_answer_is_a_finding(home: Path) -> None:
    (home / "recoup.toml").write_text(TOML.format(address=f"http://127.0.0.1:{free_port()}"), encoding="utf-8")
    result = recoup("check", "sandbox")
    assert result.exit_code == 1
    assert "reachable" in result.output


def test_a_name_that_is_no_connection_is_answered_with_those_there_are(home: Path) -> None:
    result = recoup("check", "stripe-us")
    assert result.exit_code == 1
    assert "sandbox" in result.output
    assert "stripe-us" in result.output
