"""What everybody writes: stamp, `await send()`, `await recv()`, stamp; metrics on the same loop.

    python -m benchmarks.programs.usual_way SCHEME PORT CONNECTIONS INTERVAL TRACE [--series N]

Each connection goes to a loopback address of its own. Writes lines `unix_seconds number rtt` to
TRACE. With `--series` it serves that many series through `prometheus_client` from the same process.
Prints the port of its metrics, and `up` once all are connected.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import time
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.addresses import address
from benchmarks.programs.orders import say

SERVER_NAME = "localhost"
AT_ONCE = 50


async def open_all(arguments: argparse.Namespace) -> list[ClientConnection]:
    """Connect, some at a time."""
    options: dict[str, Any] = {}
    if arguments.scheme == "wss":
        context = ssl.create_default_context(cafile=arguments.ca)
        options = {"ssl": context, "server_hostname": SERVER_NAME}
    turn = asyncio.Semaphore(AT_ONCE)

    async def open_one(number: int) -> ClientConnection:
        url = f"{arguments.scheme}://{address(number)}:{arguments.port}/"
        async with turn:
            return await connect(url, ping_interval=None, proxy=None, compression=None, **options)

    return list(await asyncio.gather(*map(open_one, range(arguments.connections))))


async def beat(
    socket: ClientConnection, number: int, due: float, interval: float, trace: TextIO
) -> None:
    """Measure one connection, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(due - loop.time())
        due += interval
        began = time.monotonic()
        await socket.send("hb-0")
        await socket.recv()
        trace.write(f"{time.time():.7f} {number} {time.monotonic() - began:.7f}\n")


async def run(arguments: argparse.Namespace) -> None:
    """Run all connections."""
    sockets = await open_all(arguments)
    say("up")
    began = asyncio.get_running_loop().time()
    phase = arguments.interval / arguments.connections
    with open(arguments.trace, "w", buffering=1) as trace:  # noqa: ASYNC230 - before it begins
        await asyncio.gather(
            *(
                beat(socket, number, began + phase * number, arguments.interval, trace)
                for number, socket in enumerate(sockets)
            )
        )


def serve_metrics(series: int) -> int:
    """Serve so many series from a thread, as the library does by itself."""
    registry = CollectorRegistry()
    gauge = Gauge("usual_way_value", "One of many.", ["probe"], registry=registry)
    for number in range(series):
        gauge.labels(f"p{number}").set(number)
    server, _ = start_http_server(0, "127.0.0.1", registry)
    return server.server_port


def main() -> None:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scheme", choices=("ws", "wss"))
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("interval", type=float)
    parser.add_argument("trace")
    parser.add_argument("--series", type=int, default=0)
    parser.add_argument("--ca")
    arguments = parser.parse_args()
    say(str(serve_metrics(arguments.series)))
    asyncio.run(run(arguments))


if __name__ == "__main__":
    main()
