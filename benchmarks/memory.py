"""Memory: what one more probe costs the monitor's resident memory, pages of metrics included."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import processes

FEW = 10


def resident(folder: Path, probes: int) -> int:
    """Run so many probes that beat every ten seconds; return the resident bytes once all are up."""
    with processes.echo_server() as (_, port):
        config = processes.fleet_config(f"ws://127.0.0.1:{port}/", probes, 10.0)
        config["connect"] = {"max_concurrent": 500, "per_second": 2000}
        with processes.monitor(folder, config) as monitor:
            monitor.wait_until_up(probes)
            time.sleep(1.0)
            return processes.resident_bytes(monitor.process)


def per_probe(folder: Path, probes: int) -> float:
    """Return the resident bytes that each probe adds."""
    return (resident(folder, probes) - resident(folder, FEW)) / (probes - FEW)
