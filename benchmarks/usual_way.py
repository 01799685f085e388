"""What everybody writes: stamp, `await send()`, `await recv()`, stamp; metrics on the same loop.

    python -m benchmarks.usual_way URL CONNECTIONS INTERVAL TRACE [--series N]

Writes lines `unix_seconds rtt` to TRACE. With `--series` it serves that many series through
`prometheus_client` from the same process and prints the port.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import time
from typing import TextIO

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from websockets.asyncio.client import connect


async def beat(
    url: str, phase: float, interval: float, trace: TextIO, tls: ssl.SSLContext | None
) -> None:
    """Keep one connection and measure it, for ever."""
    loop = asyncio.get_running_loop()
    async with connect(url, ping_interval=None, proxy=None, compression=None, ssl=tls) as socket:
        due = loop.time() + phase
        while True:
            await asyncio.sleep(due - loop.time())
            due += interval
            began = time.monotonic()
            await socket.send("hb-0")
            await socket.recv()
            trace.write(f"{time.time():.7f} {time.monotonic() - began:.7f}\n")


async def run(arguments: argparse.Namespace) -> None:
    """Run all connections."""
    tls = None
    if arguments.url.startswith("wss:"):
        tls = ssl.create_default_context(cafile=arguments.ca)
    with open(arguments.trace, "w", buffering=1) as trace:  # noqa: ASYNC230 - before it begins
        await asyncio.gather(
            *(
                beat(
                    arguments.url,
                    arguments.interval * i / arguments.connections,
                    arguments.interval,
                    trace,
                    tls,
                )
                for i in range(arguments.connections)
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
    parser.add_argument("url")
    parser.add_argument("connections", type=int)
    parser.add_argument("interval", type=float)
    parser.add_argument("trace")
    parser.add_argument("--series", type=int, default=0)
    parser.add_argument("--ca")
    arguments = parser.parse_args()
    sys.stdout.write(f"{serve_metrics(arguments.series)}\n")
    sys.stdout.flush()
    asyncio.run(run(arguments))


if __name__ == "__main__":
    main()
