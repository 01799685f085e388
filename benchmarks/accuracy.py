"""Accuracy: every round trip that we report, against a packet capture of the same packets.

Both the monitor and a program that measures in the usual way, around `send()` and `recv()`, run
side by side against one echo server each, captured by `dumpcap` on
loopback. Error = ours - capture.
"""

from __future__ import annotations

import bisect
import contextlib
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes

MATCH = 0.002
"""A capture's packet and our stamp are of one heartbeat if they are so many seconds apart."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One round trip: when the echo arrived (Unix seconds) and how long it took (seconds)."""

    arrived: float
    rtt: float


@dataclass(frozen=True, slots=True)
class Errors:
    """Ours minus the capture's, in seconds, for every trip found in both."""

    values: list[float]
    unmatched: int

    @property
    def median(self) -> float:
        """The median of the errors' size."""
        return processes.percentile([abs(value) for value in self.values], 0.5)

    @property
    def p99(self) -> float:
        """The 99th percentile of the errors' size."""
        return processes.percentile([abs(value) for value in self.values], 0.99)


@contextlib.contextmanager
def capture(path: Path, *ports: int) -> Iterator[None]:
    """Capture the TCP packets of some loopback ports."""
    wanted = " or ".join(f"tcp port {port}" for port in ports)
    command = ["dumpcap", "-q", "-i", "lo", "-s", "128", "-B", "64", "-f", wanted, "-w", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if b"File:" in line:
            break
    drain = threading.Thread(target=process.stderr.read, daemon=True)
    drain.start()
    try:
        yield
    finally:
        time.sleep(0.5)  # the capture's own buffer
        process.terminate()
        process.wait(30)
        drain.join(30)
        process.stderr.close()


def captured_trips(path: Path, port: int) -> list[Trip]:
    """Pair each request with the answer that follows it on its stream."""
    command = [
        "tshark", "-r", str(path), "-Y", f"tcp.port=={port} && tcp.len>0", "-T", "fields",
        "-e", "frame.time_epoch", "-e", "tcp.srcport", "-e", "tcp.dstport",
    ]  # fmt: skip
    fields = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    asked: dict[str, float] = {}
    trips = []
    for line in fields.splitlines():
        at, source, destination = line.split("\t")
        if int(destination) == port:
            asked.setdefault(source, float(at))
        elif destination in asked:
            sent = asked.pop(destination)
            trips.append(Trip(float(at), float(at) - sent))
    return sorted(trips, key=lambda trip: trip.arrived)


def compare(ours: list[Trip], captured: list[Trip]) -> Errors:
    """Find each of our trips in the capture by when it was sent."""
    sent = sorted((trip.arrived - trip.rtt, trip.rtt) for trip in captured)
    times = [at for at, _ in sent]
    errors = []
    unmatched = 0
    for trip in ours:
        began = trip.arrived - trip.rtt
        index = bisect.bisect_left(times, began)
        nearby = [sent[i] for i in (index - 1, index) if 0 <= i < len(sent)]
        best = min(nearby, key=lambda pair: abs(pair[0] - began), default=None)
        if best is None or abs(best[0] - began) > MATCH:
            unmatched += 1
        else:
            errors.append(trip.rtt - best[1])
    return Errors(errors, unmatched)


def read_trace(path: Path, at: int, rtt: int) -> list[Trip]:
    """Read a trace whose columns `at` and `rtt` hold the two times."""
    rows = (line.split() for line in path.read_text().splitlines())
    return [
        Trip(float(row[at]), float(row[rtt])) for row in rows if len(row) > rtt and row[rtt] != "-"
    ]


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


def measure(
    folder: Path, *, probes: int, beats: float, seconds: float, scrape: bool
) -> tuple[Errors, Errors]:
    """Run the monitor and the usual way side by side; return the errors of both."""
    interval = probes / beats
    trace, usual_trace = folder / "ours.trace", folder / "usual.trace"
    with contextlib.ExitStack() as stack:
        _, port = stack.enter_context(processes.echo_server())
        _, usual_port = stack.enter_context(processes.echo_server())
        config = processes.fleet_config(f"ws://127.0.0.1:{port}/", probes, interval)
        monitor = stack.enter_context(processes.monitor(folder, config, "--trace", str(trace)))
        usual = stack.enter_context(
            processes.python(
                "benchmarks.usual_way", f"ws://127.0.0.1:{usual_port}/", "200",
                str(200 / beats), str(usual_trace), "--series", str(probes * 90),
                stdout=subprocess.PIPE,
            )
        )  # fmt: skip
        assert usual.stdout is not None
        usual_metrics = int(usual.stdout.readline())
        monitor.wait_until_up(probes)
        with capture(folder / "lo.pcapng", port, usual_port), contextlib.ExitStack() as load:
            if scrape:
                load.enter_context(scraping(monitor.port, 1.0))
                load.enter_context(scraping(usual_metrics, 1.0))
            began = time.time()
            time.sleep(seconds)
            ended = time.time()
    window = (began + 0.5, ended - 0.5)
    return tuple(
        compare(
            [trip for trip in trips if window[0] < trip.arrived < window[1]],
            captured_trips(folder / "lo.pcapng", where),
        )
        for trips, where in (
            (read_trace(trace, 0, 4), port),
            (read_trace(usual_trace, 0, 1), usual_port),
        )
    )
