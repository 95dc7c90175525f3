"""``recoup connections check`` on Stripe: every single fault is named, alone, with its mend. On the double, over real HTTP."""

import json
import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.cli.main import main
from recoup.clock import wall_now
from tests.vendors.stripe import StripeDouble
from tests.vendors.stripe_stage import stage
from tools.billing.stripe_changes import TYPES

HOOKS = "https://recoup.merchant.example/webhooks/stripe-eu"
# What the double calls each resource, as its restricted keys have it.
ALL_PERMISSIONS = {
    **dict.fromkeys(("invoice", "subscription", "charge"), "write"),
    **dict.fromkeys(("payment_intent", "customer", "payment_method", "dispute", "event", "webhook"), "read"),
}
MISSING = [*((resource, None) for resource in ALL_PERMISSIONS), ("invoice", "read"), ("subscription", "read"), ("charge", "read")]
# The whole limit: a check here does not have to leave room for anybody.
TOML = """
[connections.stripe-eu]
platform = "stripe"
livemode = {livemode}
api_key = "env:STRIPE_KEY"
api_base = "{address}"
webhook_secrets = [{secrets}]
limit_share = 1.0
"""


class Bench:
    """A double and an installation that is connected to it."""

    def __init__(self, double: StripeDouble, address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.double, self.address, self.home, self._environment = double, address, home, monkeypatch

    def failed(self, *, key: str | None = None, livemode: str = "false", secrets: str = '"env:STRIPE_HOOK"') -> dict[str, dict[str, Any]]:
        """What the check finds wrong, by name."""
        text = TOML.format(livemode=livemode, address=self.address, secrets=secrets)
        (self.home / "recoup.toml").write_text(text, encoding="utf-8")
        key = key or self.double.add_key(ALL_PERMISSIONS)
        self._environment.setenv("STRIPE_KEY", key)
        result = CliRunner().invoke(main, ["connections", "check", "stripe-eu", "--json"])
        told = json.loads(result.stdout)
        wrong = {check["name"]: check for check in told["checks"] if not check["ok"]}
        assert result.exit_code == (1 if wrong else 0), result.output
        assert key not in result.output  # nor in the log, which is in it
        assert all(check["fix"] for check in wrong.values())
        return wrong


@contextmanager
def capturing() -> Generator[list[str]]:
    """Everything that is logged in the block by whoever is let: the configured levels hold, the handler is ours as well."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {record.getMessage()} {vars(record)}")

    handler = Keeping()
    names = ("stripe", "httpx", "httpcore", "asyncio")
    for name in names:
        logging.getLogger(name).addHandler(handler)
    try:
        yield lines
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("RECOUP_CONFIG", str(tmp_path / "recoup.toml"))
    monkeypatch.setenv("RECOUP_HOME", str(tmp_path))
    monkeypatch.setenv("STRIPE_HOOK", "whsec_1")
    with stage(start=wall_now()) as on:
        yield Bench(on.double, str(on.client.base_url).rstrip("/"), tmp_path, monkeypatch)


def test_a_connection_with_the_least_permissions_passes_and_nothing_is_changed(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS, TYPES)
    assert bench.failed() == {}
    assert bench.double.ledger() == []


@pytest.mark.parametrize(("resource", "left"), MISSING)
def test_a_missing_permission_is_named(bench: Bench, resource: str, left: str | None) -> None:
    bench.double.add_endpoint(HOOKS)
    permissions = {name: level for name, level in ALL_PERMISSIONS.items() if name != resource} | ({resource: left} if left else {})
    wrong = bench.failed(key=bench.double.add_key(permissions))
    # Without reading there is no writing either; the missing right to write is named alone where reading is allowed.
    has_write = ALL_PERMISSIONS[resource] == "write"
    assert len(wrong) == (2 if has_write and left is None else 1)
    lacking = "write" if left else "read"
    assert any(f"rak_{resource}_{lacking}" in check["found"] or resource == "webhook" for check in wrong.values()), wrong
    assert all(name.startswith("permission ") for name in wrong)
    assert all(name.removeprefix("permission ") in check["fix"] for name, check in wrong.items())


@pytest.mark.parametrize("event_type", TYPES)
def test_an_event_that_is_not_sent_is_named(bench: Bench, event_type: str) -> None:
    bench.double.add_endpoint(HOOKS, [other for other in TYPES if other != event_type])
    wrong = bench.failed()
    assert list(wrong) == ["webhook events"]
    assert wrong["webhook events"]["found"].endswith(event_type)
    assert event_type in wrong["webhook events"]["fix"]


def test_an_endpoint_that_is_missing_elsewhere_or_disabled_is_named(bench: Bench) -> None:
    assert list(bench.failed()) == ["webhook endpoint"]
    bench.double.add_endpoint("https://other.example/webhooks/shop")
    assert list(bench.failed()) == ["webhook endpoint"]
    bench.double.add_endpoint(HOOKS, status="disabled")
    assert "disabled" in bench.failed()["webhook endpoint"]["found"]
    bench.double.add_endpoint(HOOKS)
    assert bench.failed() == {}


def test_a_missing_secret_a_wrong_mode_and_a_wrong_clock_are_named(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS)
    assert list(bench.failed(secrets="")) == ["webhook secret"]
    assert list(bench.failed(livemode="true")) == ["live or test"]
    bench.double.date_skew = timedelta(minutes=-10)
    assert list(bench.failed()) == ["clock"]


def test_the_most_talkative_log_tells_neither_key_nor_what_was_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_LOG_LEVEL", "debug")
    with capturing() as lines:
        bench.double.add_endpoint(HOOKS)
        assert bench.failed() == {}
    assert not [line for line in lines if "double0" in line or "off_session" in line]


def test_a_revoked_key_is_named_and_nothing_else_is_asked(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS)
    key = bench.double.add_key(ALL_PERMISSIONS)
    bench.double.revoke(key)
    assert list(bench.failed(key=key)) == ["credentials"]
    assert len(bench.double.exchanges()) == 1
