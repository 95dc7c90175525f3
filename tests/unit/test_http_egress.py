"""Which addresses a connection may call, and that the address which was looked at is the one that is called."""

from ipaddress import ip_address

import httpx
import pytest

from recoup.errors import Misconfigured
from recoup.settings import Connection, Platform
from tests.factories import make_connection
from tests.manual_time import SkippingTime
from tools.http_egress import PIN_SECONDS, Egress, api_base_of, hidden_address
from tools.http_errors import EgressRefused

PUBLIC = "54.187.174.169"
NOT_PUBLIC = [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "198.18.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "::7f00:1",
]


def stripe(api_base: str | None = None) -> Connection:
    return make_connection(name="stripe-eu", platform=Platform.STRIPE, api_base=api_base)


class Names:
    """A resolver that gives what the test puts into it, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> tuple[str, ...]:
        self.asked.append((host, port))
        return self.addresses


async def where(connection: Connection, url: str, *addresses: str) -> tuple[str, ...]:
    return await Egress(connection, Names(*addresses), SkippingTime()).addresses(httpx.URL(url))


async def test_a_vendors_host_is_called_at_its_public_addresses() -> None:
    assert await where(stripe(), "https://api.stripe.com/v1/invoices", PUBLIC, "2600::1") == (PUBLIC, "2600::1")


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_a_vendors_name_that_leads_inside_is_not_called(address: str) -> None:
    with pytest.raises(EgressRefused):
        await where(stripe(), "https://api.stripe.com/v1/invoices", address)


async def test_one_bad_address_among_good_ones_spoils_them_all() -> None:
    with pytest.raises(EgressRefused):
        await where(stripe(), "https://api.stripe.com/v1/invoices", PUBLIC, "169.254.169.254")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/invoices",
        "http://api.stripe.com/v1/invoices",
        "https://api.stripe.com:8443/v1/invoices",
        "https://api.stripe.com.evil.example/v1/invoices",
        "https://api.stripe.com@evil.example/v1/invoices",
        "https://54.187.174.169/v1/invoices",
    ],
)
async def test_no_other_origin_is_called(url: str) -> None:
    with pytest.raises(EgressRefused):
        await where(stripe(), url, PUBLIC)


async def test_loopback_is_called_where_api_base_says_so_and_nothing_else_then() -> None:
    assert await where(stripe("http://127.0.0.1:12111"), "http://127.0.0.1:12111/v1/invoices") == ("127.0.0.1",)
    assert await where(stripe("http://localhost:12111"), "http://localhost:12111/v1/invoices", "::1", "127.0.0.1") == ("::1", "127.0.0.1")
    with pytest.raises(EgressRefused):
        await where(stripe("http://localhost:12111"), "http://localhost:12111/v1/invoices", PUBLIC)
    with pytest.raises(EgressRefused):
        await where(stripe("http://127.0.0.1:12111"), "http://127.0.0.1:5432/")


async def test_the_sandbox_may_stand_in_the_merchants_own_network() -> None:
    sandbox = make_connection(api_base="http://sandbox:8420")
    assert await where(sandbox, "http://sandbox:8420/v1/invoices/in_1", "172.18.0.3") == ("172.18.0.3",)
    for address in ("127.0.0.1", "169.254.169.254"):
        with pytest.raises(EgressRefused):
            await where(sandbox, "http://sandbox:8420/v1/invoices/in_1", address)


async def test_a_name_is_resolved_once_and_a_later_answer_changes_nothing_while_it_is_pinned() -> None:
    names, time = Names(PUBLIC), SkippingTime()
    egress, url = Egress(stripe(), names, time), httpx.URL("https://api.stripe.com/v1/invoices")
    await egress.addresses(url)
    names.addresses = ("10.0.0.1",)
    assert await egress.addresses(url) == (PUBLIC,)
    assert names.asked == [("api.stripe.com", 443)]
    time.pass_by(PIN_SECONDS)
    with pytest.raises(EgressRefused):
        await egress.addresses(url)


async def test_after_nobody_answered_the_name_is_resolved_anew() -> None:
    names = Names(PUBLIC)
    egress, url = Egress(stripe(), names, SkippingTime()), httpx.URL("https://api.stripe.com/v1/invoices")
    await egress.addresses(url)
    names.addresses = ("54.187.205.235",)
    egress.forget()
    assert await egress.addresses(url) == ("54.187.205.235",)


async def test_a_name_that_cannot_be_resolved_is_no_connection() -> None:
    async def nothing(_host: str, _port: int) -> tuple[str, ...]:
        raise OSError("no such name")

    egress = Egress(stripe(), nothing, SkippingTime())
    with pytest.raises(httpx.ConnectError):
        await egress.addresses(httpx.URL("https://api.stripe.com/v1/invoices"))
    with pytest.raises(httpx.ConnectError):
        await where(stripe(), "https://api.stripe.com/v1/invoices")


@pytest.mark.parametrize(
    ("api_base", "says"),
    [
        ("https://evil.example", "not a host of stripe"),
        ("http://api.stripe.com", "https"),
        ("https://v3.recurly.com", "not a host of stripe"),
        ("ftp://127.0.0.1", "must look like"),
        ("api.stripe.com", "must look like"),
        ("https://user:word@api.stripe.com", "must look like"),
        ("https://api.stripe.com?x=1", "must look like"),
        ("https://[::1", "not an address"),
    ],
)
def test_an_api_base_that_no_secret_may_be_sent_to_is_refused(api_base: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        api_base_of(stripe(api_base))
    assert "word" not in str(caught.value)


def test_the_vendors_own_address_is_the_default() -> None:
    assert api_base_of(stripe()) == "https://api.stripe.com"
    assert api_base_of(make_connection(platform=Platform.RECURLY, api_base=None)) == "https://v3.recurly.com"
    assert api_base_of(make_connection(platform=Platform.RECURLY, api_base="https://v3.eu.recurly.com/")) == "https://v3.eu.recurly.com"
    with pytest.raises(Misconfigured, match="needed"):
        api_base_of(make_connection(api_base=None))


def test_an_address_inside_of_an_address_is_the_one_that_counts() -> None:
    assert str(hidden_address(ip_address("64:ff9b::a00:1"))) == "10.0.0.1"
    assert str(hidden_address(ip_address("::ffff:10.0.0.1"))) == "10.0.0.1"
    assert str(hidden_address(ip_address("2600::1"))) == "2600::1"
