"""From lines to the bytes of one response: bit by bit, so that a page is never there as a whole.

A hundred kilobytes of lines are compressed in less time than it takes to hand them to a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from isal import isal_zlib
from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from monitor.metrics.families import PROBE_FAMILIES
from monitor.metrics.negotiation import Format
from monitor.metrics.view import metric_of

EOF = b"# EOF\n"

COMPRESSION = 1
"""The lines are so alike that a higher level gains nothing."""

GZIP_WINDOW = 31
"""zlib's way to ask for a gzip header."""


class Collected(Collector):
    """Families that were collected before."""

    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._metrics


GENERATE: dict[Format, Callable[[Collector], bytes]] = {
    Format.TEXT: generate_latest,
    Format.OPENMETRICS: openmetrics.generate_latest,
}
"""How `prometheus_client` writes each format."""

HEADERS = {
    chosen: {
        family: generate(Collected(metric_of(family))).removesuffix(EOF)
        for family in PROBE_FAMILIES
    }
    for chosen, generate in GENERATE.items()
}
"""The lines above the samples of each family of a probe, as `prometheus_client` writes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page of metrics as it is kept: compressed, since the plain one is twenty times as long.

    `packed` has it in pieces; `length` is that of the plain one, in bytes.
    """

    packed: Sequence[bytes]
    length: int

    def plain(self, size: int) -> Iterator[bytes]:
        """Return the page itself, in pieces of at most `size` bytes, unpacked one by one."""
        unpack = isal_zlib.decompressobj(wbits=GZIP_WINDOW)
        for packed in self.packed:
            piece = unpack.decompress(packed, size)
            while piece:
                yield piece
                piece = unpack.decompress(unpack.unconsumed_tail, size)


class Packing:
    """Takes a page bit by bit, and compresses it."""

    def __init__(self) -> None:
        self._squeeze = isal_zlib.compressobj(COMPRESSION, wbits=GZIP_WINDOW)
        self._packed: list[bytes] = []
        self._length = 0

    def take(self, lines: bytes) -> None:
        """Take some lines."""
        self._length += len(lines)
        if packed := self._squeeze.compress(lines):
            self._packed.append(packed)

    def finish(self) -> Page:
        """Return the page."""
        self._packed.append(self._squeeze.flush())
        return Page(self._packed, self._length)
