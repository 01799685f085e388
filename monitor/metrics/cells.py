"""Where the monitor keeps the values about itself between scrapes: plain numbers, without locks.

One thread writes, the event loop's. There are few of these. What every probe has is kept elsewhere,
in `monitor.metrics.places`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol

from monitor.metrics.numbers import write_bound

Point = tuple[str, dict[str, str], float]
"""What one line adds to its family's name, and to the labels of its child; and its number."""


class Valued(Protocol):
    """What a child of a family needs to be exposed."""

    def points(self) -> Iterator[Point]:
        """Return one point for each line, as it is now."""
        ...


class Cell:
    """One number."""

    __slots__ = ("value",)

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def set(self, value: float) -> None:
        """Replace the number."""
        self.value = value

    def points(self) -> Iterator[Point]:
        """Return the number."""
        yield "", {}, self.value


class Reading:
    """One number that there may not be (yet)."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float | None = None

    def points(self) -> Iterator[Point]:
        """Return the number, if there is one."""
        if self.value is not None:
            yield "", {}, self.value


class Histogram:
    """Observations by upper bound; `bounds` ascend and do not include infinity."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation. A bucket includes its bound, as `le` says."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def points(self) -> Iterator[Point]:
        """Return the cumulative buckets with +Inf, the count, the sum."""
        return histogram_points(self._bounds, self._counts, self._sum)


def histogram_points(
    bounds: Sequence[float], counts: Sequence[float], total: float
) -> Iterator[Point]:
    """Return what a histogram shows: `counts` has one number for each bucket by itself."""
    cumulative = list(accumulate(counts))
    for bound, count in zip((*bounds, float("inf")), cumulative, strict=True):
        yield "_bucket", {"le": write_bound(bound)}, count
    yield "_count", {}, cumulative[-1]
    yield "_sum", {}, total
