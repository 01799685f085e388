"""Scrape: how long a page takes, how long it holds the loop, and what `prometheus_client` takes.

The library is given the samples of one of our pages and writes them with `generate_latest` in a
process of its own, in turn with our scrapes: once from a registry that holds them, once from
samples that are ready. Ours is timed from the request to the last byte over HTTP, the library's
until the page is there: the comparison leans its way.
"""

from __future__ import annotations

import json
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import fitting, processes, profiles
from benchmarks.run import Case, Figures, Found, Goal, Part, Run, Table

INTERVAL = 10.0
QUIET = 2.0
"""Seconds between two scrapes, in which the loop does all the rest."""

ENCODINGS = ("identity", "gzip")
SOURCES = ("registry", "samples")


@dataclass(slots=True)
class Pages:
    """What was measured: seconds of each page, in the order they were taken."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    windows: list[tuple[float, float]] = field(default_factory=list)

    def add(self, name: str, seconds: float, cpu: float, size: int) -> None:
        """Note one page."""
        self.seconds.setdefault(name, []).append(seconds)
        self.cpu.setdefault(name, []).append(cpu)
        self.size[name] = size


def take_ours(pages: Pages, monitor: processes.Monitor, encoding: str) -> None:
    """Take a page of ours."""
    cpu, began = processes.cpu_seconds(monitor.process), time.monotonic()
    page = monitor.fetch(encoding)
    ended = time.monotonic()
    cpu = processes.cpu_seconds(monitor.process) - cpu
    pages.add(encoding, ended - began, cpu, len(page))
    pages.windows.append((began, ended))


def measure(
    folder: Path, *, probes: int, rounds: int, quiet: float = QUIET
) -> tuple[Pages, dict[str, Any], int]:
    """Scrape in turn with the library; return the pages, the notes and the number of samples."""
    notes = folder / "notes.json"
    pages = Pages()
    with processes.echo_server() as server:
        fleet = processes.Fleet(server.port, probes, INTERVAL, addresses=8)
        with processes.monitor(folder, fleet.config(), observe=(str(notes), "holds,gc")) as monitor:
            server.wait_until_open(probes, 60.0 + probes / 50)
            monitor.wait_until_up(probes)
            time.sleep(INTERVAL / 5)
            page = folder / "page"
            page.write_bytes(monitor.fetch("identity"))
            began = time.monotonic()
            with processes.module_talker("benchmarks.programs.client_page", str(page)) as library:
                samples = int(library.hear())
                for _ in range(rounds):
                    for encoding in ENCODINGS:
                        time.sleep(quiet)
                        take_ours(pages, monitor, encoding)
                    for source in SOURCES:
                        seconds, cpu, size = map(float, library.ask(source).split())
                        pages.add(source, seconds, cpu, int(size))
                time.sleep(quiet)
                ended = time.monotonic()
    found = json.loads(notes.read_text())
    kept = {key: [row for row in rows if began < row[0] < ended] for key, rows in found.items()}
    return pages, kept, samples


def split(
    stretches: Sequence[Sequence[float]], windows: Sequence[tuple[float, float]]
) -> tuple[list[Sequence[float]], list[Sequence[float]]]:
    """Part stretches, which have their begin first, by whether they fall into a window."""
    within: list[Sequence[float]] = []
    without: list[Sequence[float]] = []
    for stretch in stretches:
        began, took = stretch[0], stretch[1]
        hit = any(began < end and began + took > begin for begin, end in windows)
        (within if hit else without).append(stretch)
    return within, without


def part(run: Run, *, size: int) -> Figures:
    """Measure one size; a tenth of it in the quick form."""
    probes = int(run.size(size, size / 10))
    run.tell(f"{probes} probes")
    pages, notes, samples = measure(run.folder, probes=probes, rounds=int(run.size(3, 2)))
    held, paused = (split(notes[kind], pages.windows) for kind in ("holds", "gc"))
    return {
        "probes": probes,
        "samples": samples,
        "seconds": {name: statistics.median(taken) for name, taken in pages.seconds.items()},
        "cpu": {name: statistics.median(taken) for name, taken in pages.cpu.items()},
        "bytes": pages.size,
        "holds": {
            when: holds(stretches) | {"longest_pause_ms": longest(pauses)}
            for when, stretches, pauses in zip(WHEN, held, paused, strict=True)
        },
    }


WHEN = ("scraping", "quiet")


def longest(stretches: Sequence[Sequence[float]]) -> float:
    """Return the longest; in milliseconds."""
    return max((stretch[1] for stretch in stretches), default=0.0) * 1000


def holds(stretches: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return the longest holds; in milliseconds."""
    wall = [stretch[1] * 1000 for stretch in stretches] or [0.0]
    cpu = [stretch[2] * 1000 for stretch in stretches] or [0.0]
    return {
        "longest_ms": max(wall),
        "longest_cpu_ms": max(cpu),
        "p99_ms": fitting.percentile(wall, 0.99),
        "from_1_ms": len(stretches),
    }


