"""What alike probes have in common: which numbers they have, where, and how their lines read."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from monitor.core.events import Mode
from monitor.metrics import families
from monitor.metrics.families import Family
from monitor.metrics.lines import FamilyLines
from monitor.metrics.places import LIFE, LIFE_SIZE, Child, beats, blank

Stretch = tuple[int, int]
"""Places next to each other: the first one, and how many there are."""

LAYOUTS = 1024
"""So many are kept: a fleet has one for each set of label names and modes."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How finely all probes are shown.

    `rtt_buckets` are the upper bounds of the RTT histogram, in seconds; `close_codes` those that
    the config lists, to be shown as numbers; `shown` the families to expose.
    """

    rtt_buckets: Sequence[float] = families.RTT.buckets
    close_codes: Collection[int] = ()
    shown: Sequence[Family] = families.PROBE_FAMILIES


FULL = Detail()


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The numbers of one probe, and of all that are like it.

    `blank` has them as they are at the start. `beats` says where those of each mode begin, and
    `beat_size` how many those are. `children` has those of each family that is shown, `stretches`
    the places of their numbers, `lines` writes them.
    """

    blank: array[float]
    beats: Mapping[Mode, int]
    beat_size: int
    children: Mapping[Family, tuple[Child, ...]]
    stretches: Mapping[Family, tuple[Stretch, ...]]
    lines: Mapping[Family, FamilyLines]

    def take_over(self, numbers: array[float], before: Layout) -> array[float]:
        """Return numbers that were in the places of another layout.

        Of a mode that was not there before there is nothing to tell yet.
        """
        taken = self.blank[:]
        taken[:LIFE_SIZE] = numbers[:LIFE_SIZE]
        for mode in self.beats.keys() & before.beats.keys():
            new, old = self.beats[mode], before.beats[mode]
            taken[new : new + self.beat_size] = numbers[old : old + self.beat_size]
        return taken


def layout_of(names: tuple[str, ...], modes: Collection[Mode], detail: Detail) -> Layout:
    """Return the layout of probes with base labels of these names and heartbeats of these modes."""
    return _layout(names, tuple(modes), tuple(detail.rtt_buckets), tuple(detail.shown))


@lru_cache(LAYOUTS)
def _layout(
    names: tuple[str, ...],
    modes: tuple[Mode, ...],
    rtt_bounds: tuple[float, ...],
    shown: tuple[Family, ...],
) -> Layout:
    numbers = blank(LIFE)
    children = list(LIFE)
    one = beats(rtt_bounds)
    begins = {}
    for mode in modes:
        begins[mode] = len(numbers)
        children += [child.moved(len(numbers), mode) for child in one]
        numbers += blank(one)
    by_family = {
        family: tuple(child for child in children if child.family is family) for family in shown
    }
    lines = {family: FamilyLines(family, names, some) for family, some in by_family.items()}
    stretches = {family: tuple(_stretches(some)) for family, some in by_family.items()}
    return Layout(numbers, begins, len(blank(one)), by_family, stretches, lines)


def _stretches(children: Iterable[Child]) -> Iterator[Stretch]:
    """Return the places of some children, those next to each other together."""
    first = end = 0
    for child in children:
        if child.at != end:
            yield first, end - first
            first = child.at
        end = child.at + child.size
    yield first, end - first
