"""``recoup connections check`` on Recurly: every single fault is named, alone, with its mend; what Recurly does not tell is said so."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.demo.processes import free_port
from recoup.clock import wall_now
from tests.contract.recurly_bench import RecurlyBench, recurly_bench
from tests.integration.check_bench import Installation, Told
from tests.vendors.recurly import API_KEY, READ_ONLY_KEY
from tools.billing.recurly_examine import READS


class Bench:
    """A double and an installation that is connected to it."""

    def __init__(self, recurly: RecurlyBench, installation: Installation) -> None:
        self.double, self._url, self._installation = recurly.double, recurly.url, installation

    def check(self, *options: str, key: str = API_KEY, **changes: Any) -> Told:
        """The check of a connection that is right but for ``changes`` in recoup.toml."""
        secrets = {"RECURLY_KEY": key, "RECURLY_SECRET": "the-endpoints-secret", "RECURLY_LOGIN": "user:of-the-older-kind"}
        return self._installation.check("recurly", self._toml() | changes, secrets, *options)

    def refusal(self, without: str) -> str:
        """What is said where a variable of the environment is not set."""
        return self._installation.refusal("recurly", self._toml(), {"RECURLY_KEY": "a", "RECURLY_SECRET": "b"} | {without: ""})

    def _toml(self) -> dict[str, Any]:
        return {
            "platform": "recurly",
            "livemode": False,
            "site": self.double.site.subdomain,
            "api_key": "env:RECURLY_KEY",
            "api_base": self._url,
            "webhook_secrets": ["env:RECURLY_SECRET"],
            "limit_share": 1.0,  # the whole limit: nobody else is here
            "mirror": True,
        }


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Bench]:
    with recurly_bench(start=wall_now()) as recurly:
        yield Bench(recurly, Installation(tmp_path, monkeypatch, database_url))


def test_a_connection_that_is_set_up_passes_says_what_nobody_can_see_and_changes_nothing(bench: Bench) -> None:
    told = bench.check()
    assert (told.code, told.wrong) == (0, {})
    assert list(told.unseen) == ["webhook endpoint", "webhook arrival", "webhook events"]
    assert "does not tell" in told.unseen["webhook endpoint"]["found"]
    assert "/webhooks/recurly" in told.unseen["webhook endpoint"]["fix"]
    assert {one.status for one in bench.double.exchanges() if one.request.method != "GET"} == {404}
    assert bench.double.ledger() == []


def test_for_shadow_mode_a_key_that_only_reads_is_enough_and_nothing_else_is_sent(bench: Bench) -> None:
    told = bench.check("--shadow", key=READ_ONLY_KEY)
    assert (told.code, told.wrong) == (0, {})
    assert {one.request.method for one in bench.double.exchanges()} == {"GET"}


def test_a_key_that_only_reads_is_told_how_little_shadow_mode_needs(bench: Bench) -> None:
    told = bench.check(key=READ_ONLY_KEY)
    assert list(told.wrong) == ["notes", "change"]
    assert "connections check recurly --shadow" in told.text
    fault = bench.check(key=READ_ONLY_KEY, mirror=False).only("change")
    assert "full access" in fault["fix"]


@pytest.mark.parametrize("what", READS)
def test_a_part_that_may_not_be_read_is_named(bench: Bench, what: str) -> None:
    bench.double.entrance.closed = f"/{what}"
    fault = bench.check("--shadow").only(f"read {what}")
    assert READS[what] in fault["fix"]


@pytest.mark.parametrize("key", ["a-key-of-nobody", "revoked"])
def test_a_key_that_recurly_does_not_take_is_named_and_nothing_else_is_asked(bench: Bench, key: str) -> None:
    if key == "revoked":
        key = API_KEY
        del bench.double.entrance.keys[key]
    fault = bench.check(key=key).only("credentials")
    assert "connections.recurly.api_key" in fault["fix"]
    assert "v3.eu.recurly.com" in fault["fix"], "a site of the EU is unknown elsewhere"
    assert {one.request.path for one in bench.double.exchanges()} == {"/sites"}


def test_a_key_of_another_site_is_named(bench: Bench) -> None:
    fault = bench.check(site="the-other-brand").only("site")
    assert "sample" in fault["found"]
    assert "the-other-brand" in fault["fix"]


def test_without_a_site_to_compare_with_the_keys_own_is_shown(bench: Bench) -> None:
    told = bench.check("--shadow", site=None)
    assert (told.code, told.wrong) == (0, {})
    assert told.unseen["site"]["found"] == "the api_key is of the site sample"
    assert 'connections.recurly.site = "sample"' in told.unseen["site"]["fix"]


def test_a_site_of_the_other_mode_is_named(bench: Bench) -> None:
    assert "livemode = false" in bench.check(livemode=True).only("live or test")["fix"]
    bench.double.site.mode = "production"
    assert "livemode = true" in bench.check().only("live or test")["fix"]


@pytest.mark.parametrize(("skew", "word"), [(timedelta(minutes=3), "behind"), (timedelta(minutes=-3), "ahead of")])
def test_a_clock_that_goes_wrong_is_named(bench: Bench, skew: timedelta, word: str) -> None:
    bench.double.date_skew = skew
    assert word in bench.check("--shadow").only("clock")["found"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [({}, "none configured"), ({"basic_auth": ["env:RECURLY_LOGIN"]}, "not signed")],
    ids=["none", "only a login for XML"],
)
def test_without_a_webhook_secret_that_is_named(bench: Bench, changes: dict[str, Any], found: str) -> None:
    fault = bench.check("--shadow", webhook_secrets=[], **changes).only("webhook secret")
    assert found in fault["found"]
    assert "connections.recurly.webhook_secrets" in fault["fix"]


@pytest.mark.parametrize(("variable", "key"), [("RECURLY_KEY", "api_key"), ("RECURLY_SECRET", "webhook_secrets")])
def test_a_secret_that_is_not_in_the_environment_is_named(bench: Bench, variable: str, key: str) -> None:
    said = f"connections.recurly.{key} refers to the environment variable {variable}, which is not set"
    assert said in bench.refusal(without=variable)


def test_an_address_that_is_not_recurlys_is_named(bench: Bench) -> None:
    assert "not a host of recurly" in bench.check(api_base="https://shop.recurly.com").only("settings")["found"]


def test_an_address_where_nobody_answers_is_named(bench: Bench) -> None:
    assert bench.check(api_base=f"http://127.0.0.1:{free_port()}").only("reachable")