def profile(run: Run) -> Figures:
    """Look where the monitor is while it is scraped again and again; shares by function."""
    probes, scrapes = int(run.size(2000, 200)), int(run.size(20, 5))
    notes = run.folder / "notes.json"
    with processes.echo_server() as server:
        fleet = processes.Fleet(server.port, probes, INTERVAL, addresses=8)
        with processes.monitor(
            run.folder, fleet.config(), observe=(str(notes), "stacks")
        ) as monitor:
            server.wait_until_open(probes)
            monitor.wait_until_up(probes)
            run.tell(f"looking at {scrapes} scrapes of {probes} probes")
            monitor.process.send_signal(signal.SIGUSR1)
            for _ in range(scrapes):
                monitor.fetch()
            monitor.process.send_signal(signal.SIGUSR2)
    stacks = json.loads(notes.read_text())["stacks"]
    return {
        "scraped": probes,
        "samples": sum(stacks.values()),
        "shares": profiles.functions(stacks),
    }


PARTS = {
    "scrape-10000": Part(partial(part, size=10_000), 420.0),
    "scrape-1000": Part(partial(part, size=1000)),
    "scrape-profile": Part(profile),
}


def sizes(found: Found) -> list[Figures]:
    """Return what was found for each size, the smallest first."""
    some = [figures for figures in found.values() if "probes" in figures]
    return sorted(some, key=lambda figures: int(figures["probes"]))


def ratio(figures: Figures, source: str) -> float:
    """Return how many times longer the library takes than our uncompressed page."""
    return float(figures["seconds"][source] / figures["seconds"]["identity"])


SHOWN = {
    "identity": "ours",
    "gzip": "ours, gzip",
    "registry": "generate_latest",
    "samples": "its samples ready",
}


def tables(found: Found) -> list[Table]:
    """Return the pages, and the holds."""
    sized = sizes(found)
    pages = Table(
        ("probes", "page", "samples", "MB", "to last byte", "CPU", "times ours"),
        [
            (
                f"{figures['probes']:,}",
                shown,
                f"{figures['samples']:,}",
                f"{figures['bytes'][name] / 1e6:.1f}",
                f"{figures['seconds'][name] * 1000:,.0f} ms",
                f"{figures['cpu'][name] * 1000:,.0f} ms",
                f"{ratio(figures, name):.1f}",
            )
            for figures in sized
            for name, shown in SHOWN.items()
        ],
    )
    held = Table(
        ("loop held", "longest", "longest, CPU time", "from 1 ms", "collector, longest"),
        [
            (
                f"{figures['probes']:,} probes, {when}",
                f"{found['longest_ms']:.1f} ms",
                f"{found['longest_cpu_ms']:.1f} ms",
                f"{found['from_1_ms']:,}",
                f"{found['longest_pause_ms']:.1f} ms",
            )
            for figures in sized
            for when, found in figures["holds"].items()
        ],
    )
    shown = [pages, held] if sized else []
    if profiled := found.get("scrape-profile"):
        rows: list[tuple[str, ...]] = [
            (name, f"{share:.1%}") for name, share in profiled["shares"].items()
        ]
        heading = f"gzip, {profiled['scraped']:,} probes: function"
        shown.append(Table((heading, "share of the CPU time"), rows))
    return shown


def goals(found: Found) -> list[Goal]:
    """Compare with what was to be reached."""
    reached = []
    for figures in reversed(sizes(found)):
        what = f"{figures['probes']:,} probes"
        held = figures["holds"]["scraping"]
        reached += [
            *(
                Goal(
                    f"times faster, {SHOWN[name]}; {what}",
                    20,
                    ratio(figures, name),
                    at_least=True,
                )
                for name in SOURCES
            ),
            Goal(f"longest hold by a scrape; {what}", 5, held["longest_ms"], "ms"),
        ]
    return reached


CASE = Case("A scrape", PARTS, tables, goals)
