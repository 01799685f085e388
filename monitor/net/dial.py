"""Dialling: from a plan to an open connection, phase by phase, each with its own deadline.

One attempt is one attempt: nothing here retries, follows a redirect or falls back to a default of
the library. Of the URL only scheme, host and port may be shown, and nothing here shows more.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.typing import Origin, Subprotocol
from websockets.uri import WebSocketURI

from monitor.core.deny_list import NOTHING_DENIED, DenyList
from monitor.core.failures import FailureReason, Phase
from monitor.core.traffic import Traffic
from monitor.net import frames
from monitor.net.connection import Connection, Limits
from monitor.net.deadlines import deadline
from monitor.net.dial_errors import NETWORK_ERRORS, DialError, classify, timed_out
from monitor.net.loop_watch import LoopWatch
from monitor.net.permission import permitted
from monitor.net.resolver import Address, Resolver
from monitor.net.stamped_socket import StampedSocket
from monitor.net.ticket import TicketOffice, TicketPlan
from monitor.net.tls import TlsContexts, TlsPlan, not_after, use_small_buffers

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

_STALL_ALLOWANCE = 100.0
"""asyncio's own handshake timer must never fire before ours, which forgives our own stalls."""

_mute = logging.getLogger("monitor.net.wire")  # the library writes whole requests to its log
_mute.propagate = False
_mute.setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True, repr=False)
class DialPlan:
    """Everything that one attempt needs, secrets read. Never shown.

    `resource` is path and query; `timeouts` holds the seconds that each phase may take;
    `close_timeout` bounds the closing handshake.
    """

    host: str
    port: int
    secure: bool
    resource: str
    timeouts: dict[Phase, float]
    close_timeout: float
    ticket: TicketPlan | None = None
    ticket_parameter: str = "ticket"
    tls: TlsPlan = field(default_factory=TlsPlan)
    server_name: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    subprotocols: Sequence[str] = ()
    origin: str | None = None
    user_agent: str | None = None
    family: int = socket.AF_UNSPEC
    deflate: bool = False
    max_message_size: int = 1 << 20
    max_message_rate: int = 5000
    deny_list: DenyList = NOTHING_DENIED

    @property
    def needs_tls(self) -> bool:
        """Whether any step is encrypted. Building a context for nothing would hold the loop."""
        return self.secure or (self.ticket is not None and self.ticket.url.startswith("https:"))


@dataclass(slots=True)
class Dialled:
    """An open connection and how it came about; `phases` in seconds."""

    connection: Connection
    address: str
    tls_version: str
    certificate_not_after: float | None
    subprotocol: str | None
    phases: dict[Phase, float]


class Dialer:
    """Dials for all probes: what they share is here."""

    def __init__(self, watch: LoopWatch) -> None:
        self._watch = watch
        use_small_buffers()
        self._resolver = Resolver()
        self._contexts = TlsContexts()
        self._offices: dict[DenyList, TicketOffice] = {}

    async def dial(self, plan: DialPlan, traffic: Traffic) -> Dialled:
        """Make one attempt.

        Raises:
            DialError: it failed; the error says in which phase and why.
        """
        attempt = _Attempt(plan, self._resolver, self._office_for(plan))
        try:
            tls = self._context(plan) if plan.needs_tls else None
            resource = await attempt.get_resource(tls)
            sock, address = await attempt.connect()

            def make() -> Connection:
                return Connection(
                    _protocol(plan, resource),
                    sock=sock,
                    watch=self._watch,
                    traffic=traffic,
                    limits=Limits(plan.close_timeout, plan.max_message_rate),
                )

            connection = await attempt.secure(make, sock, address, tls)
            await attempt.upgrade(connection)
        except DialError as error:
            error.phases = attempt.phases
            raise
        return Dialled(
            connection,
            address.host,
            *_certificate(connection.transport),
            connection.subprotocol,
            attempt.phases,
        )

    async def close(self) -> None:
        """Let go of sessions and threads."""
        for office in self._offices.values():
            await office.close()
        self._resolver.close()

    def _office_for(self, plan: DialPlan) -> TicketOffice:
        office = self._offices.get(plan.deny_list)
        if office is None:
            office = self._offices[plan.deny_list] = TicketOffice(self._resolver, plan.deny_list)
        return office

    def _context(self, plan: DialPlan) -> ssl.SSLContext:
        try:
            return self._contexts.get(plan.tls)
        except (OSError, ValueError) as error:
            detail = f"a TLS file cannot be used ({type(error).__name__})"
            raise DialError(FailureReason.LOCAL, Phase.TLS, detail) from None


