"""Where a connection may call: one origin, whose name is resolved by us, looked at, and called at the address that was looked at."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from recoup.errors import Misconfigured
from recoup.monotonic import MonotonicTime
from recoup.settings import Connection, Platform
from tools.http_errors import EgressRefused

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[tuple[str, ...]]]

# The first of each is the default.
VENDOR_HOSTS = {
    Platform.STRIPE: ("api.stripe.com",),
    Platform.RECURLY: ("v3.recurly.com", "v3.eu.recurly.com"),
}
PIN_SECONDS = 60.0
RESOLVE_SECONDS = 2.0
PORTS = {"https": 443, "http": 80}
# Addresses in which a gateway hides an IPv4 address (RFC 6052): what counts is the hidden one.
NAT64 = IPv6Network("64:ff9b::/96")


async def system_resolver(host: str, port: int) -> tuple[str, ...]:
    """All addresses of a name, as the machine resolves it; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def api_base_of(connection: Connection) -> str:
    """The address that the connection's API is called at, without a slash at its end: ``api_base``, else the vendor's own. Raises
    Misconfigured where it is no address to send a secret to."""
    where = f"connections.{connection.name}.api_base"
    hosts = VENDOR_HOSTS.get(connection.platform, ())
    if not connection.api_base:
        if not hosts:
            raise Misconfigured(f"{where} is needed to reach {connection.platform}")
        return f"https://{hosts[0]}"
    try:
        url = httpx.URL(connection.api_base)
    except httpx.InvalidURL as exc:
        raise Misconfigured(f"{where} is not an address") from exc
    if url.scheme not in PORTS or not url.host or url.userinfo or url.query or url.fragment:
        raise Misconfigured(f"{where} must look like https://host or https://host:port")
    if is_loopback_name(url.host) or connection.platform is Platform.SANDBOX:
        return connection.api_base.rstrip("/")
    if url.host not in hosts:
        raise Misconfigured(f"{where} names {url.host}, which is not a host of {connection.platform} ({', '.join(hosts)}) and not loopback")
    if url.scheme != "https":
        raise Misconfigured(f"{where} must begin with https://, or the api_key travels in the clear")
    return connection.api_base.rstrip("/")


class Egress:
    """The one origin of a connection. An address that is not public is called only where ``api_base`` itself names it, or for the
    sandbox, which stands in the merchant's own network."""

    def __init__(self, connection: Connection, resolver: Resolver, time: MonotonicTime) -> None:
        base = httpx.URL(api_base_of(connection))
        self._origin = _origin(base)
        self._loopback_is_meant = is_loopback_name(base.host)
        self._private_is_fine = connection.platform is Platform.SANDBOX
        self._resolver, self._time = resolver, time
        self._pinned: tuple[float, tuple[str, ...]] | None = None

    async def addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """Where to connect for this URL. Raises EgressRefused, or httpx.ConnectError where the name cannot be resolved."""
        if _origin(url) != self._origin:
            raise EgressRefused(f"{url.scheme}://{url.host} is not the address of this connection")
        if self._pinned is None or self._pinned[0] <= self._time.now():
            self._pinned = self._time.now() + PIN_SECONDS, await self._resolve()
        return self._pinned[1]

    def forget(self) -> None:
        """Has the name resolved anew, as after nobody answered."""
        self._pinned = None

    async def _resolve(self) -> tuple[str, ...]:
        _, host, port = self._origin
        literal = _literal(host)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = (host,) if literal else await self._resolver(host, port)
        except TimeoutError as exc:
            raise httpx.ConnectTimeout(f"{host} was not resolved in time") from exc
        except OSError as exc:
            raise httpx.ConnectError(f"{host} cannot be resolved") from exc
        if not found:
            raise httpx.ConnectError(f"{host} has no address")
        # One bad address among good ones is a sign of somebody rebinding the name: then none is called.
        for address in found:
            self._check(host, ip_address(address.partition("%")[0]))
        return found

    def _check(self, host: str, address: Address) -> None:
        behind = hidden_address(address)
        if behind.is_multicast or behind.is_unspecified or behind.is_link_local or (behind.is_reserved and not behind.is_loopback):
            raise EgressRefused(f"{host} resolves to {address}, which is no address to call")
        if behind.is_loopback != self._loopback_is_meant:
            raise EgressRefused(f"{host} resolves to {address}; this machine is called only where api_base says 127.0.0.1 or localhost")
        if self._loopback_is_meant:
            return
        if not behind.is_global and not self._private_is_fine:
            raise EgressRefused(f"{host} resolves to {address}, which is not a public address")


def is_loopback_name(host: str) -> bool:
    """Whether a host, as written, can only mean this machine."""
    literal = _literal(host)
    return host == "localhost" or (literal is not None and literal.is_loopback)


def hidden_address(address: Address) -> Address:
    """The address that is really reached: the IPv4 address inside of an IPv6 one, where there is one."""
    if isinstance(address, IPv4Address):
        return address
    teredo = address.teredo
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or PORTS.get(url.scheme, 0)
