"""The fastest WebSocket echo server that asyncio allows: small unmasked answers, nothing else.

It parses just enough of RFC 6455 for clients that send small frames: an upgrade, text and binary
frames (echoed), pings (answered), a close frame (answered). It must never be the slower side. It
listens on every loopback address, and keeps books of its own.

    python -m benchmarks.programs.echo_server [--port N] [--cert FILE --key FILE]

prints the port on its first line and serves until it is ended. Each line on its standard input is
an order, answered with a line of JSON:

    open            how many connections are open
    books           what it has counted
    drop SECONDS    end connections at random, each after so many seconds on average; 0: no more
    leave           end all connections with a close frame, and take no more
    flood RATE      push so many messages a second to each client of `/flood`; 0: no more
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import hashlib
import json
import random
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

from benchmarks.programs.orders import obey, say

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PING, PONG, CLOSE = 0x9, 0xA, 0x8
GOING_AWAY = b"\x88\x02\x03\xe9"
"""A close frame with code 1001."""

RESET = struct.pack("ii", 1, 0)
"""What SO_LINGER takes to end a connection with a reset."""

FLOOD_TICK = 0.005
FLOOD_PATH = b"/flood"
PUSHED = b"\x81\x10pushed by server"
MOST_UNREAD = 1 << 20
"""Bytes that a flooded client may leave unread before it is pushed no more."""


class Books:
    """What the server has seen; `received` and `answered` for each path that was asked for."""

    def __init__(self) -> None:
        self.opened: list[float] = []
        self.open: set[Echo] = set()
        self.dropped: collections.Counter[str] = collections.Counter()
        self.received: collections.Counter[str] = collections.Counter()
        self.answered: collections.Counter[str] = collections.Counter()
        self.pushed = 0
        self.withheld = 0
        self.leaving = False

    def told(self) -> dict[str, Any]:
        """Return the books as JSON has them. `opened` are monotonic seconds."""
        return vars(self) | {"open": len(self.open)}


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._buffer = b""
        self.path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._books.leaving:
            transport.abort()
            return
        self._books.opened.append(asyncio.get_running_loop().time())

    def connection_lost(self, _: Exception | None) -> None:
        """Strike the connection off."""
        self._books.open.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer whatever is complete."""
        data = self._buffer + data if self._buffer else data
        if not self.path:
            data = self._upgrade(data)
        if self.path:
            data = self._frames(data)
        self._buffer = data

    def _upgrade(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return data
        first, *others = head.split(b"\r\n")
        lines = (line.partition(b":") for line in others)
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.path = first.split(b" ")[1]
        self.name = self.path.decode()
        self._books.open.add(self)
        return rest

    def _frames(self, data: bytes) -> bytes:
        answers = []
        beats = 0
        while len(data) >= 6:
            length = data[1] & 0x7F
            if length > 125:
                raise ValueError("this server echoes small frames only")
            end = 6 + length
            if len(data) < end:
                break
            mask = int.from_bytes((data[2:6] * (length // 4 + 1))[:length])
            payload = (int.from_bytes(data[6:end]) ^ mask).to_bytes(length)
            opcode = data[0] & 0x0F
            answer = PONG if opcode == PING else opcode
            if opcode != PONG:
                answers.append(bytes((0x80 | answer, length)) + payload)
                beats += opcode != CLOSE
            data = data[end:]
            if opcode == CLOSE:
                self._answer(answers, beats)
                self.transport.close()
                return b""
        if answers:
            self._answer(answers, beats)
        return data

    def _answer(self, answers: list[bytes], beats: int) -> None:
        self._books.received[self.name] += beats
        if not self.transport.is_closing():
            self.transport.write(b"".join(answers))
            self._books.answered[self.name] += beats

    # Three ways to end a connection that a client does not expect.

    def say_goodbye(self) -> None:
        """End it with a close frame."""
        self.transport.write(GOING_AWAY)
        self.transport.close()

    def hang_up(self) -> None:
        """End the stream without a word."""
        self.transport.close()

    def reset(self) -> None:
        """End it with a reset."""
        sock: socket.socket = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


ENDS: dict[str, Callable[[Echo], None]] = {
    "close frame": Echo.say_goodbye,
    "end of stream": Echo.hang_up,
    "reset": Echo.reset,
}


class Server:
    """All connections, and the orders given from outside."""

    def __init__(self) -> None:
        self.books = Books()
        self._loop = asyncio.get_running_loop()
        self._chance = random.Random(1)
        self._drop_mean = 0.0
        self._flood_rate = 0.0

    def take(self, order: str) -> str:
        """Do as ordered and return the answer."""
        word, _, argument = order.partition(" ")
        if word == "open":
            return json.dumps({"open": len(self.books.open)})
        if word == "drop":
            self._drop_mean = float(argument)
            self._drop_next()
        elif word == "leave":
            self.books.leaving = True
            for connection in list(self.books.open):
                connection.say_goodbye()
        elif word == "flood":
            self._flood_rate = float(argument)
            self._flood(self._loop.time())
        return json.dumps(self.books.told())

    def _drop_next(self) -> None:
        if not self._drop_mean:
            return
        rate = max(len(self.books.open), 1) / self._drop_mean
        self._loop.call_later(self._chance.expovariate(rate), self._drop_one)

    def _drop_one(self) -> None:
        if self._drop_mean and self.books.open:
            how = self._chance.choice(list(ENDS))
            ENDS[how](self._chance.choice(list(self.books.open)))
            self.books.dropped[how] += 1
        self._drop_next()

    def _flood(self, due: float) -> None:
        if not self._flood_rate:
            return
        count = round(self._flood_rate * FLOOD_TICK)
        for connection in [each for each in self.books.open if each.path == FLOOD_PATH]:
            if connection.transport.get_write_buffer_size() < MOST_UNREAD:
                connection.transport.write(PUSHED * count)
                self.books.pushed += count
            else:
                self.books.withheld += count
        self._loop.call_at(due + FLOOD_TICK, self._flood, due + FLOOD_TICK)


def listen(port: int) -> socket.socket:
    """Return a socket that listens on all loopback addresses, and on no other."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    sock.bind(("0.0.0.0", port))
    return sock


async def serve(port: int, context: ssl.SSLContext | None) -> None:
    """Serve until cancelled."""
    loop = asyncio.get_running_loop()
    server = Server()
    listening = await loop.create_server(
        lambda: Echo(server.books), sock=listen(port), ssl=context, backlog=4096
    )
    obey(server.take)
    say(str(listening.sockets[0].getsockname()[1]))
    await listening.serve_forever()


def main() -> None:
    """Parse arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    arguments = parser.parse_args()
    context = None
    if arguments.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.cert, arguments.key)
    asyncio.run(serve(arguments.port, context))


if __name__ == "__main__":
    main()
