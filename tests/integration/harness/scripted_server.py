"""A WebSocket server that echoes by a script, and writes down what it did, to the moment.

python -m tests.integration.harness.scripted_server. It writes its port in the first line, then one
line of JSON for each frame that it received and for each that it echoed. Times are those of the
monotonic clock, which all processes share. A connection's script is in the query of its URL:

- `name`: stands in its lines.
- `swallow=N`: every N-th frame gets no echo.
- `delay=SECONDS`: between a frame and its echo; echoes keep their order.
- `freeze=SECONDS`, `every=SECONDS`: so often it answers nothing for so long, and then all at once.
- `duplicate=N`, `gap=SECONDS`: so many more echoes, each so long after the one before.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


def tell(**values: Any) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Script:
    """What one connection does; times are in seconds."""

    name: str = ""
    swallow: int = 0
    delay: float = 0.0
    freeze: float = 0.0
    every: float = 0.0
    duplicate: int = 0
    gap: float = 0.0

    @classmethod
    def of(cls, path: str) -> Script:
        """Read a script from a request's path and query."""
        kinds = {"name": str, "swallow": int, "duplicate": int}
        pairs = parse_qsl(urlsplit(path).query)
        return cls(**{key: kinds.get(key, float)(value) for key, value in pairs})

    def echo_at(self, received: float, opened: float) -> float:
        """Return when a frame's echo is due."""
        due = received + self.delay
        if self.every:
            into = (due - opened) % self.every
            if due - opened >= self.every and into < self.freeze:
                due += self.freeze - into
        return due


async def converse(connection: ServerConnection) -> None:
    """Answer one connection by its script until it ends."""
    assert connection.request is not None
    script = Script.of(connection.request.path)
    ident = str(connection.id)
    opened = time.monotonic()
    due: asyncio.Queue[tuple[float, int, str]] = asyncio.Queue()
    duplicates: set[asyncio.Task[None]] = set()

    async def answer() -> None:
        while True:
            when, frame, text = await due.get()
            await asyncio.sleep(max(when - time.monotonic(), 0.0))
            tell(name=script.name, connection=ident, frame=frame, echoed=time.monotonic())
            await connection.send(text)
            for copy in range(1, script.duplicate + 1):
                again = asyncio.create_task(send_later(connection, text, script.gap * copy))
                duplicates.add(again)
                again.add_done_callback(duplicates.discard)

    answering = asyncio.create_task(answer())
    frame = 0
    with suppress(ConnectionClosed):
        async for text in connection:
            frame += 1
            received = time.monotonic()
            tell(name=script.name, connection=ident, frame=frame, received=received)
            if not script.swallow or frame % script.swallow:
                due.put_nowait((script.echo_at(received, opened), frame, str(text)))
    for task in (answering, *duplicates):
        task.cancel()


async def send_later(connection: ServerConnection, text: str, seconds: float) -> None:
    """Answer once more, which holds up no other echo."""
    await asyncio.sleep(seconds)
    with suppress(ConnectionClosed):
        await connection.send(text)


async def main() -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with serve(
        converse, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.1
    ) as server:
        tell(port=next(iter(server.sockets)).getsockname()[1])
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
