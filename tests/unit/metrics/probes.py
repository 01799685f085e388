"""Probes to test with, and a way to read what they expose."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.core.availability import Availability
from monitor.core.events import (
    Aborted,
    DialFailed,
    Dialing,
    Disconnected,
    Echoed,
    Event,
    Initiator,
    Late,
    Missed,
    Mode,
    Opened,
    PathMeasured,
    Ready,
    Sent,
    Skipped,
    SkipReason,
    Unsolicited,
    UpChanged,
)
from monitor.core.failures import FailureReason, Phase
from monitor.core.traffic import Traffic
from monitor.metrics.block import Blocks
from monitor.metrics.families import PROBE_FAMILIES, Family
from monitor.metrics.layout import FULL, Detail
from monitor.metrics.series import BeatFacts, ProbeIdentity, ProbeSeries

EPOCH = 1_700_000_000.0
"""The Unix time at which the monotonic clock of these tests is at 0."""

FACTS = BeatFacts(interval=10.0, timeout=5.0)

OPENED = Opened(1.0, "192.0.2.7", "TLSv1.3", "kernel", certificate_not_after=1.9e9)
CLOSED = Disconnected(9.0, Initiator.REMOTE, 1001, 8.0, was_ready=True, detail="it went away")

A_LIFE: tuple[Event, ...] = (
    Dialing(0.0, 1),
    DialFailed(0.5, FailureReason.DNS, Phase.DNS, "no such name"),
    Dialing(0.9, 2),
    OPENED,
    Ready(1.25, 0.35, {Phase.DNS: 0.05, Phase.TCP: 0.1, Phase.TLS: 0.2}, {}),
    UpChanged(1.25, up=True, cause="ready"),
    Sent(Mode.MESSAGE, 2.0, 0.0004),
    Echoed(Mode.MESSAGE, 2.03, 0.03),
    Sent(Mode.MESSAGE, 3.0, 0.0),
    Missed(Mode.MESSAGE, 8.0, 1, 1),
    Late(Mode.MESSAGE, 8.5, 5.5),
    Unsolicited(Mode.MESSAGE, 8.6),
    Skipped(Mode.MESSAGE, 3, SkipReason.OVERRUN),
    PathMeasured(8.7, 0.0123, 2),
    Sent(Mode.MESSAGE, 8.8, 0.0),
    Aborted(Mode.MESSAGE, 9.0, 1),
    CLOSED,
    UpChanged(9.0, up=False, cause="closed"),
    Dialing(9.5, 1),
    OPENED,
    PathMeasured(10.0, 0.0123, 0),
)
"""Something of everything; at its end the connection is open."""


def identity(name: str = "lobby", *modes: Mode, **labels: str) -> ProbeIdentity:
    """Return what a probe is called; by default with messages alone."""
    return ProbeIdentity(
        name,
        labels,
        "talo",
        "wss://example.test:443",
        dict.fromkeys(modes or (Mode.MESSAGE,), FACTS),
    )


def new_series(*modes: Mode, detail: Detail = FULL) -> ProbeSeries:
    """Return the series of a probe that has seen nothing yet."""
    return ProbeSeries(identity("lobby", *modes), Traffic(), Availability(), detail)


def after(*events: Event, modes: tuple[Mode, ...] = (Mode.MESSAGE,)) -> ProbeSeries:
    """Return the series of a probe that has seen some events."""
    series = new_series(*modes)
    for event in events:
        series.take(event)
    return series


def noted(*probes: ProbeSeries, now: float = 100.0, epoch: float = EPOCH) -> Blocks:
    """Return probes as a scrape sees them at some monotonic second."""
    blocks = Blocks(epoch)
    for series in probes:
        series.note(blocks, now)
    return blocks


def page(
    *probes: ProbeSeries,
    now: float = 100.0,
    epoch: float = EPOCH,
    shown: Sequence[Family] = PROBE_FAMILIES,
) -> str:
    """Return all lines of some probes."""
    blocks = noted(*probes, now=now, epoch=epoch)
    return b"".join(block.write(family) for family in shown for block in blocks).decode()


def samples(
    series: ProbeSeries, now: float = 100.0, epoch: float = EPOCH
) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for block in noted(series, now=now, epoch=epoch)
        for family in block.layout.children
        for sample in block.samples(family)
    }


def value(
    series: ProbeSeries, name: str, *, now: float = 100.0, epoch: float = EPOCH, **labels: Any
) -> float | None:
    """Return one sample of the probe, None where there is none."""
    key = {"probe": "lobby", **{label: str(text) for label, text in labels.items()}}
    return samples(series, now, epoch).get((name, frozenset(key.items())))
