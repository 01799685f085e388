"""A day in ten minutes: many beats, connections dropped at random, and what is left of it.

500 probes beat every 200 ms while their target ends connections at random, with a close frame, the
end of the stream or a reset. Memory and open files are read every second. Then the target lets them
all come back, and leaves for good: no beat is under way any more, and every probe's books are held
against the target's own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import fitting, plots, processes
from benchmarks.page import Page
from benchmarks.run import Case, Figures, Found, Goal, Part, Run, Table

PROBES = 500
INTERVAL = 0.2
LIFETIME = 20.0
"""Seconds that the target lets a connection live, on average."""

SCRAPE_EVERY = 15
SETTLE = 4.0
"""Seconds in which the last dropped ones are back: a wait of a second at most, and a beat."""

PAGE = 4.0
"""KiB of a page, the unit of resident memory."""

BLOCK = 10
"""Readings that are taken together, as those close in time resemble each other."""

COUNTERS = ("sent", "echoed", "missed", "aborted", "late", "unsolicited", "skipped")


def beats_in(page: Page) -> dict[str, dict[str, float]]:
    """Return each probe's counters."""
    families = {name: f"ws_probe_heartbeats_{name}_total" for name in COUNTERS}
    columns = {name: page.by_probe(family) for name, family in families.items()}
    columns["in_flight"] = page.by_probe("ws_probe_heartbeats_in_flight")
    probes = columns["sent"]
    return {probe: {name: of[probe] for name, of in columns.items()} for probe in probes}


@dataclass(frozen=True, slots=True)
class Counted:
    """One page of the monitor, and the monotonic seconds at which it was asked for and there."""

    began: float
    ended: float
    page: Page


def count(monitor: processes.Monitor) -> Counted:
    """Take a page."""
    began = time.monotonic()
    page = monitor.scrape()
    return Counted(began, time.monotonic(), page)


@dataclass(frozen=True, slots=True)
class Account:
    """One probe's counters, once no beat is under way, and its target's."""

    beats: Mapping[str, float]
    received: int
    answered: int

    @property
    def balanced(self) -> bool:
        """Whether every beat has one outcome."""
        settled = sum(self.beats[name] for name in ("echoed", "missed", "aborted"))
        return self.beats["sent"] == settled and not self.beats["in_flight"]

    @property
    def borne_out(self) -> bool:
        """Whether the target saw no beat that was not sent, and we no echo that it did not send."""
        echoes = self.beats["echoed"] + self.beats["late"] + self.beats["unsolicited"]
        return echoes <= self.answered <= self.received <= self.beats["sent"]


def settle(monitor: processes.Monitor, server: processes.EchoServer) -> dict[str, Account]:
    """Have the target leave for good, so that no beat is under way; return each probe's account."""
    server.order("leave")
    limit = time.monotonic() + processes.PATIENCE
    while server.order("open")["open"] or (page := monitor.scrape()).total("ws_probe_connected"):
        if time.monotonic() > limit:
            raise TimeoutError("some connections did not end")
        time.sleep(0.1)
    books = server.books()
    return {
        probe: Account(beats, books["received"][f"/{probe}"], books["answered"][f"/{probe}"])
        for probe, beats in beats_in(page).items()
    }


