"""Monitors that share their probes, started and restarted as a StatefulSet does it with pods."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.integration.harness.lab import Lab
from tests.integration.harness.metrics import Scrape
from tests.integration.harness.monitor import Monitor
from tests.integration.harness.waiting import wait_until


class StatefulSet:
    """Pods by their ordinal; each is told the count of shards when it starts.

    A pod counts as started once it is ready and its probes are up. In a cluster the second is what
    `minReadySeconds` leaves time for.
    """

    def __init__(self, lab: Lab, config: Path, replication: int) -> None:
        self.pods: dict[int, Monitor] = {}
        self._lab = lab
        self._config = config
        self._replication = replication

    async def start(self, index: int, count: int) -> None:
        """Start a pod."""
        env = {
            "WS_MONITOR_POD_INDEX": str(index),
            "WS_MONITOR_SHARD": f"auto/{count}",
            "WS_MONITOR_REPLICATION": str(self._replication),
        }
        pod = await self._lab.monitor_from(self._config, env=env)

        async def ready() -> bool:
            return (await pod.get("/-/ready")).status == 200

        await wait_until(ready, what=f"pod {index} is ready")
        await pod.until(all_up, what=f"the probes of pod {index} are up")
        self.pods[index] = pod

    async def stop(self, index: int) -> None:
        """Stop a pod, and wait until it is gone."""
        pod = self.pods.pop(index)
        pod.signal(signal.SIGTERM)
        assert await pod.wait() == 0

    async def restart(self, index: int, count: int) -> None:
        """Replace a pod by one that is told another count."""
        await self.stop(index)
        await self.start(index, count)

    async def watchers(self) -> dict[str, set[int]]:
        """Return which pods watch each probe."""
        found: dict[str, set[int]] = {}
        for index, pod in self.pods.items():
            for name in (await pod.scrape()).probes:
                found.setdefault(name, set()).add(index)
        return found


def all_up(scrape: Scrape) -> bool:
    """Whether every probe that a monitor runs is there and up."""
    probes = [scrape.probe(name) for name in scrape.probes]
    return len(probes) == scrape.value("ws_monitor_probes") and all(each.up for each in probes)
