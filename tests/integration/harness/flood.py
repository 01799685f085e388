"""A flood on a web port, as a program: `python -m tests.integration.harness.flood PORT [tls]`.

It comes from four addresses of loopback, and does whatever costs a server most: headers that arrive
a byte a second, pages that are never read, connections without end, nonsense, handshakes that
stall, requests as fast as they are answered, and guesses at a password. It has the least priority,
so that what it costs is what the server spends on it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import ssl
import sys
from collections.abc import Awaitable, Callable

CLIENTS = ("127.0.0.66", "127.0.0.67", "127.0.0.68", "127.0.0.69")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_counter = itertools.count()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a header a byte a second."""
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(1)


async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for pages, and never read one."""
    writer.transport.pause_reading()  # type: ignore[attr-defined] # it is for both ways
    while not writer.is_closing():
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def leave(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Only connect."""


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send what is no HTTP."""
    writer.write(os.urandom(512) + b"\r\n\r\n")
    await reader.read()


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin to agree on TLS, and say no more."""
    writer.write(b"\x16\x03\x01\x02\x00\x01")
    await reader.read()


async def hurry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask again and again, several times at once."""
    while True:
        writer.write(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n" * 8)
        if not await reader.read(65536):
            return


async def guess(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Try one password after another."""
    while True:
        word = base64.b64encode(f"prometheus:guess {next(_counter)}".encode())
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + word)
        writer.write(b"\r\n\r\n")
        if not await reader.read(65536):
            return


BARE: tuple[tuple[Act, int], ...] = ((leave, 2), (babble, 2), (stall, 4))
"""What is done on a bare connection, and on how many of each client at a time."""

HTTP: tuple[tuple[Act, int], ...] = ((drip, 12), (ignore, 4), (hurry, 4), (guess, 4))
"""What is done where there is HTTP, with TLS below it if the port has it."""


async def again_and_again(act: Act, client: str, port: int, tls: ssl.SSLContext | None) -> None:
    """Do it on one connection after another."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(client, 0), ssl=tls
            )
            try:
                await act(reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.001)


async def main(port: int, tls: ssl.SSLContext | None) -> None:
    """Flood a port until somebody ends the program."""
    os.nice(19)
    kinds = [(act, count, None) for act, count in BARE] + [(act, n, tls) for act, n in HTTP]
    await asyncio.gather(
        *(
            again_and_again(act, client, port, below)
            for client in CLIENTS
            for act, connections, below in kinds
            for _ in range(connections)
        )
    )


def trusting() -> ssl.SSLContext:
    """Return a context for one who does not care whom he attacks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), trusting() if sys.argv[2:] == ["tls"] else None))
