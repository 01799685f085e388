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
from itertools import groupby, repeat
from operator import add

from monitor.metrics.cells import Point, histogram_points
from monitor.metrics.families import Family
from monitor.metrics.numbers import write_end, write_ends, write_moments
from monitor.metrics.places import ABSENT, DOUBLE, MOMENTS, OPTIONAL, Child
from monitor.metrics.view import named, printable

Run = tuple[int, int]
"""Base labels that stand next to each other in a line: the first, and the one after the last."""

Line = Sequence[bytes | Run]
"""What a line consists of, up to its number: what is alike in all probes, and base labels."""

Column = float | list[float]
"""One number of each of some probes; if all have the same one, just that."""

Ends = bytes | list[bytes]
"""The end of one line of each of some probes; if all have the same one, just that."""


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
    """

    def __init__(self, size: int, epoch: float) -> None:
        self.epoch = epoch
        self.bases: list[Base] = []
        self._size = size
        self._numbers = array(DOUBLE)
        self._columns = b""
        self._runs: dict[Run, list[bytes]] = {}

    def __len__(self) -> int:
        """How many probes there are."""
        return len(self.bases)

    def add(self, base: Base, numbers: array[float]) -> None:
        """Note the numbers of one more probe."""
        self.bases.append(base)
        self._numbers.extend(numbers)

    def take_over(self, before: Rows) -> bool:
        """Keep how the labels of earlier rows read, if they are of the same; return whether."""
        same = (self.bases, self.epoch) == (before.bases, before.epoch)
        if same:
            self._runs = before._runs
        return same

    def columns(self, place: int, count: int = 1) -> bytes:
        """Return some numbers of each probe, number by number, as they are in memory."""
        if not self._columns:
            columns = (self._numbers[each :: self._size] for each in range(self._size))
            self._columns = b"".join(columns)
            del self._numbers[:]
        width = len(self.bases) * self._numbers.itemsize
        return self._columns[place * width : (place + count) * width]

    def column(self, place: int) -> Column:
        """Return one number of each probe."""
        column = self.columns(place)
        numbers = array(DOUBLE, column)
        alike = column == column[: numbers.itemsize] * len(numbers)
        return numbers[0] if alike else numbers.tolist()

    def row(self, index: int, child: Child) -> Sequence[float]:
        """Return the numbers of one child of one probe."""
        return array(DOUBLE, self.columns(child.at, child.size))[index :: len(self.bases)]

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
        yield from (("", {}, _unix(at, epoch) / 1000) for at in numbers if at != ABSENT)
    elif child.family not in OPTIONAL or numbers[0] != ABSENT:
        yield "", {}, numbers[0]


def write_line(name: str, base: Base, labels: Mapping[str, str], value: float) -> bytes:
    """Return one line by itself."""
    pairs = sorted({**base.labels, **labels}.items())
    return _opened(name) + b",".join(_pair(*pair) for pair in pairs) + b"} " + write_end(value)


class FamilyLines:
    """Writes the lines of one family for alike probes.

    Args:
        family: which one.
        names: the base labels that each probe has.
        children: in the order of their lines.
    """

    def __init__(self, family: Family, names: Sequence[str], children: Sequence[Child]) -> None:
        self._children: list[tuple[Child, list[Line]]] = []
        for child in children:
            kinds = points(child, [0.0] * child.size, 0.0)
            labels = named(family, child.labels)
            lines: list[Line] = [
                _line(family.name + suffix, names, labels | more) for suffix, more, _ in kinds
            ]
            self._children.append((child, lines))

    def write(self, rows: Rows) -> bytes:
        """Return the lines of some probes, probe by probe."""
        text = _Text(rows)
        for child, lines in self._children:
            for line, ends in zip(lines, _ends(child, rows), strict=True):
                text.add(line, ends)
        return text.joined()


class _Text:
    """Lines of some probes as they grow: what is alike in all of them, and columns in between."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._parts: list[bytes] = []
        self._columns: list[tuple[int, list[bytes]]] = []
        self._alike = b""

    def add(self, line: Line, ends: Ends) -> None:
        """Append a line of each probe that has an end for it."""
        if isinstance(ends, bytes):
            if ends:
                self._add_labels(line)
                self._alike += ends
        elif b"" in ends:
            self._add_column(self._some(line, ends))
        else:
            self._add_labels(line)
            self._add_column(ends)

    def joined(self) -> bytes:
        """Return all of it."""
        if len(self._columns) == 1:
            (_, column), (opened, _) = self._columns[0], self._parts
            return opened + (self._alike + opened).join(column) + self._alike
        return b"".join(self.pieces())

    def pieces(self) -> list[bytes]:
        """Return all of it, probe by probe; each has the same number of pieces."""
        parts = [*self._parts, self._alike]
        pieces = parts * len(self._rows)
        for place, column in self._columns:
            pieces[place :: len(parts)] = column
        return pieces

    def _add_labels(self, line: Line) -> None:
        for part in line:
            if isinstance(part, bytes):
                self._alike += part
            else:
                self._add_column(self._rows.run(part))

    def _add_column(self, column: list[bytes]) -> None:
        """Append what each probe has for itself."""
        self._parts += [self._alike, b""]
        self._columns.append((len(self._parts) - 1, column))
        self._alike = b""

    def _some(self, line: Line, ends: list[bytes]) -> list[bytes]:
        """Return a whole line of each probe that has an end for it, nothing of the others."""
        text = _Text(self._rows)
        text.add(line, [end or b"-" for end in ends])
        pieces = text.pieces()
        size = len(pieces) // len(ends)
        lines = (b"".join(pieces[at : at + size]) for at in range(0, len(pieces), size))
        return [line if end else b"" for line, end in zip(lines, ends, strict=True)]


