"""The way in: from an accepted socket to a connection that may send requests.

The loop is the probes' first of all, so whatever a client could make it do without end has an end
here: how many connections there are, how fast they come, how long TLS may take to agree and a
request to arrive, and how large it may be; for all clients, and for each of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from aiohttp import web

from monitor.core.refusals import Refusal
from monitor.web.access import Access
from monitor.web.shares import Pace, Place, Shares, client_of
from monitor.web.tls import alternative_names

MOST_CONNECTIONS = 64
"""Open connections. For a further one, the client that has the most must give one up."""

MOST_CONNECTIONS_EACH = 16
"""How many of them may be one client's: browsers open six, scrapers one or two."""

PER_SECOND = 50.0
"""Connections and requests of one client in a second; further ones wait."""

BURST = 100
"""How many of them may come at once."""

HANDSHAKE_DEADLINE = 5.0
"""Seconds that TLS may take to agree."""

REQUEST_DEADLINE = 10.0
"""Seconds that a request may take to arrive, from its first byte; the first one of a connection,
from the begin of the connection."""

LARGEST_REQUEST = 32 * 1024
"""Bytes of a request, and of what is sent before it is answered."""

FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n"

Refused = Callable[[Refusal], None]


class Entrance:
    """Lets clients in.

    Args:
        server: makes what handles a connection's requests.
        access: what the web config says now.
        refused: is told of each client that is turned away.
    """

    def __init__(
        self,
        server: Callable[[], web.RequestHandler],
        access: Callable[[], Access],
        refused: Refused,
    ) -> None:
        self.server = server
        self.access = access
        self.refused = refused
        self.connections = Shares(MOST_CONNECTIONS, MOST_CONNECTIONS_EACH)
        self.pace = Pace(PER_SECOND, BURST)
        self.visits: set[Visit] = set()

    def __call__(self) -> Visit:
        """Return what handles the next connection."""
        return Visit(self)

    def close(self) -> None:
        """Let nobody else in."""
        for visit in list(self.visits):
            visit.give_up()


class Visit(asyncio.Protocol):
    """One connection: what it may still do before it asks, then what handles its requests."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._handler: web.RequestHandler | None = None
        self._task: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._early: list[bytes] = []
        self._place: Place | None = None
        self._unasked = 0
        self.client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, now or when its turn comes, or send it away."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it was made for a protocol
        entrance = self._entrance
        self.client = client_of(transport.get_extra_info("peername"))
        self._transport = transport
        self._place = entrance.connections.take(self.client, self._make_room)
        if self._place is None:
            entrance.refused(Refusal.CONNECTIONS)
            if entrance.access().context is None:
                transport.write(FULL)
            transport.close()
            return
        entrance.visits.add(self)
        wait = entrance.pace.wait(self.client, self._loop.time())
        if wait > 0 or entrance.access().context is not None:
            self._task = self._loop.create_task(self._enter(transport, wait))
        else:
            self._begin(transport)

    async def _enter(self, transport: asyncio.Transport, wait: float) -> None:
        """Wait, agree on TLS if there is any, and look at the client's certificate."""
        transport.pause_reading()
        await asyncio.sleep(wait)
        access = self._entrance.access()
        if access.context is None:
            transport.resume_reading()
            self._begin(transport)
            return
        inner = await self._handshake(transport, access.context)
        if inner is None:
            transport.abort()
            self._leave()
            return
        self._transport = inner
        if access.allowed_sans and not access.allowed_sans & _names_of(inner):
            self.cut_off(Refusal.CERTIFICATE)
            return
        self._begin(inner)

    async def _handshake(
        self, transport: asyncio.Transport, context: ssl.SSLContext
    ) -> asyncio.Transport | None:
        try:
            return await self._loop.start_tls(
                transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_DEADLINE,
            )
        except OSError:  # SSLError and TimeoutError are kinds of it
            self._entrance.refused(Refusal.HANDSHAKE)
            return None

    def _begin(self, transport: asyncio.Transport) -> None:
        """Hand over to what handles requests."""
        self._handler = self._entrance.server()
        self._handler.connection_made(transport)
        self._wait_for_request()
        # TLS may have brought the first request along with the end of the handshake.
        early, self._early, self._unasked = self._early, [], 0
        for data in early:
            self.data_received(data)

    def asked(self) -> None:
        """Note that a whole request has arrived."""
        self._unasked = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _wait_for_request(self) -> None:
        if self._deadline is None:
            self._deadline = self._loop.call_later(REQUEST_DEADLINE, self._too_slow)

    def _make_room(self) -> None:
        self.cut_off(Refusal.CONNECTIONS)

    def _too_slow(self) -> None:
        self.cut_off(Refusal.SLOW)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, as long as they can still be a request."""
        self._unasked += len(data)
        if self._unasked > LARGEST_REQUEST:
            self.cut_off(Refusal.SIZE)
        elif self._handler is None:
            self._early.append(data)
        else:
            self._wait_for_request()
            self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on; the connection is closed then."""
        if self._handler is not None:
            self._handler.eof_received()
        return None

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._handler is not None:
            self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._leave()
        if self._handler is not None:
            self._handler.connection_lost(exc)

    def give_up(self) -> None:
        """End a connection that nothing handles yet."""
        if self._handler is None:
            self._abort()

    def cut_off(self, why: Refusal) -> None:
        """End the connection, whatever the client does."""
        self._entrance.refused(why)
        self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._leave()

    def _leave(self) -> None:
        self.asked()
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        self._entrance.visits.discard(self)
        if self._place is not None:
            self._entrance.connections.leave(self._place)


def _names_of(transport: asyncio.Transport) -> frozenset[str]:
    inner = transport.get_extra_info("ssl_object")
    certificate = None if inner is None else inner.getpeercert(binary_form=True)
    return frozenset() if certificate is None else alternative_names(certificate)


def visit_of(request: web.BaseRequest) -> Visit:
    """Return the connection that a request came on.

    Raises:
        ConnectionResetError: it has ended.
    """
    with contextlib.suppress(AttributeError):
        protocol = request.transport.get_protocol()  # type: ignore[union-attr]
        if isinstance(protocol, Visit):
            return protocol
    raise ConnectionResetError
