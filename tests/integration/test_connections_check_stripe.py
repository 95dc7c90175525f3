"""``recoup connections check`` on Stripe: every single fault is named, alone, with its mend. On the double, over real HTTP."""

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.demo.processes import free_port
from recoup.clock import wall_now
from tests.integration.check_bench import Installation, Told
from tests.vendors.stripe import StripeDouble
from tests.vendors.stripe_stage import stage
from tools.billing.stripe_changes import TYPES
from tools.billing.stripe_permissions import ACTING, NOTING, READING, TAGGING

HOOKS = "https://recoup.merchant.example/webhooks/stripe-eu"
# What the double calls what the dashboard calls so: a permission that is new in the product is missing here first.
RESOURCES = {
    "Invoices": "invoice",
    "Charges and Refunds": "charge",
    "PaymentIntents": "payment_intent",
    "Customers": "customer",
    "PaymentMethods": "payment_method",
    "Subscriptions": "subscription",
    "Disputes": "dispute",
    "Events": "event",
    "Webhook Endpoints": "webhook",
}


def granted(*names: str) -> dict[str, str]:
    """The double's permissions of the dashboard's names, as in ``Invoices: Read``."""
    levels: dict[str, str] = {}
    for name in names:
        what, level = name.split(": ")
        levels[RESOURCES[what]] = "write" if "write" in {level.lower(), levels.get(RESOURCES[what])} else "read"
    return levels


READS = [one.name for one in READING]
WRITES = [one.name for one in (*ACTING, TAGGING)]
ALL = granted(*READS, *WRITES)


class Bench:
    """A double and an installation that is connected to it."""

    def __init__(self, double: StripeDouble, address: str, installation: Installation) -> None:
        self.double, self.address, self._installation = double, address, installation

    def check(self, *options: str, key: str | None = None, secret: str = "whsec_1", **changes: Any) -> Told:
        """The check of a connection that is right but for ``changes`` in recoup.toml."""
        secrets = {"STRIPE_KEY": key or self.double.add_key(ALL), "STRIPE_HOOK": secret}
        return self._installation.check("stripe-eu", self._toml() | changes, secrets, *options)

    def refusal(self, without: str) -> str:
        """What is said where a variable of the environment is not set."""
        return self._installation.refusal("stripe-eu", self._toml(), {"STRIPE_KEY": "rk_test_1", "STRIPE_HOOK": "whsec_1"} | {without: ""})

    def _toml(self) -> dict[str, Any]:
        return {
            "platform": "stripe",
            "livemode": False,
            "api_key": "env:STRIPE_KEY",
            "api_base": self.address,
            "webhook_secrets": ["env:STRIPE_HOOK"],
            "limit_share": 1.0,  # the whole limit: nobody else is here
            "mirror": True,
            "mirror_tags": ["vip"],
        }


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Bench]:
    with stage(start=wall_now()) as on:
        yield Bench(on.double, str(on.client.base_url).rstrip("/"), Installation(tmp_path, monkeypatch, database_url))


def test_a_connection_with_the_least_permissions_passes_and_nothing_is_changed(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS, TYPES)
    told = bench.check()
    assert (told.code, told.wrong) == (0, {})
    assert list(told.unseen) == ["webhook arrival"]
    assert {one.status for one in bench.double.exchanges("POST")} <= {400, 404}
    assert bench.double.ledger() == []


def test_for_shadow_mode_a_key_that_only_reads_is_enough_and_nothing_else_is_sent(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS, TYPES)
    told = bench.check("--shadow", key=bench.double.add_key(granted(*READS)))
    assert (told.code, told.wrong) == (0, {})
    assert {one.request.method for one in bench.double.exchanges()} == {"GET"}


def test_a_key_that_only_reads_is_told_how_little_shadow_mode_needs(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS)
    told = bench.check(key=bench.double.add_key(granted(*READS)))
    assert set(told.wrong) == {f"permission {name}" for name in WRITES}
    assert "connections check stripe-eu --shadow" in told.text


@pytest.mark.parametrize("missing", READS)
def test_a_permission_to_read_that_is_missing_is_named(bench: Bench, missing: str) -> None:
    bench.double.add_endpoint(HOOKS)
    resource = RESOURCES[missing.split(": ")[0]]
    left = granted(*(name for name in READS if name != missing))
    fault = bench.check("--shadow", key=bench.double.add_key(left)).only(f"permission {missing}")
    assert f"rak_{resource}_read" in fault["found"]
    assert missing in fault["fix"]


