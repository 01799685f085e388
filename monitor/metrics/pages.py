"""From lines to the bytes of one response: bit by bit, so that a page is never there as a whole.

Compressing does not hold the interpreter's lock, so the loop goes on.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES, Family
from monitor.metrics.negotiation import Format
from monitor.metrics.view import empty_metric

EOF = b"# EOF\n"

COMPRESSION = 1
"""The lines are so alike that a higher level costs much and gains little."""

GZIP_WINDOW = 31
"""zlib's way to ask for a gzip header."""


class _Empty(Collector):
    """One family without samples: what is left of it is its header."""

    def __init__(self, family: Family) -> None:
        self._metric = empty_metric(family)

    def collect(self) -> Iterator[Metric]:
        yield self._metric


GENERATE: dict[Format, Callable[[Collector], bytes]] = {
    Format.TEXT: generate_latest,
    Format.OPENMETRICS: openmetrics.generate_latest,
}
"""How `prometheus_client` writes each format."""

HEADERS = {
    chosen: {
        family: generate(_Empty(family)).removesuffix(EOF).decode()
        for family in MONITOR_FAMILIES + PROBE_FAMILIES
    }
    for chosen, generate in GENERATE.items()
}
"""The lines above the samples of each family, as `prometheus_client` writes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page of metrics as it is kept: compressed, since the plain one is twenty times as long.

    `packed` has it in pieces; `length` is that of the plain one, in bytes.
    """

    packed: Sequence[bytes]
    length: int

    def plain(self, size: int) -> Iterator[bytes]:
        """Return the page itself, in pieces of at most `size` bytes, unpacked one by one."""
        unpack = zlib.decompressobj(GZIP_WINDOW)
        for packed in self.packed:
            piece = unpack.decompress(packed, size)
            while piece:
                yield piece
                piece = unpack.decompress(unpack.unconsumed_tail, size)


class Packing:
    """Takes a page bit by bit, and compresses it. All of this is work for a thread."""

    def __init__(self) -> None:
        self._squeeze = zlib.compressobj(COMPRESSION, wbits=GZIP_WINDOW)
        self._packed: list[bytes] = []
        self._length = 0

    def write(self, texts: Sequence[str]) -> None:
        """Take some lines."""
        self.take("".join(texts).encode())

    def write_others(self, others: Collector, chosen: Format) -> None:
        """Take what `prometheus_client` writes of others, which ends a page."""
        self.take(GENERATE[chosen](others))

    def take(self, data: bytes) -> None:
        """Take some bytes."""
        self._length += len(data)
        self._packed.append(self._squeeze.compress(data))

    def finish(self) -> Page:
        """Return the page."""
        self._packed.append(self._squeeze.flush())
        return Page(self._packed, self._length)