class _Attempt:
    """One connect attempt: its phases, in order, each bounded, timed and named when it fails."""

    def __init__(self, plan: DialPlan, resolver: Resolver, office: TicketOffice) -> None:
        self.phases: dict[Phase, float] = {}
        self._plan = plan
        self._resolver = resolver
        self._office = office

    async def get_resource(self, tls: ssl.SSLContext | None) -> str:
        """Return path and query, with a fresh ticket where the protocol wants one."""
        plan = self._plan
        if plan.ticket is None:
            return plan.resource
        async with self._phase(Phase.TICKET):
            ticket = await self._office.fetch(plan.ticket, tls)
        return _with_parameter(plan.resource, plan.ticket_parameter, ticket)

    async def connect(self) -> tuple[StampedSocket, Address]:
        """Resolve the name and open a TCP connection."""
        plan = self._plan
        async with self._phase(Phase.DNS):
            addresses = await self._resolver.resolve(plan.host, plan.port, plan.family)
        async with self._phase(Phase.TCP):
            return await _connect(permitted(addresses, plan.deny_list))

    async def secure(
        self,
        make: Callable[[], Connection],
        sock: StampedSocket,
        address: Address,
        tls: ssl.SSLContext | None,
    ) -> Connection:
        """Put asyncio's transport, TLS where asked for, and the protocol on a connected socket."""
        if not self._plan.secure:
            return (await asyncio.get_running_loop().create_connection(make, sock=sock))[1]
        try:
            async with self._phase(Phase.TLS):
                return await self._handshake(make, sock, tls)
        except DialError as error:
            if error.reason in (FailureReason.TLS_VERIFY, FailureReason.TLS_EXPIRED):
                error.certificate_not_after = await self._unverified_not_after(address)
            raise

    async def upgrade(self, connection: Connection) -> None:
        """Exchange the opening handshake (RFC 6455 section 4)."""
        plan = self._plan
        try:
            async with self._phase(Phase.UPGRADE):
                await connection.handshake(list(plan.headers), plan.user_agent)
                _check_subprotocol(plan, connection.subprotocol)
            connection.forget_handshake()
        except BaseException:
            connection.transport.abort()
            raise

    @contextlib.asynccontextmanager
    async def _phase(self, phase: Phase) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        seconds = self._plan.timeouts[phase]
        began = loop.time()
        try:
            async with deadline(seconds):
                yield
        except TimeoutError:
            raise timed_out(phase, seconds) from None
        except NETWORK_ERRORS as error:
            raise classify(phase, error) from None
        self.phases[phase] = loop.time() - began

    async def _handshake(
        self,
        make: Callable[[], ProtocolT],
        sock: StampedSocket,
        tls: ssl.SSLContext | None,
    ) -> ProtocolT:
        plan = self._plan
        try:
            _, protocol = await asyncio.get_running_loop().create_connection(
                make,
                sock=sock,
                ssl=tls,
                server_hostname=plan.server_name or plan.host,
                ssl_handshake_timeout=plan.timeouts[Phase.TLS] * _STALL_ALLOWANCE,
                ssl_shutdown_timeout=plan.close_timeout,
            )
        except UnicodeError:
            # There is no transport yet that would close it.
            sock.close()
            raise
        return protocol

    async def _unverified_not_after(self, address: Address) -> float | None:
        """Look at the certificate that was not accepted, on a connection made for that alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with contextlib.suppress(OSError):
            async with deadline(self._plan.timeouts[Phase.TLS]):
                sock, _ = await _connect([address])
                return (await self._handshake(_Look, sock, context)).not_after
        return None


class _Look(asyncio.Protocol):
    """Takes down when the peer's certificate ends, and hangs up."""

    not_after: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.not_after = _certificate(transport)[1]
        if isinstance(transport, asyncio.Transport):
            transport.abort()


async def _connect(addresses: Sequence[Address]) -> tuple[StampedSocket, Address]:
    """Connect to the first address that accepts, in the system's order.

    Raises:
        OSError: none did; the last one's error.
    """
    failure: OSError = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    for address in addresses:
        try:
            sock = StampedSocket(address.family)
        except OSError as error:
            failure = error
            continue
        try:
            await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock, address
    raise failure


def _protocol(plan: DialPlan, resource: str) -> frames.Protocol:
    path, _, query = resource.partition("?")
    return frames.Protocol(
        WebSocketURI(plan.secure, plan.host, plan.port, path, query),
        origin=None if plan.origin is None else Origin(plan.origin),
        extensions=[ClientPerMessageDeflateFactory()] if plan.deflate else None,
        subprotocols=[Subprotocol(name) for name in plan.subprotocols] or None,
        max_size=plan.max_message_size,
        logger=_mute,
    )


def _check_subprotocol(plan: DialPlan, chosen: str | None) -> None:
    if plan.subprotocols and chosen is None:
        raise DialError(FailureReason.SUBPROTOCOL, Phase.UPGRADE, "the server chose no subprotocol")


def _certificate(transport: asyncio.BaseTransport) -> tuple[str, float | None]:
    """Return the TLS version and when the peer's certificate ends; empty without TLS."""
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return "", None
    return tls.version() or "", not_after(tls.getpeercert(binary_form=True))


def _with_parameter(resource: str, name: str, value: str) -> str:
    separator = "&" if "?" in resource else "?"
    return f"{resource}{separator}{quote(name)}={quote(value, safe='')}"
