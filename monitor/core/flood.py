"""When a peer sends more than anybody has to read."""

from __future__ import annotations

import math

SPAN = 1.0
"""Seconds over which messages are counted; the limit is for so many of them."""


class Flood:
    """Counts messages; `limit` in a second are taken, and a longer wait allows for more.

    Times are those of the arrival, in monotonic seconds, so that our own delay is held against
    nobody: what may have come while we were not looking counts from when we looked last.
    """

    __slots__ = ("_count", "_limit", "_since")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._since = math.inf
        self._count = 0

    def take(self, count: int, earliest: float, arrived: float) -> bool:
        """Count messages that came between two times; return whether it is too many."""
        if arrived - self._since > SPAN:
            self._since = earliest
            self._count = 0
        else:
            self._since = min(self._since, earliest)
        self._count += count
        seconds = arrived - self._since
        return self._count > self._limit and self._count > self._limit * seconds
