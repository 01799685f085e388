"""The lines of one family for one probe, with everything cached that does not change.

A line is a prefix, name and labels, that never changes, and a number that seldom does: between
two scrapes a probe beats once or twice, and most of its counters stand still. The text format and
OpenMetrics write sample lines alike; only the headers differ. What comes out is what
`prometheus_client` writes for the same samples, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter, is_

from prometheus_client.samples import Sample

from monitor.metrics.cells import Valued
from monitor.metrics.families import Family
from monitor.metrics.numbers import write_number

VALUE = attrgetter("value")
ABSENT = partial(is_, None)

Child = tuple[Family, tuple[str, ...], Valued]
"""A family, the values of its extra labels, and the cell that holds the value."""


class Lines:
    """The lines of one family; `base` are the labels that all its children share."""

    __slots__ = ("_base", "_cells", "_extras", "_family", "_seen", "_template", "_text")

    def __init__(self, family: Family, base: Mapping[str, str]) -> None:
        self._family = family
        self._base = base
        self._extras: list[tuple[str, ...]] = []
        self._cells: list[Valued] = []
        self._seen: list[float | None] = []
        self._template = ""
        self._text = b""

    def clear(self) -> None:
        """Drop all children: their labels have changed."""
        self._extras.clear()
        self._cells.clear()
        self._forget()

    def add(self, extra: tuple[str, ...], cell: Valued) -> None:
        """Add a child with the values of the family's extra labels."""
        self._extras.append(extra)
        self._cells.append(cell)
        self._forget()

    def render(self) -> bytes:
        """Return the lines as they are exposed."""
        seen = list(map(VALUE, self._cells))
        if seen != self._seen:
            if list(map(ABSENT, seen)) != list(map(ABSENT, self._seen)):
                self._template = self._fill_in()
            self._seen = seen
            values = chain.from_iterable([cell.values() for cell in self._cells])
            self._text = (self._template % tuple(map(write_number, values))).encode()
        return self._text

    def samples(self) -> Iterator[Sample]:
        """Return the same as samples, for `prometheus_client` to write."""
        for extra, cell in zip(self._extras, self._cells, strict=True):
            series = self._series(extra, cell)
            # A cell that has nothing to tell yet has labels and no value.
            for (name, labels), value in zip(series, cell.values(), strict=False):
                yield Sample(name, labels, value)

    def _forget(self) -> None:
        """Have the next rendering begin anew."""
        self._seen = []
        self._text = b""

    def _fill_in(self) -> str:
        """Return the lines with a place for each number."""
        prefixes = (_prefix(sample.name, sample.labels) for sample in self.samples())
        return "".join(f"{prefix.replace('%', '%%')}%s\n" for prefix in prefixes)

    def _series(self, extra: tuple[str, ...], cell: Valued) -> Iterator[tuple[str, dict[str, str]]]:
        values = map(printable, extra)
        labels = {**self._base, **dict(zip(self._family.labels, values, strict=True))}
        for suffix, more in cell.parts:
            yield self._family.name + suffix, {**labels, **more}


def gather(
    families: Sequence[Family], children: Iterable[Child], base: Mapping[str, str]
) -> dict[Family, Lines]:
    """Return the lines of the given families, children in the order in which they come."""
    base = {label: printable(value) for label, value in base.items()}
    lines = {family: Lines(family, base) for family in families}
    for family, extra, cell in children:
        if family in lines:
            lines[family].add(extra, cell)
    return lines


def printable(value: str) -> str:
    """Return what UTF-8 can carry of a label value: half a surrogate would spoil every scrape."""
    return value.encode("utf-8", "replace").decode()


def _prefix(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{label}="{_escape(value)}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}} " if pairs else f"{name} "


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
