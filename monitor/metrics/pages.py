"""From lines to the bytes of one response. What is here runs in a thread.

Joining and compressing large pages does not hold the interpreter's lock, so the loop goes on.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES, Family
from monitor.metrics.negotiation import Format
from monitor.metrics.view import empty_metric

Pages = dict[Family, list[bytes]]
"""The lines of each family, one piece for each probe."""

EOF = b"# EOF\n"

COMPRESSION = 1
"""The lines are so alike that a higher level costs much and gains little."""

GZIP_WINDOW = 31
"""zlib's way to ask for a gzip header."""

AT_ONCE = 128
"""Pieces that are compressed in one go."""


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
        family: generate(_Empty(family)).removesuffix(EOF)
        for family in MONITOR_FAMILIES + PROBE_FAMILIES
    }
    for chosen, generate in GENERATE.items()
}
"""The lines above the samples of each family, as `prometheus_client` writes them."""


def put_together(pages: Pages, others: Collector, chosen: Format, *, compress: bool) -> bytes:
    """Return the body of a response: the pages, and what `prometheus_client` writes of others."""
    sections = [[HEADERS[chosen][family], *page] for family, page in pages.items()]
    pieces = [*chain.from_iterable(sections), GENERATE[chosen](others)]
    return b"".join(_compressed(pieces) if compress else pieces)


def _compressed(pieces: Sequence[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(COMPRESSION, wbits=GZIP_WINDOW)
    for start in range(0, len(pieces), AT_ONCE):
        # A short join keeps the lock, so it has to be short.
        yield squeeze.compress(b"".join(pieces[start : start + AT_ONCE]))
    yield squeeze.flush()
