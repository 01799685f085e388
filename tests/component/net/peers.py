"""Peers that do exactly as told: each connection runs a script in a thread, with a blocking socket.

Threads, because a peer must go on while the loop under test is held.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 30.0
"""Seconds that a script waits for anything before it gives up."""

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A server's frame."""
    first = opcode | (0x80 if fin else 0) | rsv
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", first, length) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """A server's close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


@dataclass(frozen=True, slots=True)
class Span:
    """The monotonic seconds right before and right after something was sent."""

    before: float
    after: float


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.request = ""
        self._unread = b""

    def read_request(self) -> str:
        """Return the head of the request that comes."""
        while b"\r\n\r\n" not in self._unread:
            self._more()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        self.request = head.decode()
        return self.request

    def header(self, name: str) -> str | None:
        """Return a header of the request, or None."""
        for line in self.request.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def accept_key(self) -> str:
        """Return what a good answer holds (RFC 6455 section 4.2.2)."""
        key = (self.header("Sec-WebSocket-Key") or "") + _GUID
        return base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()

    def upgrade(self, *headers: str, then: bytes = b"") -> None:
        """Read the request, if nobody has, and accept it; `then` goes into the same segment."""
        if not self.request:
            self.read_request()
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self.accept_key()}",
            *headers,
        )
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + then)

    def answer(self, *lines: str, body: bytes = b"") -> None:
        """Read the request and answer something else."""
        self.read_request()
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)

    def send(self, data: bytes) -> Span:
        """Send bytes as they are; say when."""
        before = time.monotonic()
        self.sock.sendall(data)
        return Span(before, time.monotonic())

    def read_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame, which a client has masked."""
        first, second = self._exactly(2)
        assert second & 0x80, "a client must mask its frames"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        mask, payload = self._exactly(4), self._exactly(length)
        whole = mask * (length // 4 + 1)
        return first & 0x0F, bytes(a ^ b for a, b in zip(payload, whole, strict=False))

    def read_close(self) -> int:
        """Read until the client's close frame; return its code."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0]) if payload else 1005

    def echo(self) -> None:
        """Echo data and answer pings until the client closes or is gone."""
        with contextlib.suppress(ConnectionError):
            while True:
                opcode, payload = self.read_frame()
                if opcode == CLOSE:
                    self.send(frame(CLOSE, payload))
                    return
                if opcode != PONG:
                    self.send(frame(PONG if opcode == PING else opcode, payload))

    def wait_end(self) -> None:
        """Wait until the client's side of the connection is gone."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while self.sock.recv(65536):
                pass

    def reset(self) -> None:
        """Break the connection with a TCP RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A TLS socket sends nothing of its own accord either.
        self.sock.close()

    def _exactly(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._more()
        data, self._unread = self._unread[:count], self._unread[count:]
        return data

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the client is gone")
        self._unread += data


Script = Callable[[Peer], None]
"""What a peer does with one connection. It is closed when the script ends."""


@dataclass
class Server:
    """Listens on a free port and runs a script on every connection, or the n-th script on the n-th.

    Attributes:
        tls: where given, a script begins after the handshake.
        failures: what went wrong in scripts.
    """

    scripts: tuple[Script, ...]
    tls: ssl.SSLContext | None = None
    family: int = socket.AF_INET
    receive_buffer: int = 0
    failures: list[BaseException] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.socket(self.family)
        if self.receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self._listener.bind(("::1" if self.family == socket.AF_INET6 else "127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    async def done(self) -> None:
        """Wait for the scripts that run to come to their own end."""
        for thread in self._threads[1:]:
            await asyncio.to_thread(thread.join, PATIENCE)

    def stop(self) -> None:
        """Accept no more, end every connection, and see every script end."""
        # This wakes a thread that waits in accept; closing alone would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(PATIENCE)
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a script hangs"
        for sock in self._open:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(sock)
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(sock, script))
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket, script: Script) -> None:
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            with sock:
                script(Peer(sock))
        except (ssl.SSLError, ConnectionError):
            # The client did not like the certificate, or is gone: tests see that at its end.
            sock.close()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test ends
            sock.close()
            self.failures.append(error)


@contextlib.contextmanager
def serving() -> Iterator[Callable[..., Server]]:
    """Give what starts servers with the given scripts; stop them all, and see that none failed."""
    with contextlib.ExitStack() as stack:
        servers: list[Server] = []

        def serve(*scripts: Script, **options: Any) -> Server:
            server = Server(scripts, **options)
            servers.append(server)
            stack.callback(server.stop)
            return server

        yield serve
    for server in servers:
        assert server.failures == []
