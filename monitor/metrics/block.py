"""Some alike probes as a scrape sees them: their numbers, and the lines that only some have."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prometheus_client.samples import Sample

from monitor.metrics.families import Family
from monitor.metrics.layout import Layout
from monitor.metrics.lines import Base, Rows, points, write_line
from monitor.metrics.pages import Packed, pack
from monitor.metrics.view import named

MOST = 256
"""So many probes are written at a time: more would hold the loop, fewer would cost more."""


class Other(NamedTuple):
    """A line of one probe that has no place in its layout: few probes have it, or its labels."""

    family: Family
    base: Base
    labels: tuple[str, ...]
    value: float
    line: bytes


def other(family: Family, base: Base, labels: tuple[str, ...], value: float) -> Other:
    """Write such a line."""
    line = write_line(family.name, base, named(family, labels), value)
    return Other(family, base, labels, value, line)


class Block:
    """At most `MOST` probes of one layout."""

    def __init__(self, layout: Layout, epoch: float) -> None:
        self.layout = layout
        self._rows = Rows(len(layout.blank), epoch)
        self._others: defaultdict[Family, list[Other]] = defaultdict(list)
        self._packed: dict[Family, Packed] = {}
        self.room = MOST
        """For so many more probes."""

    def add(self, base: Base, numbers: array[float], others: Iterable[Other]) -> None:
        """Note one more probe as it is now."""
        self.room -= 1
        self._rows.add(base, numbers)
        for one in others:
            self._others[one.family].append(one)

    def take_over(self, before: Block) -> None:
        """Keep what an earlier scrape wrote, as far as it was of the same probes and numbers."""
        if self.layout is before.layout and self._rows.take_over(before._rows):
            for family, packed in before._packed.items():
                if self._has_the_same(family, before):
                    self._packed[family] = packed

    def pack(self, family: Family) -> Packed:
        """Return the lines of one family, compressed."""
        packed = self._packed.get(family)
        if packed is None:
            packed = self._packed[family] = pack(self.write(family))
        return packed

    def write(self, family: Family) -> bytes:
        """Return the lines of one family."""
        lines = self.layout.lines[family].write(self._rows)
        return lines + b"".join([one.line for one in self._others.get(family, ())])

    def _has_the_same(self, family: Family, before: Block) -> bool:
        return self._others.get(family) == before._others.get(family) and all(
            self._rows.columns(*stretch) == before._rows.columns(*stretch)
            for stretch in self.layout.stretches[family]
        )

    def samples(self, family: Family) -> Iterator[Sample]:
        """Return the same as samples, for `prometheus_client` to write."""
        for index, base in enumerate(self._rows.bases):
            for child in self.layout.children[family]:
                labels = {**base.labels, **named(family, child.labels)}
                numbers = self._rows.row(index, child)
                for suffix, more, value in points(child, numbers, self._rows.epoch):
                    yield Sample(family.name + suffix, {**labels, **more}, value)
        for one in self._others.get(family, ()):
            labels = {**one.base.labels, **named(family, one.labels)}
            yield Sample(family.name, labels, one.value)


class Blocks:
    """All probes as a scrape sees them. `epoch` is the Unix time of the monotonic clock's 0."""

    def __init__(self, epoch: float) -> None:
        self.epoch = epoch
        self._all: list[Block] = []
        self._open: dict[Layout, Block] = {}

    def __iter__(self) -> Iterator[Block]:
        """Return all blocks, always in the same order for the same probes."""
        return iter(self._all)

    def of(self, layout: Layout) -> Block:
        """Return a block with room for one more probe."""
        block = self._open.get(layout)
        if block is None or not block.room:
            block = self._open[layout] = Block(layout, self.epoch)
            self._all.append(block)
        return block
