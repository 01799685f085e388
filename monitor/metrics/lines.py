"""The lines of one family for one probe, written from a template that alike probes share.

A line is name and labels, which seldom change, and a number. What alike probes have in common, all
but the values of the labels that the config gives and the numbers, is kept once, however many
they are. The text format and OpenMetrics write sample lines alike; only the headers differ. What
comes out is what `prometheus_client` writes for the same samples, byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar

from prometheus_client.samples import Sample

from monitor.metrics.cells import Cell, Part, Reading, Valued
from monitor.metrics.families import Family
from monitor.metrics.numbers import write_number

T = TypeVar("T")

VALUE = attrgetter("value")

PLACE = "\n\n"
"""Two ends of a line: no line is empty, and label values have none (`_escape`)."""

DOUBLE: Final = "d"
DOUBLE_SIZE = 8

SHAPES = 4096
"""So many templates are kept: a fleet of alike probes needs some forty."""

FILLED = 1024
"""So many templates are kept with their numbers: most families stand still in most probes."""

Child = tuple[Family, tuple[str, ...], Valued]
"""A family, the values of its extra labels, and the cell that holds the value."""


@dataclass(frozen=True, slots=True)
class Base:
    """The labels that all lines of one probe share."""

    names: tuple[str, ...]
    values: tuple[str, ...]
    escaped: tuple[str, ...]


def make_base(labels: Mapping[str, str]) -> Base:
    """Return labels in the order of their names, as they are and as lines have them."""
    names = tuple(sorted(labels))
    values = tuple(printable(labels[name]) for name in names)
    return Base(names, values, tuple(map(_escape, values)))


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """The lines of one family with places for numbers (`%s`) and for the base labels (`PLACE`)."""

    text: str
    count: int


@lru_cache(FILLED)
def _filled(template: Template, numbers: bytes) -> tuple[str, ...]:
    """Return what is between the base labels; where the numbers never change, all share it."""
    filled = template.text % tuple(map(write_number, memoryview(numbers).cast(DOUBLE)))
    return tuple(filled.split(PLACE))


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The templates of all families of one probe, and where in the numbers those of each are.

    `doubles` packs the numbers.
    """

    templates: tuple[Template, ...]
    spans: tuple[slice, ...]
    doubles: struct.Struct


@lru_cache(SHAPES)
def _shape(templates: tuple[Template, ...]) -> Shape:
    ends = list(accumulate((template.count for template in templates), initial=0))
    spans = (slice(start * DOUBLE_SIZE, end * DOUBLE_SIZE) for start, end in pairwise(ends))
    return Shape(templates, tuple(spans), struct.Struct(f"{ends[-1]}{DOUBLE}"))


class Snapshot(NamedTuple):
    """The numbers of one probe at one instant, eight bytes each, and how to write them."""

    shape: Shape
    numbers: bytes
    escaped: tuple[str, ...]


def write_family(family: int, snapshots: Iterable[Snapshot]) -> list[str]:
    """Return the lines of one family, counted in the order of the snapshots, of some probes."""
    texts = []
    for shape, numbers, escaped in snapshots:
        template = shape.templates[family]
        between = _filled(template, numbers[shape.spans[family]])
        if len(escaped) == 1:
            texts.append(escaped[0].join(between))
        else:
            pieces = [""] * (2 * len(between) - 1)
            pieces[::2] = between
            pieces[1::2] = escaped * template.count
            texts.append("".join(pieces))
    return texts


@lru_cache(SHAPES)
def _template(
    family: Family,
    names: tuple[str, ...],
    children: tuple[tuple[tuple[str, ...], tuple[Part, ...]], ...],
) -> Template:
    """Return the template for children, each given by its extra labels and its parts."""
    lines = [
        _with_places(family.name + suffix, names, {**_extra(family, extra), **dict(more)})
        for extra, parts in children
        for suffix, more in parts
    ]
    return Template("".join(lines), len(lines))


def _with_places(name: str, names: tuple[str, ...], labels: Mapping[str, str]) -> str:
    places = dict.fromkeys(names, PLACE)
    given = {label: _escape(value).replace("%", "%%") for label, value in labels.items()}
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted({**places, **given}.items()))
    return f"{name}{{{pairs}}} %s\n" if pairs else f"{name} %s\n"


