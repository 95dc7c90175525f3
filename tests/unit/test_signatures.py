"""A webhook is believed only with a signature that holds, is fresh, and was made with a secret that is live."""

import base64

import pytest

from recoup.errors import SignatureRefused
from tools.billing.signatures import sign_recurly, sign_stripe, verify_basic_auth, verify_recurly, verify_stripe

BODY = b'{\n  "id": "evt_test_webhook",\n  "object": "event",\n  "data": { "object": { "id": "rdr_123", "object": "terminal.reader" } }\n}'
SECRET, OLD = "whsec_test_secret", "whsec_old"
NOW = 1_700_000_000

RECURLY_SECRET = "354fab5bd35f5a0d50845ee7e30165244468b13c2c343f104e4e730a59326d9d"
RECURLY_BODY = (
    b'{"id":"rjxwmwedwqug","object_type":"account","site_id":"qc326l1hl8k9","event_type":"created",'
    b'"event_time":"2022-09-13T21:18:40Z","account_code":"adfas23zzz14123"}'
)


def why(refused: pytest.ExceptionInfo[SignatureRefused]) -> str:
    return refused.value.why


def test_a_stripe_signature_made_by_openssl_holds() -> None:
    verify_stripe(BODY, "t=1700000000,v1=3bfab77baf5f7b6991a46c9b53b6547d7afc56148b10468fcad9f35c1992ffbd", [SECRET], NOW)


def test_a_recurly_signature_made_by_openssl_holds() -> None:
    verify_recurly(
        RECURLY_BODY, "1663103920000,c847d37e18f2c23fcc97cb0b6704455169b732f7d81d145574d92786730f019b", [RECURLY_SECRET], 1_663_103_920
    )


def test_any_of_several_signatures_and_any_live_secret_will_do() -> None:
    rotated = sign_stripe(BODY, OLD, NOW) + ",v1=" + "0" * 64 + ",v0=ignored"
    verify_stripe(BODY, rotated, [SECRET, OLD], NOW)
    ours = sign_recurly(BODY, SECRET, NOW * 1000).partition(",")[2]
    verify_recurly(BODY, f"{sign_recurly(BODY, OLD, NOW * 1000)},{ours}", [SECRET], NOW)


def test_recurlys_seconds_are_told_from_milliseconds_by_their_size() -> None:
    verify_recurly(BODY, sign_recurly(BODY, SECRET, NOW), [SECRET], NOW)


@pytest.mark.parametrize("header", [None, ""])
def test_no_signature_is_missing(header: str | None) -> None:
    for verify in (verify_stripe, verify_recurly):
        with pytest.raises(SignatureRefused) as refused:
            verify(BODY, header, [SECRET], NOW)
        assert why(refused) == "missing"


@pytest.mark.parametrize(
    "header",
    [
        sign_stripe(BODY + b" ", SECRET, NOW),
        sign_stripe(BODY, "whsec_other", NOW),
        sign_stripe(BODY, SECRET, NOW).replace(str(NOW), str(NOW + 1)),
        sign_stripe(BODY, SECRET, NOW).replace("v1=", "v0="),
        sign_stripe(BODY, SECRET, NOW).partition(",")[2],
        f"t={NOW}",
        f"t={NOW},t={NOW + 1},v1=" + "a" * 64,
        "t=soon,v1=" + "a" * 64,
        "t=١٧٠٠٠٠٠٠٠٠,v1=" + "a" * 64,
        f"t={NOW},v1=é",
        "nonsense",
        ",,,===",
    ],
)
def test_a_forged_stripe_signature_is_wrong(header: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_stripe(BODY, header, [SECRET], NOW)
    assert why(refused) == "wrong"


@pytest.mark.parametrize(
    "header", [str(NOW * 1000), "x,y", f"{NOW * 1000},", sign_recurly(b"else", SECRET, NOW * 1000), sign_recurly(BODY, OLD, NOW * 1000)]
)
def test_a_forged_recurly_signature_is_wrong(header: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_recurly(BODY, header, [SECRET], NOW)
    assert why(refused) == "wrong"


def test_without_a_configured_secret_nothing_holds() -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_stripe(BODY, sign_stripe(BODY, "", NOW), [], NOW)
    assert why(refused) == "wrong"


@pytest.mark.parametrize("skew_seconds", [-300, -1, 0, 299, 300])
def test_a_signature_of_the_last_five_minutes_is_fresh(skew_seconds: int) -> None:
    verify_stripe(BODY, sign_stripe(BODY, SECRET, NOW - skew_seconds), [SECRET], NOW)
    verify_recurly(BODY, sign_recurly(BODY, SECRET, (NOW - skew_seconds) * 1000), [SECRET], NOW)


@pytest.mark.parametrize("skew_seconds", [301, 86_400, -301, -86_400])
def test_an_older_one_and_one_from_the_future_are_too_old(skew_seconds: int) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_stripe(BODY, sign_stripe(BODY, SECRET, NOW - skew_seconds), [SECRET], NOW)
    assert why(refused) == "too old"
    with pytest.raises(SignatureRefused) as refused:
        verify_recurly(BODY, sign_recurly(BODY, SECRET, (NOW - skew_seconds) * 1000), [SECRET], NOW)
    assert why(refused) == "too old"


def test_an_old_forgery_is_wrong_and_not_old() -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_stripe(BODY, sign_stripe(BODY, "whsec_other", NOW - 9999), [SECRET], NOW)
    assert why(refused) == "wrong"


def basic(user_and_password: str) -> str:
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


def test_basic_auth_takes_any_configured_pair() -> None:
    verify_basic_auth(basic("recurly:süß:x"), ["old:one", "recurly:süß:x"])
    verify_basic_auth(basic("a:b").replace("Basic", "basic"), ["a:b"])


@pytest.mark.parametrize("header", [basic("a:c"), basic(""), "Bearer abc", "Basic", "Basic %%%", "Basic é", basic("a:b") + "x"])
def test_any_other_basic_auth_is_wrong(header: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_basic_auth(header, ["a:b"])
    assert why(refused) == "wrong"


def test_no_basic_auth_is_missing() -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify_basic_auth(None, ["a:b"])
    assert why(refused) == "missing"
