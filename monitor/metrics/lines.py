"""The lines of one family for many alike probes, written in one go.

A line is name and labels, which seldom change, and a number. What alike probes have in common, all
but the values of the labels that the config gives and the numbers, is kept once, however many
they are. It is repeated for each of some probes, the rest is filled in place by place for all of
them, and joined: the interpreter does a little for each place, and nothing for each line.

The text format and OpenMetrics write sample lines alike; only the headers differ. What comes out is
what `prometheus_client` writes for the same samples, byte for byte.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import add

from monitor.metrics import families
from monitor.metrics.cells import Point, histogram_points
from monitor.metrics.families import Family
from monitor.metrics.numbers import Ends, write_end, write_ends
from monitor.metrics.places import ABSENT, DOUBLE, MOMENTS, OPTIONAL, Child
from monitor.metrics.view import named, printable

Run = tuple[int, int]
"""Base labels that stand next to each other in a line: the first, and the one after the last."""

VARIED = MOMENTS | {
    families.CERTIFICATE_NOT_AFTER,
    families.CONNECT_PHASE_DURATION,
    families.DOWNTIME,
    families.TCP_RTT,
}
"""Families whose numbers seldom repeat: remembering them would push out those that do."""


@dataclass(frozen=True, slots=True)
class Base:
    """The labels that all lines of one probe share, in the order of their names.

    `pairs` has them as they stand in a line.
    """

    names: tuple[str, ...]
    values: tuple[str, ...]
    pairs: tuple[bytes, ...]

    @property
    def labels(self) -> dict[str, str]:
        """Names and values."""
        return dict(zip(self.names, self.values, strict=True))


def make_base(labels: Mapping[str, str]) -> Base:
    """Return labels in the order of their names, as they are and as lines have them."""
    names = tuple(sorted(labels))
    values = tuple(printable(labels[name]) for name in names)
    return Base(names, values, tuple(map(_pair, names, values)))


class Rows:
    """The numbers of some alike probes, each probe's as of one instant.

    Args:
        size: how many numbers each has.
        epoch: the Unix time at which the monotonic clock was at 0.
        ends: what was written already.
    """

    def __init__(self, size: int, epoch: float, ends: Ends) -> None:
        self.epoch = epoch
        self.ends = ends
        self.bases: list[Base] = []
        self._size = size
        self._numbers = array(DOUBLE)
        self._runs: dict[Run, list[bytes]] = {}

    def __len__(self) -> int:
        """How many probes there are."""
        return len(self.bases)

    def add(self, base: Base, numbers: array[float]) -> None:
        """Note the numbers of one more probe."""
        self.bases.append(base)
        self._numbers.extend(numbers)

    def column(self, place: int) -> list[float]:
        """Return one number of each probe."""
        return self._numbers[place :: self._size].tolist()

    def row(self, index: int, child: Child) -> Sequence[float]:
        """Return the numbers of one child of one probe."""
        first = index * self._size + child.at
        return self._numbers[first : first + child.size]

    def run(self, run: Run) -> list[bytes]:
        """Return some labels of each probe."""
        found = self._runs.get(run)
        if found is None:
            first, end = run
            found = [b",".join(base.pairs[first:end]) for base in self.bases]
            self._runs[run] = found
        return found


def points(child: Child, numbers: Sequence[float], epoch: float) -> Iterator[Point]:
    """Return what one child shows, one point for each line."""
    if child.bounds:
        yield from histogram_points(child.bounds, numbers[:-1], numbers[-1])
    elif child.family in MOMENTS:
        yield from (("", {}, at) for at in _unix(numbers, epoch) if at != ABSENT)
    elif child.family not in OPTIONAL or numbers[0] != ABSENT:
        yield "", {}, numbers[0]


def write_line(name: str, base: Base, labels: Mapping[str, str], value: float) -> bytes:
    """Return one line by itself."""
    pairs = sorted({**base.labels, **labels}.items())
    return _opened(name) + b",".join(_pair(*pair) for pair in pairs) + write_end(value)


class FamilyLines:
    """Writes the lines of one family for alike probes.

    Args:
        family: which one.
        names: the base labels that each probe has.
        children: in the order of their lines.
    """

    def __init__(self, family: Family, names: Sequence[str], children: Sequence[Child]) -> None:
        self._parts: list[bytes] = []
        self._runs: list[tuple[int, Run]] = []
        self._children: list[tuple[Child, int, list[int]]] = []
        for child in children:
            first = len(self._parts)
            ends = []
            for suffix, more, _ in points(child, [0.0] * child.size, 0.0):
                labels = {**named(family, child.labels), **more}
                self._take(_line(family.name + suffix, names, labels))
                ends.append(len(self._parts) - 1)
            self._children.append((child, first, ends))

    def write(self, rows: Rows) -> bytes:
        """Return the lines of some probes, probe by probe."""
        stride = len(self._parts)
        pieces = self._parts * len(rows)
        for place, run in self._runs:
            pieces[place::stride] = rows.run(run)
        for child, first, places in self._children:
            for place, ends in zip(places, _ends(child, rows), strict=True):
                pieces[place::stride] = ends
            if child.family in OPTIONAL:
                there = [number != ABSENT for number in rows.column(child.at)]
                _leave_out(pieces, range(first, places[-1] + 1), stride, there)
        return b"".join(pieces)

    def _take(self, line: Sequence[bytes | Run]) -> None:
        """Append the parts of one line, and a place for its end."""
        for part in line:
            if isinstance(part, tuple):
                self._runs.append((len(self._parts), part))
            self._parts.append(b"" if isinstance(part, tuple) else part)
        self._parts.append(b"")


def _leave_out(
    pieces: list[bytes], places: Iterable[int], stride: int, there: Sequence[bool]
) -> None:
    """Leave nothing of the lines of those probes whose number is not there."""
    if all(there):
        return
    for place in places:
        column = zip(pieces[place::stride], there, strict=True)
        pieces[place::stride] = [piece if shown else b"" for piece, shown in column]


def _ends(child: Child, rows: Rows) -> Iterator[list[bytes]]:
    """Return the ends of the lines of one child, line by line, for each probe."""
    if child.bounds:
        yield from _histogram_ends(child, rows)
        return
    numbers = rows.column(child.at)
    if child.family in MOMENTS:
        numbers = _unix(numbers, rows.epoch)
    yield write_ends(numbers) if child.family in VARIED else _repeating(numbers, rows.ends)


def _histogram_ends(child: Child, rows: Rows) -> Iterator[list[bytes]]:
    *buckets, last = range(child.at, child.at + child.size)
    cumulative = [0.0] * len(rows)
    ends = _repeating(cumulative, rows.ends)
    for place in buckets:
        counts = rows.column(place)
        if any(counts):
            cumulative = list(map(add, cumulative, counts))
            ends = _repeating(cumulative, rows.ends)
        yield ends
    yield ends
    yield write_ends(rows.column(last))


def _repeating(numbers: list[float], ends: Ends) -> list[bytes]:
    if numbers.count(numbers[0]) == len(numbers):
        return [ends[numbers[0]]] * len(numbers)
    return list(map(ends.__getitem__, numbers))


def _unix(moments: Sequence[float], epoch: float) -> list[float]:
    """Return Unix times to the millisecond; two clocks do not agree to more."""
    return [round(epoch + at, 3) if at != ABSENT else ABSENT for at in moments]


def _line(name: str, names: Sequence[str], labels: Mapping[str, str]) -> list[bytes | Run]:
    """Return what a line consists of, up to its end: what is always alike, and base labels."""
    index = {label: number for number, label in enumerate(names)}
    parts: list[bytes | Run] = []
    constant = _opened(name)
    separator = b""
    for based, group in groupby(sorted([*names, *labels]), index.__contains__):
        some = list(group)
        constant += separator
        separator = b","
        if based:
            parts += [constant, (index[some[0]], index[some[-1]] + 1)]
            constant = b""
        else:
            constant += b",".join(_pair(label, labels[label]) for label in some)
    return [*parts, constant] if constant else parts


def _opened(name: str) -> bytes:
    return f"{name}{{".encode()


def _pair(label: str, value: str) -> bytes:
    return f'{label}="{_escape(value)}"'.encode()


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
