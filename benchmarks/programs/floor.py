"""The floor: the barest loop that sends and receives the same beats over `websockets`.

No scheduler, no accounting, no metrics, no time-outs: one task sends to whichever connections are
due, every ten milliseconds as the monitor's shared slots do, and one reads from each connection.

    python -m benchmarks.programs.floor URL CONNECTIONS INTERVAL

prints `up` once all are connected, and how many echoes came so far for each line on stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.programs.orders import obey, say

SLOT = 0.01
"""Seconds between two looks at who is due."""

AT_ONCE = 200
"""Connections opened at a time."""


class Floor:
    """All connections, and how many echoes came."""

    def __init__(self) -> None:
        self.echoes = 0
        self._connections: list[ClientConnection] = []

    async def open(self, url: str, count: int) -> None:
        """Connect."""
        while len(self._connections) < count:
            some = min(AT_ONCE, count - len(self._connections))
            self._connections += await asyncio.gather(*(self._connect(url) for _ in range(some)))

    async def _connect(self, url: str) -> ClientConnection:
        return await connect(url, ping_interval=None, proxy=None, compression=None)

    async def read(self, connection: ClientConnection) -> None:
        """Count what comes."""
        async for _ in connection:
            self.echoes += 1

    async def beat(self, interval: float) -> None:
        """Send to each connection once in an interval, for ever."""
        loop = asyncio.get_running_loop()
        slots = max(round(interval / SLOT), 1)
        groups = [self._connections[slot::slots] for slot in range(slots)]
        due = loop.time()
        number = 0
        while True:
            for group in groups:
                due += SLOT
                await asyncio.sleep(due - loop.time())
                number += 1
                for connection in group:
                    await connection.send(f"hb-{number}")

    async def run(self, url: str, count: int, interval: float) -> None:
        """Do all of it."""
        await self.open(url, count)
        readers = [asyncio.create_task(self.read(each)) for each in self._connections]
        obey(lambda _: str(self.echoes))
        say("up")
        await asyncio.gather(self.beat(interval), *readers)


def main() -> None:
    """Parse arguments and run until ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("connections", type=int)
    parser.add_argument("interval", type=float)
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Floor().run(arguments.url, arguments.connections, arguments.interval))


if __name__ == "__main__":
    main()
