"""Cost of a beat: CPU time of the whole process per heartbeat, ours and that of two others.

Each runs alone against the same kind of echo server, one after the other, several rounds in turn,
so that what disturbs the machine disturbs all of them. The monitor is scraped once in a window.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes

NODE = Path(__file__).parent / "node" / "beats.js"

SETTLE = 1.0
"""Seconds between up and the begin of a window."""


@dataclass(frozen=True, slots=True)
class Load:
    """So many connections, each beating once in `interval` seconds, watched for `window` seconds.

    `scraped` says whether the monitor is scraped in the middle of the window, as it would be every
    15 seconds.
    """

    connections: int
    interval: float
    window: float
    scraped: bool = True

    @property
    def rate(self) -> float:
        """Beats a second."""
        return self.connections / self.interval


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a process, and how many beats it has had echoed so far."""

    process: subprocess.Popen[bytes]
    beats: Callable[[], float]
    scrape: Callable[[], object]


@contextlib.contextmanager
def ours(folder: Path, url: str, load: Load) -> Iterator[Subject]:
    """The monitor itself."""
    config = processes.fleet_config(url, load.connections, load.interval)
    config["connect"] = {"max_concurrent": 500, "per_second": 2000}
    with processes.monitor(folder, config) as monitor:
        monitor.wait_until_up(load.connections)
        yield Subject(
            monitor.process,
            lambda: monitor.totals()["ws_probe_heartbeats_echoed_total"],
            monitor.scrape,
        )


@contextlib.contextmanager
def other(*command: str) -> Iterator[Subject]:
    """A program that says `up`, and how many echoes it had for each line that it is sent."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with processes.program(*command, **pipes) as process:
        source, sink = process.stdout, process.stdin
        assert source is not None
        assert sink is not None
        assert source.readline() == b"up\n"

        def beats() -> float:
            sink.write(b"?\n")
            sink.flush()
            return float(source.readline())

        yield Subject(process, beats, lambda: None)


@contextlib.contextmanager
def floor(_: Path, url: str, load: Load) -> Iterator[Subject]:
    """The barest loop over `websockets`."""
    arguments = (url, str(load.connections), str(load.interval))
    with other(processes.PYTHON, "-m", "benchmarks.floor", *arguments) as subject:
        yield subject


@contextlib.contextmanager
def node(_: Path, url: str, load: Load) -> Iterator[Subject]:
    """The same job on Node.js."""
    arguments = (url, str(load.connections), str(load.interval))
    with other("node", str(NODE), *arguments) as subject:
        yield subject


SUBJECTS = {"ours": ours, "floor": floor, "node": node}


def cpu_per_beat(name: str, folder: Path, load: Load) -> float:
    """Run one subject under a load; return its CPU seconds per beat."""
    with contextlib.ExitStack() as stack:
        _, port = stack.enter_context(processes.echo_server())
        url = f"ws://127.0.0.1:{port}/"
        subject = stack.enter_context(SUBJECTS[name](folder, url, load))
        time.sleep(SETTLE)
        # Counting ours takes a scrape, which is left out of the window.
        first, began = subject.beats(), time.monotonic()
        cpu, cpu_began = processes.cpu_seconds(subject.process), time.monotonic()
        time.sleep(load.window / 2)
        if load.scraped:
            subject.scrape()
        time.sleep(load.window / 2)
        cpu = processes.cpu_seconds(subject.process) - cpu
        share = (time.monotonic() - cpu_began) / (time.monotonic() - began)
        beats = (subject.beats() - first) * share
    if beats < 0.9 * load.rate * load.window:
        raise RuntimeError(f"{name} kept up with {beats:.0f} beats only in {load.window} s")
    return cpu / beats


def measure(
    folder: Path, load: Load, *, rounds: int, names: tuple[str, ...] = ("ours", "floor", "node")
) -> dict[str, float]:
    """Return the median CPU seconds per beat of each, over so many rounds in turn."""
    costs: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, found in costs.items():
            found.append(cpu_per_beat(name, folder, load))
    return {name: statistics.median(found) for name, found in costs.items()}
