"""What is set from outside is understood, or named with its mend; a secret never stands in the file."""

from pathlib import Path

import pytest

from graph.settings import load_connections, load_settings
from recoup.errors import Misconfigured
from recoup.settings import Connection, ModelSettings, Platform, Settings

SECRETS = {"KEY": "sk_live_1", "TEST_KEY": "sk_test_1", "HOOK": "whsec_1", "OLD_HOOK": "whsec_0", "LOGIN": "user:pass"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RECOUP_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return load_settings()


def connections(settings: Settings, text: str, environment: dict[str, str] = SECRETS) -> dict[str, Connection]:
    settings.config.write_text(text, encoding="utf-8")
    return load_connections(settings, environment)


def test_the_environment_and_the_defaults_make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOUP_PORT", "9000")
    monkeypatch.setenv("RECOUP_SANDBOX", "1")
    monkeypatch.setenv("RECOUP_SMTP_URL", "")
    found = load_settings()
    assert (found.port, found.sandbox, found.smtp_url, found.host, found.admin_name) == (9000, True, None, "127.0.0.1", "admin")
    assert found.home == Path("~/.recoup").expanduser()
    assert found.config == found.home / "recoup.toml"


def test_a_config_in_the_working_folder_comes_before_that_of_the_home(settings: Settings, tmp_path: Path) -> None:
    assert settings.config == tmp_path / "recoup.toml"


def test_a_wrong_value_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_PORT", "many")
    with pytest.raises(Misconfigured, match="RECOUP_PORT"):
        load_settings()


def test_a_config_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_CONFIG", "/nowhere/recoup.toml")
    with pytest.raises(Misconfigured, match="/nowhere/recoup"):
        load_settings()


def test_references_to_secrets_are_resolved(settings: Settings) -> None:
    text = """
    [connections.stripe-eu]
    platform = "stripe"
    api_key = "env:KEY"
    webhook_secrets = ["env:HOOK", "env:OLD_HOOK"]
    """
    found = connections(settings, text)["stripe-eu"]
    assert found.platform is Platform.STRIPE
    assert (found.api_key, found.webhook_secrets) == ("sk_live_1", ("whsec_1", "whsec_0"))
    assert "sk_live_1" not in repr(found)


@pytest.mark.parametrize(
    ("lines", "livemode"),
    [
        ('api_key = "env:KEY"', True),
        ('api_key = "env:TEST_KEY"', False),
        ('api_key = "env:TEST_KEY"\nlivemode = true', True),
        ("", False),
    ],
)
def test_money_is_real_only_where_the_file_or_the_key_says_so(settings: Settings, lines: str, livemode: bool) -> None:
    found = connections(settings, f'[connections.one]\nplatform = "stripe"\n{lines}')["one"]
    assert (found.livemode, found.simulated) == (livemode, not livemode)


def test_a_quarter_of_the_limits_is_used_unless_the_file_says_otherwise(settings: Settings) -> None:
    text = '[connections.a]\nplatform = "stripe"\n[connections.b]\nplatform = "stripe"\nlimit_share = 0.05\n'
    assert [connection.limit_share for connection in connections(settings, text).values()] == [0.25, 0.05]
    for share in ("0", "1.5"):
        with pytest.raises(Misconfigured, match=r"connections\.a\.limit_share"):
            connections(settings, f'[connections.a]\nplatform = "stripe"\nlimit_share = {share}\n')


def test_the_newest_version_that_is_spoken_is_taken_unless_the_file_names_another(settings: Settings) -> None:
    text = """
    [connections.new]
    platform = "stripe"
    [connections.old]
    platform = "stripe"
    api_version = "2023-08-16"
    [connections.recurly]
    platform = "recurly"
    [connections.sandbox]
    platform = "sandbox"
    """
    found = {name: connection.api_version for name, connection in connections(settings, text).items()}
    assert found == {"new": "2026-10-28.endive", "old": "2023-08-16", "recurly": "v2021-02-25", "sandbox": None}


@pytest.mark.parametrize(
    ("platform", "version", "message"),
    [
        ("stripe", "2020-08-27", r"'2020-08-27'; for stripe it must be one of 2026-10-28\.endive, 2023-08-16"),
        ("recurly", "v2019-10-10", r"'v2019-10-10'; for recurly it must be one of v2021-02-25"),
        ("sandbox", "1", r"'1'; for sandbox it must be left out"),
    ],
)
def test_a_version_that_nothing_here_understands_is_refused_with_those_that_it_does(
    settings: Settings, platform: str, version: str, message: str
) -> None:
    with pytest.raises(Misconfigured, match=rf"connections\.a\.api_version is {message}"):
        connections(settings, f'[connections.a]\nplatform = "{platform}"\napi_version = "{version}"\n')


def test_room_is_kept_only_for_a_platform_that_cannot_be_told_to_stop(settings: Settings) -> None:
    text = '[connections.a]\nplatform = "recurly"\n[connections.b]\nplatform = "recurly"\nreserved_platform_attempts = 8\n'
    assert [connection.reserved_platform_attempts for connection in connections(settings, text).values()] == [3, 8]
    with pytest.raises(Misconfigured, match=r"connections\.a\.reserved_platform_attempts is for recurly alone"):
        connections(settings, '[connections.a]\nplatform = "stripe"\nreserved_platform_attempts = 2\n')
    with pytest.raises(Misconfigured, match=r"connections\.a\.reserved_platform_attempts"):
        connections(settings, '[connections.a]\nplatform = "recurly"\nreserved_platform_attempts = 21\n')


def test_nothing_is_noted_on_a_platform_unless_the_file_says_so(settings: Settings) -> None:
    plain, noted = (
        """
    [connections.a]
    platform = "stripe"
    api_key = "env:KEY"
    """,
        "mirror = true\nmirror_tags = ['vip']\n",
    )
    assert [(one.mirror, one.mirror_tags) for one in connections(settings, plain).values()] == [(False, ())]
    assert [(one.mirror, one.mirror_tags) for one in connections(settings, plain + noted).values()] == [(True, ("vip",))]


def test_the_sandbox_is_always_simulated(settings: Settings) -> None:
    assert connections(settings, '[connections.one]\nplatform = "sandbox"\nlivemode = true')["one"].simulated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[connections.a]\nplatform = "stripe"\napi_key = "sk_live_1"', r"connections\.a\.api_key holds a secret itself.*env:NAME"),
        ('[connections.a]\nplatform = "stripe"\nwebhook_secrets = ["whsec_1"]', r"connections\.a\.webhook_secrets holds a secret itself"),
        ('[connections.a]\nplatform = "stripe"\napi_key = "env:NONE"', r"connections\.a\.api_key refers to .* NONE, which is not set"),
        ('[connections.a]\nplatform = "paypal"', r"connections\.a\.platform: .*'stripe'"),
        ('[connections.a]\nplatform = "stripe"\ncolour = 1', r"connections\.a\.colour: Extra inputs"),
        ('[connections.a]\nplatform = "stripe"\nsite = "shop"', r"connections\.a\.site is for recurly alone"),
        ('[connections.a]\nplatform = "recurly"\nsite = "https://shop.recurly.com"', r"connections\.a\.site: String should match"),
        ('[connections.a]\nplatform = "stripe"\nmirror = true', r"connections\.a\.mirror writes to the platform, which takes an api_key"),
        ('[connections.a]\nplatform = "stripe"\nmirror_tags = ["vip"]', r"connections\.a\.mirror_tags goes with mirror = true"),
        ('[connections.a]\nplatform = "recurly"\nmirror_tags = ["vip"]', r"connections\.a\.mirror_tags is for stripe alone"),
        ('[connections.a]\nplatform = "stripe"\nmirror_tags = ["Ada Lovelace"]', r"connections\.a\.mirror_tags\.0: String should match"),
        ("[connections.a]", r"connections\.a\.platform: Field required"),
        ("[connections]\na = 1", r"connections\.a"),
        ('[connections."../x"]\nplatform = "stripe"', r"part of the webhook's address"),
        ("[connection.a]", r"unknown table 'connection'"),
        ("[connections", "not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(settings: Settings, text: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message) as refused:
        connections(settings, text)
    assert "sk_live_1" not in str(refused.value)


def test_without_a_file_there_is_a_sandbox_in_sandbox_mode_and_nothing_otherwise(settings: Settings) -> None:
    assert load_connections(settings, {}) == {}
    [only] = load_connections(settings.model_copy(update={"sandbox": True}), {"RECOUP_SANDBOX_URL": "http://127.0.0.1:9/"}).values()
    assert (only.name, only.platform, only.simulated, only.api_base) == ("sandbox", Platform.SANDBOX, True, "http://127.0.0.1:9")


def models(monkeypatch: pytest.MonkeyPatch, **environment: str) -> ModelSettings:
    for name, value in {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", **environment}.items():
        monkeypatch.setenv(name, value)
    return load_settings().models


def test_without_a_word_no_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert models(monkeypatch).names == ()


def test_models_are_a_chain_and_an_agent_may_have_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = models(
        monkeypatch,
        RECOUP_MODEL="openai:gpt-4o-mini, openai:meta-llama/Llama-3.3-70B",
        RECOUP_MODEL_READER="openai:small",
        RECOUP_MODEL_EXCEPTION="rules",
        OPENAI_API_KEY="sk-secret",
    )
    assert found.chain == ("gpt-4o-mini", "meta-llama/Llama-3.3-70B")
    assert found.by_agent == {"reader": ("small",), "exception": ()}
    assert found.names == ("gpt-4o-mini", "meta-llama/Llama-3.3-70B", "small")
    assert "sk-secret" not in repr(found)


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert models(monkeypatch, RECOUP_MODEL="openai:m", OPENAI_BASE_URL="http://127.0.0.1:1/v1").base_url == "http://127.0.0.1:1/v1"
    with pytest.raises(Misconfigured, match="OPENAI_API_KEY"):
        models(monkeypatch, RECOUP_MODEL="openai:m")


@pytest.mark.parametrize("text", ["gpt-4o", "openai:", "anthropic:x", "openai:a,b", "openai:a,openai:a", "openai:a b", "rules,openai:a"])
def test_a_model_that_nothing_speaks_to_is_named_with_its_variable(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="RECOUP_MODEL_READER"):
        models(monkeypatch, RECOUP_MODEL_READER=text, OPENAI_API_KEY="k")
