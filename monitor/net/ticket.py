"""Getting a ticket over HTTP before the connect (Talo: `POST /v1/socket-tickets`)."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass

import aiohttp

from monitor.core.deny_list import DenyList
from monitor.net.http_client import PLAIN_JSON, open_session, read_up_to
from monitor.net.permission import AddressDeniedError
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
    """Fetches tickets; one for all probes with the same deny-list. Each request connects anew."""

    def __init__(self, resolver: Resolver, deny_list: DenyList) -> None:
        self._session = open_session(resolver, deny_list)

    async def fetch(self, plan: TicketPlan, tls: ssl.SSLContext | None) -> str:
        """Get one ticket.

        Raises:
            TicketRefusedError: the endpoint answered, but not with a ticket, or could not be
                reached. The text names no secret.
            AddressDeniedError: its address is on the deny-list.
        """
        try:
            async with self._session.post(
                plan.url,
                headers={"Authorization": f"Bearer {plan.api_key}", **PLAIN_JSON},
                allow_redirects=False,
                ssl=tls if tls is not None else True,
            ) as response:
                if response.status != 200:
                    raise TicketRefusedError(
                        f"the ticket endpoint answered HTTP {response.status}",
                        parse_retry_after(response.headers.get("Retry-After")),
                    )
                return _ticket_in((await read_up_to(response.content, BODY_LIMIT))[:BODY_LIMIT])
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = getattr(error, "os_error", None)
            if isinstance(cause, AddressDeniedError):
                raise cause from None
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


def _ticket_in(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    ticket = answer.get("ticket") if isinstance(answer, dict) else None
    if not isinstance(ticket, str) or not ticket:
        raise TicketRefusedError("the ticket endpoint's answer holds no ticket")
    return ticket
