"""A program that runs one target for each fault, each on a loopback address of its own.

python -m drill.farm PROTOCOLS DIRECTORY, the protocols as JSON: `ws` or `wss` for each target. It
writes one line of JSON: host, port and control port of each. A certificate expires within two days;
its authority is written to DIRECTORY/ca.pem.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from monitor.target import Target, TargetSettings


async def main() -> None:
    """Run the targets until SIGTERM."""
    protocols, directory = json.loads(sys.argv[1]), Path(sys.argv[2])
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    hosts = [f"127.0.1.{number}" for number in range(1, len(protocols) + 1)]
    targets = [
        _target(host, _expiring(authority, host) if protocol == "wss" else None)
        for host, protocol in zip(hosts, protocols, strict=True)
    ]
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    for target in targets:
        await target.start()
    places = [
        [host, target.port, target.control_port]
        for host, target in zip(hosts, targets, strict=True)
    ]
    sys.stdout.write(json.dumps(places) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    for target in targets:
        await target.stop()


def _target(host: str, context: ssl.SSLContext | None) -> Target:
    return Target(
        TargetSettings(
            host=host,
            port=0,
            control_port=0,
            ssl_context=context,
            # A fault that keeps a probe connecting for minutes needs more than a client has.
            ticket_points=100_000,
        )
    )


def _expiring(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    soon = datetime.now(UTC) + timedelta(days=2)
    authority.issue_cert(host, not_after=soon).configure_cert(context)
    return context


if __name__ == "__main__":
    asyncio.run(main())
