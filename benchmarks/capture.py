"""The witness: a packet capture on loopback, and the round trips in it.

Nothing is read of what the packets hold, so TLS makes no difference: a request is the segment with
data that a client sends, and its answer is the first segment with data from the server that
acknowledges all of it.
"""

from __future__ import annotations

import bisect
import contextlib
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fitting import percentile

FLUSH = 0.5
"""Seconds after which the capture's own buffer is on disk."""

FIELDS = (
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.len",
)

WRAP = 1 << 32
"""Sequence numbers begin again there (RFC 9293 section 3.4)."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One round trip: whose, when the echo arrived (Unix seconds), how long it took (seconds)."""

    whose: str
    arrived: float
    rtt: float

    @property
    def sent(self) -> float:
        """When the request was sent."""
        return self.arrived - self.rtt


@dataclass(frozen=True, slots=True)
class Errors:
    """Ours minus the capture's, in seconds, for every trip found in both."""

    values: list[float]
    unmatched: int

    def size(self, share: float) -> float:
        """Return a quantile of the errors' size."""
        return percentile([abs(value) for value in self.values], share)

    def told(self) -> dict[str, float]:
        """Return the figures, in microseconds."""
        return {
            "median_us": self.size(0.5) * 1e6,
            "p99_us": self.size(0.99) * 1e6,
            "worst_us": self.size(1.0) * 1e6,
            "matched": len(self.values),
            "unmatched": self.unmatched,
        }


@contextlib.contextmanager
def capture(path: Path, *ports: int) -> Iterator[None]:
    """Capture the TCP packets of some loopback ports."""
    wanted = " or ".join(f"tcp port {port}" for port in ports)
    command = ["dumpcap", "-q", "-i", "lo", "-s", "96", "-B", "64", "-f", wanted, "-w", str(path)]
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
        time.sleep(FLUSH)
        process.terminate()
        process.wait(30)
        drain.join(30)
        process.stderr.close()


def captured_trips(path: Path, port: int) -> list[Trip]:
    """Return the round trips to a server's port; each is its loopback address's."""
    command = ["tshark", "-r", str(path), "-Y", f"tcp.port=={port} && tcp.len>0", "-T", "fields"]
    for field in FIELDS:
        command += ["-e", field]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return pair(found.stdout.splitlines(), port)


def pair(lines: Iterable[str], port: int) -> list[Trip]:
    """Pair requests with their answers. A line has the `FIELDS` of one segment, with tabs."""
    asked: dict[tuple[str, str], tuple[float, int]] = {}
    trips = []
    for line in lines:
        at, source, destination, from_port, to_port, sequence, acknowledged, length = line.split()
        if int(to_port) == port:
            end = int(sequence) + int(length)
            asked.setdefault((destination, from_port), (float(at), end))
        elif (source, to_port) in asked:
            sent, end = asked[source, to_port]
            if (int(acknowledged) - end) % WRAP < WRAP // 2:
                del asked[source, to_port]
                trips.append(Trip(source, float(at), float(at) - sent))
    return trips


def compare(ours: Iterable[Trip], captured: Iterable[Trip], *, within: float) -> Errors:
    """Find each of our trips in the capture: the one of the same connection sent next to it.

    `within` are the seconds by which the two may be apart: less than half an interval, so that
    only one can be meant.
    """
    witness: dict[str, list[Trip]] = defaultdict(list)
    for trip in sorted(captured, key=lambda trip: trip.sent):
        witness[trip.whose].append(trip)
    sent = {whose: [trip.sent for trip in trips] for whose, trips in witness.items()}
    errors = []
    unmatched = 0
    for trip in ours:
        index = bisect.bisect_left(sent.get(trip.whose, []), trip.sent)
        nearby = witness[trip.whose][max(index - 1, 0) : index + 1]
        best = min(nearby, key=lambda other: abs(other.sent - trip.sent), default=None)
        if best is None or abs(best.sent - trip.sent) > within:
            unmatched += 1
        else:
            errors.append(trip.rtt - best.rtt)
    return Errors(errors, unmatched)
