"""Scale: what many connections cost, how that grows, and what a restart of their target does.

Each size is a monitor of its own with a beat every ten seconds on each connection, scraped every
15 seconds as Prometheus would. The target keeps books, so nobody has to take our word.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import fitting, plots, processes, profiles
from benchmarks.page import Page, quantile
from benchmarks.run import Case, Figures, Found, Goal, Part, Run, Table

INTERVAL = 10.0
BUDGET = 500
"""Attempts a second that the config allows."""

ADDRESSES = 8
"""Loopback addresses that the target is reached at, so that the client's ports do not run out."""

SIZES = {"ws": (100, 300, 1000, 3000, 10_000), "wss": (100, 1000, 2000)}

SCRAPE_EVERY = 15.0

AWAY = 3.0
"""Seconds for which a target that restarts is away."""

SLIP = "ws_monitor_beat_slip_seconds"
BEATS = ("sent", "echoed", "missed", "aborted", "late", "skipped")


def watch(monitor: processes.Monitor, seconds: float) -> Figures:
    """Watch a fleet at rest for a while, with a scrape now and then."""
    first = monitor.scrape()
    cpu, began = processes.cpu_seconds(monitor.process), time.monotonic()
    for at in scrape_times(seconds):
        time.sleep(max(began + at - time.monotonic(), 0.0))
        monitor.fetch()
    cpu, took = processes.cpu_seconds(monitor.process) - cpu, time.monotonic() - began
    last = monitor.scrape()
    return {
        "seconds": took,
        "cpu_share": cpu / took,
        "resident": processes.resident_bytes(monitor.process),
        "most_resident": processes.most_resident_bytes(monitor.process),
        "beats": {name: gained(first, last, name) for name in BEATS},
        "overrun": gained(first, last, "skipped", reason="overrun"),
        "slip_p50": quantile(first.buckets(SLIP), last.buckets(SLIP), 0.5),
        "slip_p99": quantile(first.buckets(SLIP), last.buckets(SLIP), 0.99),
    }


def scrape_times(seconds: float) -> list[float]:
    """Return when to scrape; the last one ends the watch."""
    times = [at * SCRAPE_EVERY for at in range(1, int(seconds / SCRAPE_EVERY) + 1)]
    return times if times and times[-1] == seconds else [*times, seconds]


def gained(first: Page, last: Page, name: str, **labels: str) -> float:
    """Return by how much a counter of heartbeats grew, over all probes."""
    family = f"ws_probe_heartbeats_{name}_total"
    return last.total(family, **labels) - first.total(family, **labels)


def busiest_second(times: Sequence[float]) -> int:
    """Return the most that happened within any one second; `times` are in order."""
    most = start = 0
    for number, at in enumerate(times):
        while times[start] <= at - 1.0:
            start += 1
        most = max(most, number - start + 1)
    return most


def grow(run: Run, *, scheme: str, size: int) -> Figures:
    """Bring up a fleet, and watch it. The quick form makes do with a tenth of it."""
    probes = int(run.size(size, size / 10))
    seconds = run.size(30.0 if size == SIZES[scheme][-1] else 10.0, 10.0)
    tls = processes.make_certificates(run.folder) if scheme == "wss" else None
    with processes.echo_server(tls) as server:
        fleet = processes.Fleet(
            server.port, probes, INTERVAL, scheme, tls, connects=BUDGET, addresses=ADDRESSES
        )
        with processes.monitor(run.folder, fleet.config()) as monitor:
            server.wait_until_open(probes, 60.0 + probes / 50)
            opened = server.books()["opened"]
            monitor.wait_until_up(probes)
            run.tell(f"{probes} {scheme} probes are up after {opened[-1] - opened[0]:.1f} s")
            time.sleep(INTERVAL / 5)
            figures = watch(monitor, seconds)
    return {
        "scheme": scheme,
        "probes": probes,
        "up_seconds": opened[-1] - opened[0],
        "busiest_second": busiest_second(opened),
        **figures,
    }


TRACED = {"ws": (100, 1000), "wss": (50, 300)}
"""Fleets, a small and a large one, between which memory is looked at piece by piece."""


def memory(run: Run, *, scheme: str) -> Figures:
    """Say who holds the memory that each further probe takes; in bytes."""
    few, many = (int(run.size(size, size / 5)) for size in TRACED[scheme])
    run.tell(f"{few} and {many} {scheme} probes")
    (small, small_resident), (large, large_resident) = (
        held(run, scheme, probes) for probes in (few, many)
    )
    each = {
        component: (size - small.get(component, 0.0)) / (many - few)
        for component, size in large.items()
    }
    resident = (large_resident - small_resident) / (many - few)
    each[profiles.OUTSIDE] = resident - sum(each.values())
    return {"traced": scheme, "each": each, "resident": resident}


