"""Getting a ticket over HTTP before the connect (Talo: `POST /v1/socket-tickets`)."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.net.resolver import Resolver

BODY_LIMIT = 65536
"""Most bytes of an answer that are read."""


@dataclass(frozen=True, slots=True)
class TicketPlan:
    """Where to get a ticket and what to show for it. Both are secrets."""

    url: str
    api_key: str

    def __repr__(self) -> str:
        """Never show what must not be shown."""
        return "TicketPlan(...)"


class TicketRefusedError(Exception):
    """The ticket endpoint did not give one; `retry_after` in seconds, 0 if it did not say."""

    def __init__(self, detail: str, retry_after: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TicketOffice:
    """Fetches tickets; one for all probes. A connection serves one request."""

    def __init__(self, resolver: Resolver) -> None:
        connector = aiohttp.TCPConnector(
            resolver=_OwnResolver(resolver), force_close=True, limit=0, use_dns_cache=False
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),  # the caller's deadline holds
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def fetch(self, plan: TicketPlan, tls: ssl.SSLContext | None) -> str:
        """Get one ticket.

        Raises:
            TicketRefusedError: the endpoint answered, but not with a ticket, or could not be
                reached. The text names no secret.
        """
        try:
            async with self._session.post(
                plan.url,
                headers={
                    "Authorization": f"Bearer {plan.api_key}",
                    "Accept": "application/json",
                    # Otherwise the library offers to unpack, and we let it unpack nothing.
                    "Accept-Encoding": "identity",
                },
                allow_redirects=False,
                ssl=tls if tls is not None else True,
            ) as response:
                if response.status != 200:
                    raise TicketRefusedError(
                        f"the ticket endpoint answered HTTP {response.status}",
                        parse_retry_after(response.headers.get("Retry-After")),
                    )
                return _ticket_in(await _read(response.content))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TicketRefusedError(
                f"the ticket endpoint could not be asked ({type(error).__name__})"
            ) from None

    async def close(self) -> None:
        """Close what is open."""
        await self._session.close()


def parse_retry_after(value: str | None) -> float:
    """Return the seconds of a `Retry-After` header (RFC 9110, 10.2.3); 0 where it says none.

    Only the form in seconds counts: the other one needs the peer's clock to be right.
    """
    if value is None or not value.strip().isascii() or not value.strip().isdigit():
        return 0.0
    return float(value.strip()[:9])


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Read an answer to its end, or to the limit; one call returns what has come so far."""
    body = bytearray()
    while len(body) <= BODY_LIMIT and (part := await content.readany()):
        body += part
    return bytes(body[:BODY_LIMIT])


def _ticket_in(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    ticket = answer.get("ticket") if isinstance(answer, dict) else None
    if not isinstance(ticket, str) or not ticket:
        raise TicketRefusedError("the ticket endpoint's answer holds no ticket")
    return ticket


class _OwnResolver(AbstractResolver):
    """Lets aiohttp resolve names in our threads, not in those of the loop."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address.host,
                port=port,
                family=address.family,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._resolver.resolve(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing to close: the threads belong to somebody else."""
