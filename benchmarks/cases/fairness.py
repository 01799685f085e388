"""Fairness: one probe of 500 is flooded by its target; what do the others' round trips say?

The flooded one has a target of its own, so that the others' target has nothing to do with it. Quiet
and flooded windows alternate in one run, and every round trip of the others is held against a
packet capture, as in the case of accuracy.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from benchmarks import capture, processes
from benchmarks.capture import Trip
from benchmarks.cases.accuracy import between, read_ours
from benchmarks.page import Page
from benchmarks.run import Case, Figures, Found, Goal, Part, Run, Table

PROBES = 500
INTERVAL = 1.0
RATE = 20_000
"""Messages a second that the flooded probe's target pushes."""

SETTLE = 1.0
"""Seconds at the begin of each window that are left out."""

FLOODED = "flooded"
KINDS = ("quiet", "flooded")

Window = tuple[str, float, float]
"""Its kind, and the Unix times between which it was so."""


def flooded_probe(port: int) -> dict[str, Any]:
    """Return the section of the probe that is flooded."""
    return {"name": FLOODED, "url": f"ws://127.0.0.1:{port}/flood"}


def alternate(
    flooder: processes.EchoServer, monitor: processes.Monitor, seconds: float, rounds: int
) -> tuple[list[Window], list[Page]]:
    """Flood and leave alone in turn; return the windows, and the pages before and after each."""
    windows: list[Window] = []
    pages = [monitor.scrape()]
    for _ in range(rounds):
        for kind in KINDS:
            flooder.order(f"flood {RATE if kind == 'flooded' else 0}")
            time.sleep(SETTLE)
            began = time.time()
            time.sleep(seconds)
            windows.append((kind, began, time.time()))
            pages.append(monitor.scrape())
    flooder.order("flood 0")
    return windows, pages


def part(run: Run) -> Figures:
    """Measure both kinds of windows."""
    seconds, rounds = run.size(8.0, 3.0), int(run.size(3, 1))
    trace, packets = run.folder / "trace", run.folder / "lo.pcapng"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(processes.echo_server())
        flooder = stack.enter_context(processes.echo_server())
        extra = [flooded_probe(flooder.port)]
        fleet = processes.Fleet(server.port, PROBES - 1, INTERVAL, extra=extra)
        monitor = stack.enter_context(
            processes.monitor(run.folder, fleet.config(), "--trace", str(trace))
        )
        monitor.wait_until_up(PROBES)
        run.tell(f"{rounds} times {seconds:.0f} s quiet and {seconds:.0f} s with {RATE} messages/s")
        with capture.capture(packets, server.port):
            windows, pages = alternate(flooder, monitor, seconds, rounds)
        books = flooder.books()
    ours = read_ours(trace, without=FLOODED)
    captured = capture.captured_trips(packets, server.port)
    return {
        "seconds": seconds * rounds,
        **{kind: errors_in(kind, windows, ours, captured) for kind in KINDS},
        "pushed": books["pushed"],
        "withheld": books["withheld"],
        "gets": {kind: gets(kind, windows, pages) for kind in KINDS},
    }


def errors_in(
    kind: str, windows: list[Window], ours: list[Trip], captured: list[Trip]
) -> dict[str, float]:
    """Return the errors of the trips in windows of one kind."""
    trips = [
        trip
        for name, began, ended in windows
        if name == kind
        for trip in between(began, ended, ours)
    ]
    return capture.compare(trips, captured, within=INTERVAL / 3).told()


SHOWN = (
    "ws_probe_messages_received_total",
    "ws_probe_heartbeats_sent_total",
    "ws_probe_heartbeats_echoed_total",
    "ws_probe_heartbeats_missed_total",
    "ws_probe_heartbeats_aborted_total",
    "ws_probe_heartbeats_skipped_total",
    "ws_probe_disconnects_total",
    "ws_probe_connect_attempts_total",
)


def gets(kind: str, windows: list[Window], pages: list[Page]) -> dict[str, float]:
    """Return by how much the flooded probe's counters grew in windows of one kind."""
    sums = dict.fromkeys(SHOWN, 0.0)
    for (name, _, _), before, after in zip(windows, pages, pages[1:], strict=False):
        if name == kind:
            for family in SHOWN:
                gain = after.total(family, probe=FLOODED) - before.total(family, probe=FLOODED)
                sums[family] += gain
    return sums


PARTS = {"fairness": Part(part)}


def ratio(figures: Figures, key: str) -> float:
    """Return how many times larger the errors of the others are under the flood."""
    return float(figures["flooded"][key] / figures["quiet"][key])


def tables(found: Found) -> list[Table]:
    """Return the errors of the others, and what the flooded one gets."""
    figures = found["fairness"]
    errors = Table(
        ("the others", "median µs", "p99 µs", "worst µs", "matched"),
        [
            (
                kind,
                f"{figures[kind]['median_us']:.1f}",
                f"{figures[kind]['p99_us']:.1f}",
                f"{figures[kind]['worst_us']:,.0f}",
                f"{figures[kind]['matched']:,} of "
                f"{figures[kind]['matched'] + figures[kind]['unmatched']:,}",
            )
            for kind in KINDS
        ],
    )
    flooded = Table(
        ("the flooded one", "quiet", "flooded"),
        [
            (family, *(f"{figures['gets'][kind][family]:,.0f}" for kind in KINDS))
            for family in SHOWN
        ],
    )
    return [errors, flooded]


def goals(found: Found) -> list[Goal]:
    """Compare with what was to be reached."""
    figures = found["fairness"]
    return [
        Goal(
            "the others' error, flooded to quiet, median", 2, ratio(figures, "median_us"), digits=2
        ),
        Goal("the others' error, flooded to quiet, p99", 2, ratio(figures, "p99_us"), digits=2),
    ]


CASE = Case("One probe is flooded", PARTS, tables, goals)