def watch(
    monitor: processes.Monitor, server: processes.EchoServer, seconds: float
) -> tuple[list[int], list[int]]:
    """Read memory, in KiB, and open files every second while connections are dropped."""
    resident, files = [], []
    server.order(f"drop {LIFETIME}")
    began = time.monotonic()
    for second in range(1, int(seconds) + 1):
        time.sleep(max(began + second - time.monotonic(), 0.0))
        resident.append(processes.resident_bytes(monitor.process) // 1024)
        files.append(processes.open_files(monitor.process))
        if second % SCRAPE_EVERY == 0:
            monitor.fetch()
    server.order("drop 0")
    return resident, files


def off_schedule(first: Counted, last: Counted) -> int:
    """Return how many probes booked more or fewer beats, sent or skipped, than fell due."""
    fewest = math.floor((last.began - first.ended) / INTERVAL)
    most = math.ceil((last.ended - first.began) / INTERVAL)
    before = beats_in(first.page)
    gained = [
        counters["sent"] + counters["skipped"] - before[probe]["sent"] - before[probe]["skipped"]
        for probe, counters in beats_in(last.page).items()
    ]
    return sum(not fewest <= gain <= most for gain in gained)


def part(run: Run) -> Figures:
    """Soak, and look at what is left."""
    seconds = run.size(600.0, 40.0)
    # What ended connections leave waits for a full collection, and the first comes after minutes.
    warm_up = seconds / 2
    with processes.echo_server() as server:
        fleet = processes.Fleet(server.port, PROBES, INTERVAL)
        with processes.monitor(run.folder, fleet.config()) as monitor:
            server.wait_until_open(PROBES)
            monitor.wait_until_up(PROBES)
            time.sleep(SETTLE)
            files_before, first = processes.open_files(monitor.process), count(monitor)
            run.tell(f"{PROBES} probes, {PROBES / INTERVAL:.0f} beats/s, for {seconds:.0f} s")
            resident, files = watch(monitor, server, seconds)
            time.sleep(SETTLE)
            monitor.wait_until_up(PROBES)
            files_after, last = processes.open_files(monitor.process), count(monitor)
            accounts = settle(monitor, server)
        dropped = server.books()["dropped"]
    return {
        "seconds": seconds,
        "warm_up": warm_up,
        "resident_kib": resident,
        "files": {"before": files_before, "after": files_after, "most": max(files)},
        "off_schedule": off_schedule(first, last),
        "dropped": dropped,
        "books": {
            **{name: sum(each.beats[name] for each in accounts.values()) for name in COUNTERS},
            "received": sum(each.received for each in accounts.values()),
            "answered": sum(each.answered for each in accounts.values()),
            "unbalanced": sum(not each.balanced for each in accounts.values()),
            "not_borne_out": sum(not each.borne_out for each in accounts.values()),
        },
    }


PARTS = {"soak": Part(part, 780.0)}


def memory_line(figures: Figures) -> fitting.Line:
    """Return the line through memory after the warm-up: KiB against minutes.

    Memory is read in whole pages, so what a single one makes of a level line is no slope that can
    be told: at most one and a half times the page over all of that time, if it comes half way.
    """
    start = int(figures["warm_up"])
    blocks = fitting.means(figures["resident_kib"][start:], BLOCK)
    line = fitting.fit([number * BLOCK / 60 for number in range(len(blocks))], blocks)
    return replace(line, margin=max(line.margin, 1.5 * PAGE / (len(blocks) * BLOCK / 60)))


def tables(found: Found) -> list[Table]:
    """Return what is left of the day, and the books."""
    figures = found["soak"]
    books, files, line = figures["books"], figures["files"], memory_line(figures)
    dropped = figures["dropped"]
    return [
        Table(
            ("a day in ten minutes", ""),
            [
                ("seconds", f"{figures['seconds']:.0f}"),
                *((f"connections dropped by {how}", f"{of:,}") for how, of in dropped.items()),
                ("memory after warm-up, KiB", f"{figures['resident_kib'][-1]:,}"),
                ("its slope, KiB a minute", f"{line.slope:+.1f} ± {line.margin:.1f}"),
                ("open files before", f"{files['before']:,}"),
                ("open files after, and at most", f"{files['after']:,}, {files['most']:,}"),
                ("probes off their schedule", f"{figures['off_schedule']}"),
            ],
        ),
        Table(
            ("books at the end", "monitor", "target"),
            [
                ("sent; received", f"{books['sent']:,.0f}", f"{books['received']:,}"),
                (
                    "echoed and late; answered",
                    f"{books['echoed'] + books['late']:,.0f}",
                    f"{books['answered']:,}",
                ),
                ("missed", f"{books['missed']:,.0f}", ""),
                ("aborted", f"{books['aborted']:,.0f}", ""),
                ("unsolicited", f"{books['unsolicited']:,.0f}", ""),
                ("skipped", f"{books['skipped']:,.0f}", ""),
            ],
        ),
    ]


def goals(found: Found) -> list[Goal]:
    """Compare with what was to be reached."""
    figures = found["soak"]
    books, files, line = figures["books"], figures["files"], memory_line(figures)
    return [
        Goal("KiB a minute, slope less its margin", 0, line.slope - line.margin),
        Goal("open files more than before", 0, files["after"] - files["before"], digits=0),
        Goal("probes whose books do not balance", 0, books["unbalanced"], digits=0),
        Goal("probes that the target's books contradict", 0, books["not_borne_out"], digits=0),
        Goal("probes off their schedule", 0, figures["off_schedule"], digits=0),
    ]


def draw(found: Found, folder: Path) -> list[str]:
    """Draw memory over time."""
    figures = found["soak"]
    path = folder / "performance-soak.png"
    mib = [kib / 1024 for kib in figures["resident_kib"]]
    return [plots.soak(mib, figures["warm_up"], memory_line(figures), path)]


CASE = Case("A day in ten minutes", PARTS, tables, goals, draw)