def held(run: Run, scheme: str, probes: int) -> tuple[dict[str, float], int]:
    """Return the bytes that each component of a fleet's monitor holds, and all that is resident.

    What is resident is read from another run, without anybody who traces.
    """
    tls = processes.make_certificates(run.folder) if scheme == "wss" else None
    notes = run.folder / "notes.json"
    resident = 0
    for observe in (None, (str(notes), "memory")):
        with processes.echo_server(tls) as server:
            fleet = processes.Fleet(server.port, probes, INTERVAL, scheme, tls, addresses=ADDRESSES)
            with processes.monitor(run.folder, fleet.config(), observe=observe) as monitor:
                server.wait_until_open(probes)
                monitor.wait_until_up(probes)
                for _ in range(3):
                    time.sleep(1.0)
                    monitor.fetch()
                if observe is None:
                    resident = processes.resident_bytes(monitor.process)
                else:
                    monitor.process.send_signal(signal.SIGUSR1)
                    monitor.fetch()
    return profiles.held(json.loads(notes.read_text())["memory"]), resident


def restart(run: Run) -> Figures:
    """Take the target of a large fleet away, and bring it back on the same port."""
    probes = int(run.size(SIZES["ws"][-1], 300))
    notes = run.folder / "notes.json"
    port = processes.free_port()
    fleet = processes.Fleet(port, probes, INTERVAL, connects=BUDGET, addresses=ADDRESSES)
    with processes.monitor(run.folder, fleet.config(), observe=(str(notes), "connects")) as monitor:
        with processes.echo_server(port=port) as server:
            server.wait_until_open(probes, 60.0 + probes / 50)
            monitor.wait_until_up(probes)
            time.sleep(1.0)
            down = time.monotonic()
        run.tell(f"the target of {probes} probes is away for {AWAY:.0f} s")
        time.sleep(AWAY)
        with processes.echo_server(port=port) as server:
            back = time.monotonic()
            server.wait_until_open(probes, 180.0)
            recovered = time.monotonic()
            run.tell(f"all are back after {recovered - back:.1f} s")
            opened = server.books()["opened"]
            monitor.wait_until_up(probes)
            last = monitor.scrape()
    connects = [at for (at,) in json.loads(notes.read_text())["connects"] if down < at < recovered]
    return {
        "probes": probes,
        "away_seconds": back - down,
        "recovery_seconds": recovered - back,
        "attempts": len(connects),
        "busiest_second": busiest_second(connects),
        "busiest_second_at_target": busiest_second(opened),
        "per_second": per_second([at - down for at in connects]),
        "books_open": unbalanced(last),
    }


def per_second(times: Sequence[float]) -> list[int]:
    """Return how many of the times lie in each second."""
    counts = [0] * (int(max(times, default=0.0)) + 1)
    for at in times:
        counts[int(at)] += 1
    return counts


def unbalanced(page: Page) -> int:
    """Return how many probes have beats in their books that are not accounted for."""
    names = ("sent", "echoed", "missed", "aborted")
    sums = {name: page.by_probe(f"ws_probe_heartbeats_{name}_total") for name in names}
    flying = page.by_probe("ws_probe_heartbeats_in_flight")
    return sum(
        sent != flying[probe] + sum(sums[name][probe] for name in names[1:])
        for probe, sent in sums["sent"].items()
    )


LARGEST_FIRST = {
    f"scale-{scheme}-{size}": Part(partial(grow, scheme=scheme, size=size), 60.0 + size / 30)
    for scheme, sizes in SIZES.items()
    for size in reversed(sizes)
}

PARTS = {
    **LARGEST_FIRST,
    "scale-restart": Part(restart, 420.0),
    **{f"scale-memory-{scheme}": Part(partial(memory, scheme=scheme)) for scheme in TRACED},
}


def sizes_of(found: Found, scheme: str) -> list[Figures]:
    """Return what was found for one scheme, by size."""
    some = [figures for figures in found.values() if figures.get("scheme") == scheme]
    return sorted(some, key=lambda figures: int(figures["probes"]))


def each_kib(figures: Figures) -> float:
    """Return the whole process's memory for each probe, in KiB."""
    return float(figures["resident"] / figures["probes"] / 1024)


