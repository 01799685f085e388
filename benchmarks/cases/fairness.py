"""Fairness: one probe of 500 is flooded by its target; what do the others' round trips say?

The flooded one has a target of its own, so that the others' target has nothing to do with it. It is
flooded in two ways: with the limit that a probe has by default, and with a limit so high that the
flood is taken. Quiet and flooded windows alternate in one run, and every round trip of the others
is held against a packet capture, as in the case of accuracy.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
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

QUIET = "quiet"
FLOODED: Mapping[str, dict[str, Any]] = {"limited": {}, "taken": {"max_message_rate": 1_000_000}}
"""The flooded probes, of which one is flooded at a time, and what is peculiar to their configs."""

KINDS = (QUIET, *FLOODED)

Window = tuple[str, float, float]
"""Its kind, and the Unix times between which it was so."""


def flooded_probe(name: str, port: int) -> dict[str, Any]:
    """Return the section of a probe that is flooded."""
    return {"name": name, "url": f"ws://127.0.0.1:{port}/flood", **FLOODED[name]}


def alternate(
    flooders: Mapping[str, processes.EchoServer],
    monitor: processes.Monitor,
    seconds: float,
    rounds: int,
) -> tuple[list[Window], list[Page]]:
    """Flood and leave alone in turn; return the windows, and the pages before and after each."""
    windows: list[Window] = []
    pages = [monitor.scrape()]
    for _ in range(rounds):
        for kind in KINDS:
            for name, flooder in flooders.items():
                flooder.order(f"flood {RATE if name == kind else 0}")
            time.sleep(SETTLE)
            began = time.time()
            time.sleep(seconds)
            windows.append((kind, began, time.time()))
            pages.append(monitor.scrape())
    for flooder in flooders.values():
        flooder.order("flood 0")
    return windows, pages


def part(run: Run) -> Figures:
    """Measure both kinds of windows."""
    seconds, rounds = run.size(7.0, 3.0), int(run.size(3, 1))
    trace, packets = run.folder / "trace", run.folder / "lo.pcapng"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(processes.echo_server())
        flooders = {name: stack.enter_context(processes.echo_server()) for name in FLOODED}
        extra = [flooded_probe(name, flooder.port) for name, flooder in flooders.items()]
        fleet = processes.Fleet(server.port, PROBES - len(extra), INTERVAL, extra=extra)
        monitor = stack.enter_context(
            processes.monitor(run.folder, fleet.config(), "--trace", str(trace))
        )
        monitor.wait_until_up(PROBES)
        run.tell(f"{rounds} times {seconds:.0f} s of each: {', '.join(KINDS)}; {RATE} messages/s")
        with capture.capture(packets, server.port):
            windows, pages = alternate(flooders, monitor, seconds, rounds)
        pushed = {name: flooder.books()["pushed"] for name, flooder in flooders.items()}
    ours = read_ours(trace, without=set(FLOODED))
    captured = capture.captured_trips(packets, server.port)
    return {
        "seconds": seconds * rounds,
        **{kind: errors_in(kind, windows, ours, captured) for kind in KINDS},
        "pushed": pushed,
        "gets": {name: gets(name, windows, pages) for name in FLOODED},
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


def gets(probe: str, windows: list[Window], pages: list[Page]) -> dict[str, float]:
    """Return by how much a flooded probe's counters grew in the windows in which it was flooded."""
    sums = dict.fromkeys(SHOWN, 0.0)
    for (kind, _, _), before, after in zip(windows, pages, pages[1:], strict=False):
        if kind == probe:
            for family in SHOWN:
                sums[family] += after.total(family, probe=probe) - before.total(family, probe=probe)
    return sums


PARTS = {"fairness": Part(part)}


def ratio(figures: Figures, kind: str, key: str) -> float:
    """Return how many times larger the errors of the others are under a flood."""
    return float(figures[kind][key] / figures[QUIET][key])


def tables(found: Found) -> list[Table]:
    """Return the errors of the others, and what the flooded one gets."""
    figures = found["fairness"]
    errors = Table(
        ("the others, flood", "median µs", "p99 µs", "worst µs", "matched"),
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
        ("the flooded one gets", *FLOODED),
        [
            ("pushed by the target, in all", *(f"{figures['pushed'][name]:,}" for name in FLOODED)),
            *(
                (family, *(f"{figures['gets'][name][family]:,.0f}" for name in FLOODED))
                for family in SHOWN
            ),
        ],
    )
    return [errors, flooded]


def goals(found: Found) -> list[Goal]:
    """Compare with what was to be reached."""
    figures = found["fairness"]
    return [
        Goal(f"the others' error to quiet, {size}; {kind}", 2, ratio(figures, kind, key), digits=2)
        for kind in FLOODED
        for size, key in (("median", "median_us"), ("p99", "p99_us"))
    ]


CASE = Case("One probe is flooded", PARTS, tables, goals)
