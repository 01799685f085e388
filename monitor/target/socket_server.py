"""The port that clients connect to: accepts, lets aiohttp parse, hands frames to `connection`.

It answers nothing itself: HTTP is answered in `endpoints`, frames in `connection`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Self

from aiohttp import WSMessage, WSMsgType, web

from monitor.target.backend import Backend
from monitor.target.connection import Connection
from monitor.target.endpoints import answer, is_upgrade, offered_subprotocol, upgrade_refusal
from monitor.target.listener import Listener

_KEEP_ALIVE = 30.0
_TLS_HANDSHAKE_TIMEOUT = 10.0
_CLOSE_TIMEOUT = 5.0
# aiohttp refuses what reaches its limit, Talo what exceeds 100 MiB.
_MAX_MESSAGE_SIZE = 100 * 1024 * 1024 + 1


class SocketServer:
    """HTTP and WebSocket on one port, with every open connection of the target."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._connections: set[Connection] = set()
        self._listener = Listener(self._adopt)
        self._http = web.Server(self._serve, access_log=None, keepalive_timeout=_KEEP_ALIVE)
        self._adoptions: set[asyncio.Task[None]] = set()
        self._thawed = asyncio.Event()
        self._thawed.set()

    @classmethod
    async def open(cls, backend: Backend) -> Self:
        """Listen as the settings say.

        Raises:
            OSError: the address cannot be bound.
        """
        server = cls(backend)
        await server._listener.open(backend.settings.host, backend.settings.port)
        return server

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._listener.port

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The WebSockets that are open now."""
        return tuple(self._connections)

    def adjust(self, *, listening: bool, frozen: bool) -> None:
        """Listen or refuse; read from every connection, new ones too, or from none.

        Raises:
            OSError: somebody else has taken the port while it was refusing; nothing has changed.
        """
        self._listener.adjust(listening=listening, accepting=not frozen)
        if frozen and self._thawed.is_set():
            self._thawed.clear()
            for transport in self._transports():
                transport.pause_reading()
        elif not frozen and not self._thawed.is_set():
            self._thawed.set()
            for transport in self._transports():
                transport.resume_reading()

    async def close(self) -> None:
        """Give the port up and end every connection at once, without a close frame."""
        self._listener.close()
        self._thawed.set()
        for adoption in self._adoptions:
            adoption.cancel()
        await asyncio.gather(*self._adoptions, return_exceptions=True)
        for transport in self._transports():
            transport.abort()
        await self._http.shutdown(_CLOSE_TIMEOUT)

    def _transports(self) -> list[asyncio.Transport]:
        """Return the transports of all connections, also of those that speak plain HTTP."""
        return [
            handler.transport for handler in self._http.connections if handler.transport is not None
        ]

    def _adopt(self, sock: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(self._hand_to_aiohttp(sock))
        self._adoptions.add(task)
        task.add_done_callback(self._adoptions.discard)

    async def _hand_to_aiohttp(self, sock: socket.socket) -> None:
        context = self._backend.settings.ssl_context
        with contextlib.suppress(OSError):  # a TLS handshake that fails is the client's affair
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                self._http,
                sock,
                ssl=context,
                ssl_handshake_timeout=None if context is None else _TLS_HANDSHAKE_TIMEOUT,
            )
            if not self._thawed.is_set():
                transport.pause_reading()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._thawed.wait()
        if not is_upgrade(request):
            return answer(request, self._backend)
        refusal = upgrade_refusal(request, self._backend.faults)
        if refusal is not None:
            return refusal
        return await self._serve_websocket(request)

    async def _serve_websocket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(
            autoping=False,
            autoclose=False,
            heartbeat=None,
            compress=False,
            max_msg_size=_MAX_MESSAGE_SIZE,
            protocols=offered_subprotocol(request),
        )
        await websocket.prepare(request)
        if request.transport is not None:
            ticket = request.query.get("ticket", "")
            connection = Connection(request.transport, ticket, self._backend)
            await self._serve_connection(websocket, connection)
        return websocket

    async def _serve_connection(
        self, websocket: web.WebSocketResponse, connection: Connection
    ) -> None:
        counters = self._backend.counters
        self._connections.add(connection)
        counters.connections_open += 1
        counters.connections_total += 1
        try:
            await self._read(websocket, connection)
        finally:
            connection.lost()
            self._connections.discard(connection)
            counters.connections_open -= 1

    async def _read(self, websocket: web.WebSocketResponse, connection: Connection) -> None:
        """Hand frames to the connection until its transport ends."""
        while True:
            message = await websocket.receive()
            await self._thawed.wait()
            receive = _RECEIVERS.get(message.type)
            if receive is None:
                return
            receive(connection, message)
            if message.type is WSMsgType.CLOSE:
                return


def _receive_text(connection: Connection, message: WSMessage) -> None:
    connection.receive_message(message.data)


def _receive_binary(connection: Connection, message: WSMessage) -> None:
    connection.receive_message(message.data.decode("utf-8", "replace"))


def _receive_ping(connection: Connection, message: WSMessage) -> None:
    connection.receive_ping(bytes(message.data))


def _receive_pong(connection: Connection, _message: WSMessage) -> None:
    connection.receive_pong()


def _receive_close(connection: Connection, message: WSMessage) -> None:
    # aiohttp says 0 for a close frame without a code.
    connection.receive_close(message.data or None, message.extra or "")


# Any other type is aiohttp's way to say that the connection has ended.
_RECEIVERS: Mapping[WSMsgType, Callable[[Connection, WSMessage], None]] = {
    WSMsgType.TEXT: _receive_text,
    WSMsgType.BINARY: _receive_binary,
    WSMsgType.PING: _receive_ping,
    WSMsgType.PONG: _receive_pong,
    WSMsgType.CLOSE: _receive_close,
}
