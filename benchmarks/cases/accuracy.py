"""Accuracy: every round trip that we report, against a packet capture of the same packets.

Both the monitor and a program that measures in the usual way, around `send()` and `recv()`, run
side by side against one echo server each, captured on loopback. Error = ours - capture.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import capture, processes
from benchmarks.addresses import address
from benchmarks.capture import Errors, Trip
from benchmarks.page import Page
from benchmarks.run import Case, Figures, Found, Goal, Part, Run, Table

RATE = 200.0
"""Beats a second, of both."""

USUAL = 200
"""Connections of the usual way."""

SERIES = 95
"""Series that the usual way serves for each probe of ours: about as many as ours has."""

RTT = "ws_probe_rtt_seconds"

EDGE = 0.02
"""Seconds around a scrape in which a trip may or may not have been counted in it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How it is measured."""

    scheme: str
    probes: int
    seconds: float
    scraped: bool

    @property
    def interval(self) -> float:
        """Seconds between two beats of a probe."""
        return self.probes / RATE


@dataclass(frozen=True, slots=True)
class Reading:
    """A scrape, and the Unix times at which it began and ended."""

    began: float
    ended: float
    page: Page

    def near(self, at: float) -> bool:
        """Whether a trip that arrived then may or may not be in it."""
        return self.began - EDGE < at < self.ended + EDGE


@dataclass(frozen=True, slots=True)
class Histogram:
    """The histogram's own count and sum against the capture's, over all probes that can be told."""

    probes: int
    counted: float
    captured: int
    sum: float
    captured_sum: float

    def told(self) -> Figures:
        """Return the figures; times in microseconds for each beat."""
        return {
            "probes": self.probes,
            "counted": self.counted,
            "captured": self.captured,
            "mean_us": self.sum / max(self.counted, 1) * 1e6,
            "captured_mean_us": self.captured_sum / max(self.captured, 1) * 1e6,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What was found."""

    ours: Errors
    usual: Errors
    histogram: Histogram


@contextlib.contextmanager
def scraping(port: int, every: float) -> Iterator[None]:
    """Fetch `/metrics` of a port again and again."""
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(every):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
                page.read()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def read_ours(path: Path, without: Set[str] = frozenset()) -> list[Trip]:
    """Read the monitor's trace, without some of the probes."""
    rows = (line.split() for line in path.read_text().splitlines())
    return [
        Trip(address(int(row[1].removeprefix("p"))), float(row[0]), float(row[4]))
        for row in rows
        if len(row) == 5 and row[4] != "-" and row[1] not in without
    ]


def read_usual(path: Path) -> list[Trip]:
    """Read the trace of the usual way."""
    rows = (line.split() for line in path.read_text().splitlines())
    return [
        Trip(address(int(row[1])), float(row[0]), float(row[2])) for row in rows if len(row) == 3
    ]


def read_page(monitor: processes.Monitor) -> Reading:
    """Scrape, and note when."""
    began = time.time()
    page = monitor.scrape()
    return Reading(began, time.time(), page)


def measure(folder: Path, setting: Setting) -> Result:
    """Run the monitor and the usual way side by side."""
    packets = folder / "lo.pcapng"
    tls = processes.make_certificates(folder) if setting.scheme == "wss" else None
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(processes.echo_server(tls))
        usual_server = stack.enter_context(processes.echo_server(tls))
        fleet = processes.Fleet(server.port, setting.probes, setting.interval, setting.scheme, tls)
        trace = ("--trace", str(folder / "ours.trace"))
        monitor = stack.enter_context(processes.monitor(folder, fleet.config(), *trace))
        usual_metrics = stack.enter_context(usual_way(folder, usual_server.port, setting, tls))
        monitor.wait_until_up(setting.probes)
        with capture.capture(packets, server.port, usual_server.port):
            time.sleep(2 * EDGE)
            with contextlib.ExitStack() as load:
                if setting.scraped:
                    load.enter_context(scraping(monitor.port, 1.0))
                    load.enter_context(scraping(usual_metrics, 1.0))
                first = read_page(monitor)
                time.sleep(setting.seconds)
            last = read_page(monitor)
            time.sleep(2 * EDGE)
    captured = capture.captured_trips(packets, server.port)
    usual_captured = capture.captured_trips(packets, usual_server.port)
    window = partial(between, first.ended, last.began)
    nearest = setting.interval / 3
    return Result(
        capture.compare(window(read_ours(folder / "ours.trace")), captured, within=nearest),
        capture.compare(
            window(read_usual(folder / "usual.trace")), usual_captured, within=USUAL / RATE / 3
        ),
        compare_histograms(first, last, captured),
    )


@contextlib.contextmanager
def usual_way(
    folder: Path, port: int, setting: Setting, tls: processes.Certificates | None
) -> Iterator[int]:
    """Run the usual way until it is connected; yield the port of its metrics."""
    arguments = [setting.scheme, str(port), str(USUAL), str(USUAL / RATE)]
    arguments += [str(folder / "usual.trace"), "--series", str(setting.probes * SERIES)]
    if tls is not None:
        arguments += ["--ca", str(tls.ca)]
    with processes.module_talker("benchmarks.programs.usual_way", *arguments) as talker:
        metrics = int(talker.hear())
        talker.hear()
        yield metrics


