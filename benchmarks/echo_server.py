"""The fastest WebSocket echo server that asyncio allows: small unmasked answers, nothing else.

It parses just enough of RFC 6455 for clients that send small frames: an upgrade, text and binary
frames (echoed), pings (answered), a close frame (answered). It must never be the slower side.

    python -m benchmarks.echo_server [--port N] [--cert FILE --key FILE]

prints the port on its first line and serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import ssl
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PING, PONG, CLOSE = 0x9, 0xA, 0x8


class Echo(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""
        self._upgraded = False

    def data_received(self, data: bytes) -> None:
        """Answer whatever is complete."""
        data = self._buffer + data if self._buffer else data
        if not self._upgraded:
            data = self._upgrade(data)
        if self._upgraded:
            data = self._frames(data)
        self._buffer = data

    def _upgrade(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return data
        lines = (line.partition(b":") for line in head.split(b"\r\n"))
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._upgraded = True
        return rest

    def _frames(self, data: bytes) -> bytes:
        answers = []
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
            data = data[end:]
            if opcode == CLOSE:
                self._transport.write(b"".join(answers))
                self._transport.close()
                return b""
        if answers:
            self._transport.write(b"".join(answers))
        return data


async def serve(port: int, context: ssl.SSLContext | None) -> None:
    """Serve until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, ssl=context, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


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
