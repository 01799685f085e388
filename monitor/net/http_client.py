"""HTTP requests of our own: names resolved in our threads, nothing kept, followed or unpacked."""

from __future__ import annotations

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.core.deny_list import DenyList
from monitor.net.permission import permitted
from monitor.net.resolver import Address, Resolver

PLAIN_JSON = {
    "Accept": "application/json",
    # Otherwise the library offers to unpack, and we let it unpack nothing.
    "Accept-Encoding": "identity",
}
"""Headers of a request whose answer is to be JSON."""


def open_session(resolver: Resolver, deny_list: DenyList) -> aiohttp.ClientSession:
    """Return a session that dials no address on the deny-list; the caller's deadline holds.

    A request that would have to fails with an `AddressDeniedError` in the `os_error` of aiohttp's
    own.
    """
    connector = aiohttp.TCPConnector(
        resolver=_OwnResolver(resolver, deny_list),
        socket_factory=_Sockets(deny_list),
        force_close=True,
        limit=0,
        use_dns_cache=False,
    )
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def read_up_to(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Read an answer to its end, or to one byte more than the limit."""
    body = bytearray()
    # One call returns what has come so far.
    while len(body) <= limit and (part := await content.readany()):
        body += part
    return bytes(body[: limit + 1])


class _OwnResolver(AbstractResolver):
    """Lets aiohttp resolve names in our threads, not in those of the loop."""

    def __init__(self, resolver: Resolver, deny_list: DenyList) -> None:
        self._resolver = resolver
        self._deny_list = deny_list

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._resolver.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address.host,
                port=port,
                family=address.family,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in permitted(addresses, self._deny_list)
        ]

    async def close(self) -> None:
        """Nothing to close: the threads belong to somebody else."""


class _Sockets:
    """Makes the sockets that aiohttp connects. A literal address comes past no resolver."""

    def __init__(self, deny_list: DenyList) -> None:
        self._deny_list = deny_list

    def __call__(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, sockaddr = address
        permitted([Address(family, sockaddr)], self._deny_list)
        return socket.socket(family, kind, protocol)