def _extra(family: Family, extra: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(family.labels, map(printable, extra), strict=True))


class Lines:
    """The lines of one family; `base` are the labels that all its children share."""

    __slots__ = (
        "_absent",
        "_base",
        "_cells",
        "_extras",
        "_family",
        "_optional",
        "_plain",
        "_template",
    )

    def __init__(self, family: Family, base: Base | Mapping[str, str]) -> None:
        self._family = family
        self._base = base if isinstance(base, Base) else make_base(base)
        self._extras: tuple[tuple[str, ...], ...] = ()
        self._cells: tuple[Valued, ...] = ()
        self._absent: tuple[bool, ...] = ()
        self._optional = False
        self._plain = True
        self._template: Template | None = None

    def clear(self) -> None:
        """Drop all children: their labels have changed."""
        self._extras = ()
        self._cells = ()
        self._template = None

    def add(self, extra: tuple[str, ...], cell: Valued) -> None:
        """Add a child with the values of the family's extra labels."""
        self.add_all((extra,), (cell,))

    def add_all(self, extras: Iterable[tuple[str, ...]], cells: Iterable[Valued]) -> None:
        """Add children: for each the values of the family's extra labels, and its cell."""
        self._extras = _shared((*self._extras, *extras))
        self._cells = (*self._cells, *cells)
        self._optional = any(isinstance(cell, Reading) for cell in self._cells)
        self._plain = all(isinstance(cell, Cell) for cell in self._cells)
        self._template = None

    def _fitting(self) -> Template:
        """Return the template for those cells that have something to tell."""
        absent = tuple([cell.value is None for cell in self._cells])
        if self._template is None or absent != self._absent:
            present = zip(self._extras, self._cells, absent, strict=True)
            shown = tuple((extra, cell.parts) for extra, cell, gone in present if not gone)
            self._template = _template(self._family, self._base.names, shown)
            self._absent = absent
        return self._template

    def put(self, numbers: list[float]) -> Template:
        """Add the numbers of this instant to others, and return the template for them."""
        template = self._template
        if template is None or self._optional:
            template = self._fitting()
        if self._plain:
            numbers += map(VALUE, self._cells)
        else:
            for cell in self._cells:
                numbers += cell.values()
        return template

    def render(self) -> bytes:
        """Return the lines as they are exposed."""
        return "".join(write_family(0, [snapshot([self], self._base)])).encode()

    def samples(self) -> Iterator[Sample]:
        """Return the same as samples, for `prometheus_client` to write."""
        base = dict(zip(self._base.names, self._base.values, strict=True))
        for extra, cell in zip(self._extras, self._cells, strict=True):
            labels = {**base, **_extra(self._family, extra)}
            # A cell that has nothing to tell yet has labels and no value.
            for (suffix, more), value in zip(cell.parts, cell.values(), strict=False):
                yield Sample(self._family.name + suffix, {**labels, **dict(more)}, value)


def snapshot(lines: Iterable[Lines], base: Base) -> Snapshot:
    """Return the numbers of this instant of all families of one probe."""
    numbers: list[float] = []
    shape = _shape(tuple([one.put(numbers) for one in lines]))
    return Snapshot(shape, shape.doubles.pack(*numbers), base.escaped)


def gather(
    families: Sequence[Family], children: Iterable[Child], base: Base | Mapping[str, str]
) -> dict[Family, Lines]:
    """Return the lines of the given families, children in the order in which they come."""
    base = base if isinstance(base, Base) else make_base(base)
    found: dict[Family, tuple[list[tuple[str, ...]], list[Valued]]] = {
        family: ([], []) for family in families
    }
    for family, extra, cell in children:
        if family in found:
            extras, cells = found[family]
            extras.append(extra)
            cells.append(cell)
    lines = {family: Lines(family, base) for family in families}
    for family, (extras, cells) in found.items():
        lines[family].add_all(extras, cells)
    return lines


@lru_cache(SHAPES)
def _shared(key: tuple[T, ...]) -> tuple[T, ...]:
    """Return one tuple for all that are equal."""
    return key


def printable(value: str) -> str:
    """Return what UTF-8 can carry of a label value: half a surrogate would spoil every scrape."""
    return value.encode("utf-8", "replace").decode()


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
