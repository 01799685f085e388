"""Cost of a beat: CPU time of the whole process per heartbeat, ours and that of two others.

Each runs alone against the same kind of echo server, one after the other, several rounds in turn,
so that what disturbs the machine disturbs all of them. Those that have metrics are scraped once in
a window, as they would be every 15 seconds.
"""

from __future__ import annotations

import contextlib
import json
import signal
import statistics
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import processes, profiles
from benchmarks.run import Case, Figures, Found, Goal, Part, Run, Table

NODE = Path(__file__).parents[1] / "programs" / "node" / "beats.js"

SETTLE = 1.0
"""Seconds between up and the begin of a window."""

KEPT_UP = 0.9
"""Who has fewer of the beats echoed than this share did not do the job."""


@dataclass(frozen=True, slots=True)
class Load:
    """So many connections, a beat of each in `interval` seconds, watched for `window` seconds."""

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
    """What is measured: a process, how many beats it has had echoed so far, how it is scraped."""

    process: Any
    beats: Callable[[], float]
    scrape: Callable[[], object]


@contextlib.contextmanager
def ours(
    folder: Path,
    server: processes.EchoServer,
    load: Load,
    *,
    observe: tuple[str, str] | None = None,
) -> Iterator[Subject]:
    """The monitor itself."""
    fleet = processes.Fleet(server.port, load.connections, load.interval, connects=500, addresses=1)
    with processes.monitor(folder, fleet.config(), observe=observe) as monitor:
        server.wait_until_open(load.connections)
        monitor.wait_until_up(load.connections)
        yield Subject(
            monitor.process,
            lambda: monitor.scrape().total("ws_probe_heartbeats_echoed_total"),
            monitor.fetch,
        )


@contextlib.contextmanager
def floor(_: Path, server: processes.EchoServer, load: Load) -> Iterator[Subject]:
    """The barest loop over `websockets`, which has no metrics to scrape."""
    url = f"ws://127.0.0.1:{server.port}/"
    arguments = (url, str(load.connections), str(load.interval))
    with processes.module_talker("benchmarks.programs.floor", *arguments) as talker:
        talker.hear()
        yield Subject(talker.process, lambda: float(talker.ask()), lambda: None)


@contextlib.contextmanager
def node(_: Path, server: processes.EchoServer, load: Load) -> Iterator[Subject]:
    """The same job on Node.js."""
    url = f"ws://127.0.0.1:{server.port}/"
    command = ("node", str(NODE), url, str(load.connections), str(load.interval))
    with processes.talker(*command) as talker:
        metrics = f"http://127.0.0.1:{talker.hear()}/metrics"

        def scrape() -> None:
            with urllib.request.urlopen(metrics, timeout=processes.PATIENCE) as page:
                page.read()

        talker.hear()
        yield Subject(talker.process, lambda: float(talker.ask()), scrape)


Kind = Callable[[Path, processes.EchoServer, Load], contextlib.AbstractContextManager[Subject]]

SUBJECTS: Mapping[str, Kind] = {"ours": ours, "floor": floor, "node": node}


def cpu_per_beat(kind: Kind, folder: Path, load: Load) -> float:
    """Run one subject under a load; return its CPU seconds per beat."""
    with processes.echo_server() as server, kind(folder, server, load) as subject:
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
    if beats < KEPT_UP * load.rate * load.window:
        raise RuntimeError(f"kept up with {beats:.0f} beats only in {load.window} s")
    return cpu / beats


def measure(
    folder: Path,
    load: Load,
    *,
    rounds: int,
    names: tuple[str, ...] = tuple(SUBJECTS),
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, list[float]]:
    """Return the CPU seconds per beat of each, for each of the rounds in turn."""
    costs: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name, found in costs.items():
            found.append(cpu_per_beat(SUBJECTS[name], folder, load))
            tell(f"round {number + 1}: {name} {found[-1] * 1e6:.1f} µs a beat")
    return costs


def part(run: Run, *, connections: int) -> Figures:
    """Measure one load; in microseconds."""
    load = Load(int(run.size(connections, connections / 5)), 1.0, run.size(15.0, 4.0))
    costs = measure(run.folder, load, rounds=int(run.size(3, 1)), tell=run.tell)
    return {"rate": load.rate, "us": {name: in_us(found) for name, found in costs.items()}}


def in_us(seconds: list[float]) -> list[float]:
    """Return times in microseconds."""
    return [value * 1e6 for value in seconds]


def profile(run: Run, *, connections: int) -> Figures:
    """Look where the monitor is while it beats; shares by component."""
    load = Load(int(run.size(connections, connections / 5)), 1.0, run.size(18.0, 4.0))
    notes = run.folder / "notes.json"
    with (
        processes.echo_server() as server,
        ours(run.folder, server, load, observe=(str(notes), "gc,stacks")) as subject,
    ):
        time.sleep(SETTLE)
        run.tell(f"looking at {load.rate:.0f} beats/s for {load.window:.0f} s")
        subject.process.send_signal(signal.SIGUSR1)
        time.sleep(load.window / 2)
        subject.scrape()
        time.sleep(load.window / 2)
        subject.process.send_signal(signal.SIGUSR2)
    stacks = json.loads(notes.read_text())["stacks"]
    return {"rate": load.rate, "samples": sum(stacks.values()), "shares": profiles.shares(stacks)}


PARTS = {
    "cost-1000": Part(partial(part, connections=1000), 360.0),
    "cost-5000": Part(partial(part, connections=5000), 480.0),
    "cost-profile-1000": Part(partial(profile, connections=1000)),
    "cost-profile-5000": Part(partial(profile, connections=5000)),
}


SHOWN = {"ours": "ours", "floor": "floor", "node": "Node.js"}


def tables(found: Found) -> list[Table]:
    """Return the costs, and where ours goes."""
    costs = [figures for name, figures in found.items() if "us" in figures]
    shown = [
        Table(
            ("beats/s", "program", "median µs", "least", "most", "to floor"),
            [
                (
                    f"{figures['rate']:,.0f}",
                    SHOWN[name],
                    f"{statistics.median(found):.1f}",
                    f"{min(found):.1f}",
                    f"{max(found):.1f}",
                    f"{to_floor(figures, name):.2f}",
                )
                for figures in costs
                for name, found in figures["us"].items()
            ],
        )
    ]
    profiled = [figures for figures in found.values() if "shares" in figures]
    if profiled:
        names = sorted(profiled[0]["shares"], key=profiled[0]["shares"].get, reverse=True)
        shown.append(
            Table(
                ("CPU time at", *(f"{figures['rate']:,.0f}/s" for figures in profiled)),
                [
                    (name, *(f"{figures['shares'].get(name, 0):.1%}" for figures in profiled))
                    for name in names
                ],
            )
        )
    return shown


def to_floor(figures: Figures, name: str) -> float:
    """Return the ratio of the medians."""
    return float(statistics.median(figures["us"][name]) / statistics.median(figures["us"]["floor"]))


def goals(found: Found) -> list[Goal]:
    """Compare with what was to be reached."""
    return [
        Goal(
            f"cost of a beat to the floor, {figures['rate']:,.0f}/s",
            1.25,
            to_floor(figures, "ours"),
            digits=2,
        )
        for figures in found.values()
        if "us" in figures
    ]


CASE = Case("Cost of a beat", PARTS, tables, goals)
