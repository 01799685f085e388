"""A program that runs many targets, with settings that `ws-monitor target` does not offer.

python -m tests.integration.harness.target_farm COUNT SETTINGS, the settings as JSON. It writes one
line: the port and the control port of each.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from monitor.target import Target, TargetSettings


async def main() -> None:
    """Run the targets until SIGTERM."""
    settings = json.loads(sys.argv[2])
    targets = [
        Target(TargetSettings(**{"port": 0, "control_port": 0, **settings}))
        for _ in range(int(sys.argv[1]))
    ]
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    for target in targets:
        await target.start()
    sys.stdout.write(json.dumps([[target.port, target.control_port] for target in targets]) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    for target in targets:
        await target.stop()


if __name__ == "__main__":
    asyncio.run(main())
