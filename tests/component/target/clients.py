"""Clients of a target on loopback: a real one (`websockets`), and one that speaks bare frames."""

import asyncio
import base64
import os
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from monitor.target import Target

API_KEY = "aGVhZA.Ym9keQ.c2ln"
CONNECTED = '{"res":"v1.connected","data":{}}'

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class RawSocket:
    """A WebSocket client that does nothing of its own accord: no pong, no close frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, opcode: int, payload: bytes = b"", *, final: bool = True) -> None:
        """Send one masked frame of less than 126 bytes."""
        head = bytes([opcode | (0x80 if final else 0), 0x80 | len(payload)])
        self.writer.write(head + bytes(4) + payload)

    async def receive(self) -> tuple[int, bytes]:
        """Return the opcode and the payload of the next frame."""
        first, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        return first & 0x0F, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Return all that still comes until the end of the stream."""
        return await self.reader.read()

    async def sync(self) -> None:
        """Return when the target has handled all that was sent: its pong comes after that."""
        self.send(PING, b"sync")
        assert await self.receive() == (PONG, b"sync")


class Client:
    """All ways to talk to one target."""

    def __init__(self, target: Target, http: aiohttp.ClientSession) -> None:
        self.target = target
        self.http = http
        self._writers: list[asyncio.StreamWriter] = []
        self._sockets: list[ClientConnection] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.target.port}"

    async def ticket(self) -> str:
        """Fetch a ticket."""
        headers = {"Authorization": f"Bearer {API_KEY}"}
        url = f"http://{self.address}/v1/socket-tickets"
        async with self.http.post(url, headers=headers) as response:
            assert response.status == 200
            return str((await response.json())["ticket"])

    async def dial(self, ticket: str, **options: Any) -> ClientConnection:
        """Open a WebSocket; return after its 101."""
        socket = await connect(
            f"ws://{self.address}/?ticket={ticket}",
            ping_interval=None,
            compression=None,
            proxy=None,
            **options,
        )
        self._sockets.append(socket)
        return socket

    async def connect(self, **options: Any) -> ClientConnection:
        """Open a WebSocket with a fresh ticket; return after `v1.connected`."""
        socket = await self.dial(await self.ticket(), **options)
        assert await socket.recv() == CONNECTED
        return socket

    async def open_tcp(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a bare TCP connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target.port)
        self._writers.append(writer)
        return reader, writer

    async def request(self, head: str, then: bytes = b"") -> tuple[str, RawSocket]:
        """Send the head of an HTTP request and what follows it in the same segment."""
        reader, writer = await self.open_tcp()
        writer.write(head.replace("\n", "\r\n").encode() + then)
        response = (await reader.readuntil(b"\r\n\r\n")).decode()
        return response, RawSocket(reader, writer)

    async def raw_dial(self, ticket: str, then: bytes = b"") -> RawSocket:
        """Open a WebSocket by hand; return after its 101."""
        response, raw = await self.request(upgrade_request(f"/?ticket={ticket}"), then)
        assert response.startswith("HTTP/1.1 101 ")
        return raw

    async def raw_connect(self) -> RawSocket:
        """Open a WebSocket by hand with a fresh ticket; return after `v1.connected`."""
        raw = await self.raw_dial(await self.ticket())
        assert await raw.receive() == (TEXT, CONNECTED.encode())
        return raw

    async def control(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask the control endpoint; return the status and the JSON or the text of the answer."""
        url = f"http://127.0.0.1:{self.target.control_port}{path}"
        async with self.http.request(method, url, json=body) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def a_while(self) -> None:
        """Let the event loop turn often enough for an echo that is on its way to arrive."""
        for _ in range(10):
            await self.control("GET", "/faults")

    async def leave(self) -> None:
        for socket in self._sockets:
            socket.transport.abort()
        for writer in self._writers:
            writer.transport.abort()
        for socket in self._sockets:
            await socket.wait_closed()


def upgrade_request(path: str, extra: str = "", version: str = "13") -> str:
    """Return the head of an upgrade request."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\n"
        f"Sec-WebSocket-Key: {key}\nSec-WebSocket-Version: {version}\n{extra}\n"
    )


StartClient = Callable[..., Awaitable[Client]]
"""Starts a target with the given settings and returns a client of it."""
