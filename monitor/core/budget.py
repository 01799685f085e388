"""A budget of connect attempts: so many a second, with a burst, in the order they were asked."""

from __future__ import annotations

import math


class Budget:
    """A leaky bucket that hands out reservations.

    `per_second` attempts on average; up to `burst` of them at once.
    """

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._gap = 1.0 / per_second
        self._tolerance = (burst - 1) * self._gap
        self._next = -math.inf

    def reserve(self, now: float) -> float:
        """Take one attempt and return the seconds until it may begin."""
        start = max(self._next, now)
        self._next = start + self._gap
        return max(start - self._tolerance - now, 0.0)

    def take(self, now: float) -> bool:
        """Take one attempt if it may begin at once; else take none and return False."""
        if self._next - self._tolerance > now:
            return False
        self.reserve(now)
        return True

    def close_until(self, when: float) -> None:
        """Let no attempt that is reserved from now on begin before `when`.

        The peer said so, with `Retry-After`.
        """
        self._next = max(self._next, when + self._tolerance)