@pytest.mark.parametrize("missing", WRITES)
def test_a_permission_to_write_that_is_missing_is_named_with_the_actions_that_need_it(bench: Bench, missing: str) -> None:
    bench.double.add_endpoint(HOOKS)
    resource = RESOURCES[missing.split(": ")[0]]
    fault = bench.check(key=bench.double.add_key(ALL | {resource: "read"})).only(f"permission {missing}")
    assert f"rak_{resource}_write" in fault["found"]
    assert missing in fault["fix"]
    needed = next(one for one in (*ACTING, TAGGING) if one.name == missing).needed_for
    assert all(action in fault["fix"] for action in needed)
    assert ("mirror" in fault["fix"].split(", ")) == (missing == NOTING.name)


@pytest.mark.parametrize("event_type", TYPES)
def test_an_event_that_is_not_sent_is_named(bench: Bench, event_type: str) -> None:
    bench.double.add_endpoint(HOOKS, [other for other in TYPES if other != event_type])
    fault = bench.check("--shadow").only("webhook events")
    assert fault["found"] == f"not sent: {event_type}"
    assert event_type in fault["fix"]


@pytest.mark.parametrize(
    ("endpoint", "found", "fix"),
    [
        (None, "there is no endpoint that leads to /webhooks/stripe-eu", "ends in /webhooks/stripe-eu"),
        ({"url": "https://recoup.merchant.example/webhooks/shop"}, "none of 1 endpoints leads to", "ends in /webhooks/stripe-eu"),
        ({"url": HOOKS, "status": "disabled"}, f"{HOOKS} is disabled", "enable it"),
    ],
    ids=["none", "wrong URL", "disabled"],
)
def test_an_endpoint_that_does_not_lead_here_is_named(bench: Bench, endpoint: dict[str, Any] | None, found: str, fix: str) -> None:
    if endpoint:
        bench.double.add_endpoint(**endpoint)
    fault = bench.check("--shadow").only("webhook endpoint")
    assert found in fault["found"]
    assert fix in fault["fix"]


def test_a_disabled_endpoint_beside_one_that_works_is_no_fault(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS, status="disabled")
    bench.double.add_endpoint(HOOKS)
    assert bench.check("--shadow").wrong == {}


def test_without_a_webhook_secret_that_is_named(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS)
    assert "connections.stripe-eu.webhook_secrets" in bench.check("--shadow", webhook_secrets=[]).only("webhook secret")["fix"]


@pytest.mark.parametrize("changes", [{"key": "rk_test_of_nobody"}, {"key": None}], ids=["unknown", "revoked"])
def test_a_key_that_stripe_does_not_know_is_named_and_nothing_else_is_asked(bench: Bench, changes: dict[str, Any]) -> None:
    bench.double.add_endpoint(HOOKS)
    key = changes["key"] or bench.double.add_key(ALL)
    if changes["key"] is None:
        bench.double.revoke(key)
    assert "connections.stripe-eu.api_key" in bench.check(key=key).only("credentials")["fix"]
    assert {one.status for one in bench.double.exchanges()} == {401}


def test_a_key_of_the_other_mode_is_named(bench: Bench) -> None:
    bench.double.add_endpoint(HOOKS)
    assert "use a live key" in bench.check(livemode=True).only("live or test")["fix"]


@pytest.mark.parametrize(("skew", "word"), [(timedelta(minutes=3), "behind"), (timedelta(minutes=-3), "ahead of")])
def test_a_clock_that_goes_wrong_is_named(bench: Bench, skew: timedelta, word: str) -> None:
    bench.double.add_endpoint(HOOKS)
    bench.double.date_skew = skew
    assert word in bench.check("--shadow").only("clock")["found"]


@pytest.mark.parametrize(("variable", "key"), [("STRIPE_KEY", "api_key"), ("STRIPE_HOOK", "webhook_secrets")])
def test_a_secret_that_is_not_in_the_environment_is_named(bench: Bench, variable: str, key: str) -> None:
    said = f"connections.stripe-eu.{key} refers to the environment variable {variable}, which is not set"
    assert said in bench.refusal(without=variable)


def test_an_address_that_is_not_stripes_is_named(bench: Bench) -> None:
    assert "not a host of stripe" in bench.check(api_base="https://stripe.example").only("settings")["found"]


def test_an_address_where_nobody_answers_is_named(bench: Bench) -> None:
    assert bench.check(api_base=f"http://127.0.0.1:{free_port()}").only("reachable")


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


def test_the_most_talkative_log_tells_neither_key_nor_what_was_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_LOG_LEVEL", "debug")
    with capturing() as lines:
        bench.double.add_endpoint(HOOKS)
        assert bench.check().wrong == {}
    assert not [line for line in lines if "double0" in line or "off_session" in line]
