"""Expositions to test with, under clocks that move when told to."""

from monitor.core.availability import Availability
from monitor.core.events import Mode
from monitor.core.traffic import Traffic
from monitor.metrics import families
from monitor.metrics.exposition import Exposition, Scrape
from monitor.metrics.series import ProbeSeries
from tests.unit.metrics.probes import A_LIFE, EPOCH, identity

TEXT = "text/plain;version=0.0.4"


class Clocks:
    """A monotonic and a wall clock that move when told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.epoch = EPOCH
        self.tick = 0.0

    def monotonic(self) -> float:
        """Return the time since the epoch."""
        self.now += self.tick
        return self.now

    def wall(self) -> float:
        """Return Unix time."""
        return self.epoch + self.now


def exposition(clocks: Clocks, *, basic: bool = False) -> Exposition:
    """Return an exposition without probes."""
    return Exposition(
        rtt_buckets=families.RTT.buckets,
        close_codes=(),
        version="1.2.3",
        basic=basic,
        monotonic=clocks.monotonic,
        wall=clocks.wall,
    )


def add(exposition: Exposition, name: str, *modes: Mode, **labels: str) -> ProbeSeries:
    """Add a probe that has seen something of everything."""
    series = exposition.add(identity(name, *modes, **labels), Traffic(7, 890, 1), Availability())
    for event in A_LIFE:
        series.take(event)
    return series


def body(scrape: Scrape) -> bytes:
    """Return what a client gets."""
    whole = b"".join(scrape.pieces(1000))
    assert len(whole) == scrape.length
    return whole


async def text(exposition: Exposition) -> str:
    """Return a scrape in the text format."""
    return body(await exposition.scrape(TEXT, None)).decode()
