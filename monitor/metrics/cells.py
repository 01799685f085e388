"""Where values live between scrapes: plain numbers on small objects, without locks.

One thread writes, the event loop's. Whatever is expensive happens at the scrape. Counts are floats
too, as the formats write them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

from monitor.metrics.numbers import write_bound

Part = tuple[str, tuple[tuple[str, str], ...]]
"""What one line adds to its family's name and to the labels of its child."""

SINGLE: tuple[Part, ...] = (("", ()),)


class Valued(Protocol):
    """What a child of a family needs to be exposed."""

    @property
    def value(self) -> float | None:
        """Changes whenever `values` do; None for as long as there is nothing to tell."""
        ...

    @property
    def parts(self) -> tuple[Part, ...]:
        """One part for each line; equal ones are shared."""
        ...

    def values(self) -> Sequence[float]:
        """One number for each part, or none at all."""
        ...


class Cell:
    """One number."""

    __slots__ = ("value",)
    parts = SINGLE

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def set(self, value: float) -> None:
        """Replace the number."""
        self.value = value

    def values(self) -> Sequence[float]:
        """Return the number."""
        return (self.value,)


class Reading:
    """One number that there may not be (yet)."""

    __slots__ = ("value",)
    parts = SINGLE

    def __init__(self) -> None:
        self.value: float | None = None

    def values(self) -> Sequence[float]:
        """Return the number, if there is one."""
        return () if self.value is None else (self.value,)


@lru_cache(64)
def _histogram_parts(bounds: tuple[float, ...]) -> tuple[Part, ...]:
    buckets = [("_bucket", (("le", write_bound(bound)),)) for bound in (*bounds, float("inf"))]
    return (*buckets, ("_count", ()), ("_sum", ()))


class Histogram:
    """Observations by upper bound; `bounds` ascend and do not include infinity.

    `value` is how many observations there were.
    """

    __slots__ = ("_bounds", "_counts", "_sum", "value")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.value = 0.0
        self._bounds = tuple(bounds)
        self._counts = [0.0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation. A bucket includes its bound, as `le` says."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value
        self.value += 1

    @property
    def parts(self) -> tuple[Part, ...]:
        """The buckets with +Inf, the count, the sum."""
        return _histogram_parts(self._bounds)

    def values(self) -> Sequence[float]:
        """Return the cumulative buckets, the count, the sum."""
        values: list[float] = list(accumulate(self._counts))
        values += (values[-1], self._sum)
        return values