def tables(found: Found) -> list[Table]:
    """Return the sizes, the lines through them, and the restart."""
    sized = sizes_of(found, "ws") + sizes_of(found, "wss")
    shown = [
        Table(
            ("probes", "up in s", "MiB", "KiB each", "CPU", "slip p99 ms", "missed", "overrun"),
            [
                (
                    f"{figures['probes']:,} {figures['scheme']}",
                    f"{figures['up_seconds']:.1f}",
                    f"{figures['resident'] / 2**20:.0f}",
                    f"{each_kib(figures):.1f}",
                    f"{figures['cpu_share']:.1%}",
                    f"{figures['slip_p99'] * 1000:.1f}",
                    f"{figures['beats']['missed']:,.0f} of {figures['beats']['sent']:,.0f}",
                    f"{figures['overrun']:.0f}",
                )
                for figures in sized
            ],
        )
    ]
    lines = [(scheme, *memory_line(found, scheme)) for scheme in SIZES if fits(found, scheme)]
    if lines:
        rows: list[tuple[str, ...]] = [
            (scheme, f"{start:.0f} MiB", f"{slope:.1f} KiB", f"{r_squared:.5f}")
            for scheme, start, slope, r_squared in lines
        ]
        shown.append(Table(("memory", "with none", "each further probe", "R²"), rows))
    if away := found.get("scale-restart"):
        shown.append(restart_table(away))
    if traced := [figures for figures in found.values() if "traced" in figures]:
        shown.append(memory_table(traced))
    return shown


def memory_table(traced: Sequence[Figures]) -> Table:
    """Return who holds the memory of each further probe."""
    first = traced[0]["each"]
    names = sorted(
        {name for figures in traced for name in figures["each"]},
        key=lambda name: -first.get(name, 0.0),
    )
    rows: list[tuple[str, ...]] = [
        (name, *(f"{figures['each'].get(name, 0.0) / 1024:.1f}" for figures in traced))
        for name in names
    ]
    rows.append(("resident", *(f"{figures['resident'] / 1024:.1f}" for figures in traced)))
    return Table(("KiB of each further probe", *(figures["traced"] for figures in traced)), rows)


def restart_table(away: Figures) -> Table:
    """Return what came of the restart."""
    return Table(
        ("a target restarts", ""),
        [
            ("probes", f"{away['probes']:,}"),
            ("away, s", f"{away['away_seconds']:.1f}"),
            ("all connected again, s after it is back", f"{away['recovery_seconds']:.1f}"),
            ("connects begun until then", f"{away['attempts']:,}"),
            ("most connects begun in a second", f"{away['busiest_second']:,}"),
            ("budget for a second, and its burst", f"{BUDGET:,} + {BUDGET:,}"),
            ("probes whose books do not balance", f"{away['books_open']}"),
        ],
    )


def fits(found: Found, scheme: str) -> bool:
    """Whether there are points enough for a line."""
    return len(sizes_of(found, scheme)) > 2


def memory_line(found: Found, scheme: str) -> tuple[float, float, float]:
    """Return MiB without any probe, KiB for each, and how straight the line is."""
    sized = sizes_of(found, scheme)
    line = fitting.fit(
        [figures["probes"] for figures in sized], [figures["resident"] for figures in sized]
    )
    return line.start / 2**20, line.slope / 1024, line.r_squared


LIMITS = {"ws": 40.0, "wss": 150.0}
"""KiB that a probe may take, everything included."""


def goals(found: Found) -> list[Goal]:
    """Compare with what was to be reached."""
    reached = []
    for scheme, limit in LIMITS.items():
        if sized := sizes_of(found, scheme):
            most = sized[-1]
            what = f"{most['probes']:,} {scheme}"
            reached += [
                Goal(f"beats missed; {what}", 0, most["beats"]["missed"], digits=0),
                Goal(f"beats not sent in time; {what}", 0, most["overrun"], digits=0),
                Goal(f"beat slip, p99; {what}", 20, most["slip_p99"] * 1000, "ms"),
                Goal(f"memory for each probe; {what}", limit, each_kib(most), "KiB"),
                Goal(f"connects in a second; {what}", 2 * BUDGET, most["busiest_second"], digits=0),
            ]
        if fits(found, scheme):
            straight = memory_line(found, scheme)[2]
            reached.append(
                Goal(
                    f"memory grows on a line, R²; {scheme}",
                    0.99,
                    straight,
                    at_least=True,
                    digits=4,
                )
            )
    if away := found.get("scale-restart"):
        reached.append(
            Goal("connects in a second; restart", 2 * BUDGET, away["busiest_second"], digits=0)
        )
    return reached


def draw(found: Found, folder: Path) -> list[str]:
    """Draw how it grows, and what a restart does."""
    drawn = []
    if any(fits(found, scheme) for scheme in SIZES):
        grown: dict[str, Any] = {
            scheme: sizes_of(found, scheme) for scheme in SIZES if fits(found, scheme)
        }
        drawn.append(plots.growth(grown, BUDGET, folder / "performance-scale.png"))
    if away := found.get("scale-restart"):
        path = folder / "performance-restart.png"
        drawn.append(plots.restart(away["per_second"], away["away_seconds"], BUDGET, path))
    return drawn


CASE = Case("Scale", PARTS, tables, goals, draw)