def _ends(child: Child, rows: Rows) -> Iterable[Ends]:
    """Return the ends of a child's lines, line by line."""
    if child.bounds:
        return _histogram_ends(child, rows)
    if child.family in OPTIONAL:
        return [_optional_ends(child, rows)]
    return [_written(rows.column(child.at))]


def _histogram_ends(child: Child, rows: Rows) -> Iterator[Ends]:
    """Return those of the cumulative buckets, the count, the sum."""
    *buckets, last = range(child.at, child.at + child.size)
    cumulative: Column = 0.0
    ends = _written(cumulative)
    for place in buckets:
        counts = rows.column(place)
        if counts != 0:
            cumulative = _sum(cumulative, counts)
            ends = _written(cumulative)
        yield ends
    yield ends
    yield _written(rows.column(last))


def _optional_ends(child: Child, rows: Rows) -> Ends:
    """Return ends for those probes that have the number, empty ones for the others."""
    column = rows.column(child.at)
    if column == ABSENT:
        return b""
    numbers = column if isinstance(column, list) else [column] * len(rows)
    there = [number for number in numbers if number != ABSENT]
    if child.family in MOMENTS:
        ends = write_moments([_unix(at, rows.epoch) for at in there])
    else:
        ends = write_ends(there)
    if len(there) == len(numbers):
        return ends
    some = iter(ends)
    return [b"" if number == ABSENT else next(some) for number in numbers]


def _written(column: Column) -> Ends:
    return write_ends(column) if isinstance(column, list) else write_end(column)


def _sum(one: Column, other: Column) -> Column:
    """Add two columns."""
    if isinstance(one, list):
        return list(map(add, one, other if isinstance(other, list) else repeat(other)))
    return _sum(other, one) if isinstance(other, list) else one + other


def _unix(at: float, epoch: float) -> int:
    """Return a Unix time in milliseconds; two clocks do not agree to more."""
    return round((epoch + at) * 1000)


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
    return [*parts, constant + b"} "]


def _opened(name: str) -> bytes:
    return f"{name}{{".encode()


def _pair(label: str, value: str) -> bytes:
    return f'{label}="{_escape(value)}"'.encode()


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