def between(begin: float, end: float, trips: Iterable[Trip]) -> list[Trip]:
    """Return the trips that arrived between two times."""
    return [trip for trip in trips if begin < trip.arrived < end]


def compare_histograms(first: Reading, last: Reading, captured: list[Trip]) -> Histogram:
    """Add up what the histograms gained between two scrapes, and what was captured meanwhile.

    Left out are the probes of which an echo arrived around a scrape: it may be in it, or not.
    """
    unsure = {
        trip.whose for trip in captured if first.near(trip.arrived) or last.near(trip.arrived)
    }
    meant = [
        trip for trip in between(first.ended, last.began, captured) if trip.whose not in unsure
    ]
    gained = {
        suffix: gain(first.page, last.page, RTT + suffix, unsure) for suffix in ("_count", "_sum")
    }
    return Histogram(
        len(gained["_count"]),
        sum(gained["_count"].values()),
        len(meant),
        sum(gained["_sum"].values()),
        sum(trip.rtt for trip in meant),
    )


def gain(first: Page, last: Page, name: str, without: set[str]) -> dict[str, float]:
    """Return by how much a counter of each probe grew, without those at some addresses."""
    before = first.by_probe(name)
    return {
        probe: value - before[probe]
        for probe, value in last.by_probe(name).items()
        if address(int(probe.removeprefix("p"))) not in without
    }


def part(run: Run, *, scheme: str, scraped: bool) -> Figures:
    """Measure one setting; in microseconds."""
    seconds = run.size(16.0, 4.0)
    probes = int(run.size(1000, 300)) if scraped else 200
    run.tell(f"{probes} {scheme} probes, {RATE:.0f} beats/s, {seconds:.0f} s")
    result = measure(run.folder, Setting(scheme, probes, seconds, scraped))
    return {
        "scheme": scheme,
        "scraped_probes": probes if scraped else 0,
        "ours": result.ours.told(),
        "usual": result.usual.told(),
        "histogram": result.histogram.told(),
        "ratio_at_p99": result.usual.size(0.99) / result.ours.size(0.99),
        "mean_error_us": statistics.fmean(result.ours.values) * 1e6,
    }


PARTS = {
    "accuracy-ws": Part(partial(part, scheme="ws", scraped=False)),
    "accuracy-ws-scraped": Part(partial(part, scheme="ws", scraped=True)),
    "accuracy-wss": Part(partial(part, scheme="wss", scraped=False)),
    "accuracy-wss-scraped": Part(partial(part, scheme="wss", scraped=True)),
}


def load_of(figures: Figures) -> str:
    """Say what the process did beside measuring."""
    probes = figures["scraped_probes"]
    return f"{figures['scheme']}, {probes:,} scraped" if probes else f"{figures['scheme']}, idle"


def tables(found: Found) -> list[Table]:
    """Return the errors, and the histograms."""
    errors = Table(
        ("load", "median µs", "p99 µs", "worst µs", "usual p99 µs", "ratio", "matched"),
        [
            (
                load_of(figures),
                f"{figures['ours']['median_us']:.1f}",
                f"{figures['ours']['p99_us']:.1f}",
                f"{figures['ours']['worst_us']:.0f}",
                f"{figures['usual']['p99_us']:,.0f}",
                f"{figures['ratio_at_p99']:,.0f}",
                f"{figures['ours']['matched']:,} of "
                f"{figures['ours']['matched'] + figures['ours']['unmatched']:,}",
            )
            for figures in found.values()
        ],
    )
    histograms = Table(
        ("load", "probes", "counted", "captured", "mean RTT µs", "captured mean µs"),
        [
            (
                load_of(figures),
                f"{figures['histogram']['probes']:,}",
                f"{figures['histogram']['counted']:,.0f}",
                f"{figures['histogram']['captured']:,}",
                f"{figures['histogram']['mean_us']:.1f}",
                f"{figures['histogram']['captured_mean_us']:.1f}",
            )
            for figures in found.values()
        ],
    )
    return [errors, histograms]


LIMITS = {False: (60.0, 300.0), True: (100.0, 500.0)}
"""The most that the median and the 99th percentile may be, idle and scraped."""


def goals(found: Found) -> list[Goal]:
    """Compare with what was to be reached."""
    reached = []
    for figures in found.values():
        median, p99 = LIMITS[figures["scraped_probes"] > 0]
        load = load_of(figures)
        counted = figures["histogram"]
        reached += [
            Goal(f"error, median; {load}", median, figures["ours"]["median_us"], "µs"),
            Goal(f"error, p99; {load}", p99, figures["ours"]["p99_us"], "µs"),
            Goal(f"times smaller at p99; {load}", 20, figures["ratio_at_p99"], at_least=True),
            Goal(
                f"beats its histogram miscounts; {load}",
                0,
                abs(counted["counted"] - counted["captured"]),
                digits=0,
            ),
        ]
    return reached


CASE = Case("Accuracy against a packet capture", PARTS, tables, goals)
