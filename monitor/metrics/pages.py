"""From lines to the bytes of one response: bit by bit, so that a page is never there as a whole.

A hundred kilobytes of lines are compressed in less time than it takes to hand them to a thread.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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

DEFLATE_WINDOW = -15
"""zlib's way to ask for no header at all."""

GZIP_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF])
"""The deflate method, no name, no time, of an unknown system: RFC 1952, section 2.3."""

DEFLATE_END = bytes([3, 0])
"""A last block with nothing in it: RFC 1951, section 3.2.3."""

UNPACKED_AT_A_TIME = 1 << 16
"""So many compressed bytes are unpacked at a time."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page of metrics as it is kept: compressed, since the plain one is twenty times as long.

    `packed` has it in pieces; `length` is that of the plain one, in bytes.
    """

    packed: Sequence[bytes]
    length: int

    def compressed(self, size: int) -> Iterator[bytes]:
        """Return the page compressed, in pieces of `size` bytes; the last one may be shorter."""
        gathered = bytearray()
        for packed in self.packed:
            gathered += packed
            while len(gathered) >= size:
                yield bytes(gathered[:size])
                del gathered[:size]
        yield bytes(gathered)

    def plain(self, size: int) -> Iterator[bytes]:
        """Return the page itself, in pieces of at most `size` bytes, unpacked one by one."""
        unpack = isal_zlib.decompressobj(wbits=GZIP_WINDOW)
        for packed in self.compressed(UNPACKED_AT_A_TIME):
            piece = unpack.decompress(packed, size)
            while piece:
                yield piece
                piece = unpack.decompress(unpack.unconsumed_tail, size)


class Packed(NamedTuple):
    """Lines that were compressed by themselves, so that they can stand anywhere in a page.

    `length` and `checksum` are those of the lines.
    """

    deflated: bytes
    length: int
    checksum: int


def pack(lines: bytes) -> Packed:
    """Compress some lines."""
    squeeze = isal_zlib.compressobj(COMPRESSION, wbits=DEFLATE_WINDOW)
    # A flush ends with a whole byte, and a compressor of their own knows of nothing before them.
    deflated = squeeze.compress(lines) + squeeze.flush(isal_zlib.Z_SYNC_FLUSH)
    return Packed(deflated, len(lines), isal_zlib.crc32(lines))


class Packing:
    """Puts a page together from lines that are compressed: the gzip format, RFC 1952."""

    def __init__(self) -> None:
        self._packed = [GZIP_HEADER]
        self._length = 0
        self._checksum = 0

    def take(self, packed: Packed) -> None:
        """Take some lines."""
        self._packed.append(packed.deflated)
        self._length += packed.length
        self._checksum = isal_zlib.crc32_combine(self._checksum, packed.checksum, packed.length)

    def finish(self) -> Page:
        """Return the page."""
        trailer = struct.pack("<II", self._checksum, self._length % (1 << 32))
        return Page([*self._packed, DEFLATE_END, trailer], self._length)


HEADERS = {
    chosen: {
        family: pack(generate(Collected(metric_of(family))).removesuffix(EOF))
        for family in PROBE_FAMILIES
    }
    for chosen, generate in GENERATE.items()
}
"""The lines above the samples of each family of a probe, as `prometheus_client` writes them."""
