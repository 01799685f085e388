"""Straight lines through points, and what can be said of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """`y = start + slope * x`; `margin` is the half width of the slope's 95 % interval."""

    start: float
    slope: float
    r_squared: float
    margin: float


def fit(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """Fit a line by least squares to three points or more."""
    slope, start = statistics.linear_regression(xs, ys)
    middle_x, middle_y = statistics.fmean(xs), statistics.fmean(ys)
    left = sum((y - start - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    whole = sum((y - middle_y) ** 2 for y in ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    freedom = len(xs) - 2
    error = math.sqrt(left / freedom / spread)
    return Line(start, slope, 1 - left / whole if whole else 1.0, student(freedom) * error)


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's distribution, for ten degrees of freedom or more.

    The first terms of its expansion about the normal distribution's (Cornish and Fisher).
    """
    z = statistics.NormalDist().inv_cdf(0.975)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def means(values: Sequence[float], size: int) -> list[float]:
    """Return the means of blocks of that size; what is left over is dropped.

    Readings close in time resemble each other, and a line through them would seem surer than it is.
    """
    whole = len(values) - len(values) % size
    return [statistics.fmean(values[start : start + size]) for start in range(0, whole, size)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of all values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
