"""Whether a webhook really comes from its platform: each platform's signature scheme, a pure function of the wall time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence

from recoup.errors import SignatureRefused

TOLERANCE_SECONDS = 300
MILLISECONDS_FROM = 10**11  # as seconds that is the year 5138: a greater number counts milliseconds


def verify_stripe(body: bytes, header: str | None, secrets: Sequence[str], wall_seconds: float) -> None:
    """``Stripe-Signature: t=<unix s>,v1=<hex>[,v1=<hex>]`` over ``<t>.<body>``; raises SignatureRefused. Other schemes do not count.

    Also the sandbox's scheme (``Sandbox-Signature``).
    """
    if not header:
        raise SignatureRefused("missing", "there is no signature header")
    fields = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in fields if name == "t"]
    given = [value for name, _, value in fields if name == "v1"]
    if len(stamps) != 1 or not given:
        raise SignatureRefused("wrong", "the header has not exactly one t and at least one v1")
    _check(body, stamps[0], given, secrets)
    _check_age(_integer(stamps[0]), wall_seconds)


def verify_recurly(body: bytes, header: str | None, secrets: Sequence[str], wall_seconds: float) -> None:
    """``recurly-signature: <unix ms>,<hex>[,<hex>]`` over ``<ms>.<body>``; raises SignatureRefused.

    Recurly's clients sign milliseconds, its documentation shows seconds: the magnitude tells which.
    """
    if not header:
        raise SignatureRefused("missing", "there is no signature header")
    stamp, *given = (part.strip() for part in header.split(","))
    if not given:
        raise SignatureRefused("wrong", "the header has no signature after its time")
    _check(body, stamp, given, secrets)
    value = _integer(stamp)
    _check_age(value / 1000 if value >= MILLISECONDS_FROM else value, wall_seconds)


def verify_basic_auth(header: str | None, credentials: Sequence[str]) -> None:
    """``Authorization: Basic`` with one of ``credentials`` (``user:password``), for platforms that do not sign; raises SignatureRefused."""
    if not header:
        raise SignatureRefused("missing", "there is no Authorization header")
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise SignatureRefused("wrong", "the Authorization header is not Basic") from exc
    # All are compared, so that the time tells nothing.
    if scheme.lower() != "basic" or not _any([hmac.compare_digest(given, known.encode()) for known in credentials]):
        raise SignatureRefused("wrong", "unknown user or wrong password")


def sign_stripe(body: bytes, secret: str, unix_seconds: int) -> str:
    """The header that ``verify_stripe`` accepts; used by the sandbox and by tests."""
    return f"t={unix_seconds},v1={_mac(body, str(unix_seconds), secret)}"


def sign_recurly(body: bytes, secret: str, unix_milliseconds: int) -> str:
    """The header that ``verify_recurly`` accepts."""
    return f"{unix_milliseconds},{_mac(body, str(unix_milliseconds), secret)}"


def _mac(body: bytes, stamp: str, secret: str) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _check(body: bytes, stamp: str, given: Sequence[str], secrets: Sequence[str]) -> None:
    """Every secret is tried against every signature, without stopping early: the time must not tell which was close."""
    _integer(stamp)
    expected = [_mac(body, stamp, secret).encode() for secret in secrets]
    if not _any([hmac.compare_digest(known, one.encode()) for known in expected for one in given]):
        raise SignatureRefused("wrong", "no signature matches the body under any secret of this connection")


def _check_age(stamp_seconds: float, wall_seconds: float) -> None:
    # After the signature: only what the platform really signed can be too old. The future is refused too, else a replay could be kept.
    skew = wall_seconds - stamp_seconds
    if abs(skew) > TOLERANCE_SECONDS:
        side = "ago" if skew > 0 else "ahead"
        raise SignatureRefused("too old", f"signed {abs(skew):.0f} s {side}; at most {TOLERANCE_SECONDS} s are allowed")


def _integer(stamp: str) -> int:
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 15:
        raise SignatureRefused("wrong", "the time in the header is not a number")
    return int(stamp)


def _any(results: Iterable[bool]) -> bool:
    return sum(results) > 0
