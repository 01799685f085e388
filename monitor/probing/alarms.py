"""Alarms for many deadlines, few of which are ever missed: one loop timer for each moment.

A deadline is set with nearly every heartbeat, and nearly every one is met before it comes. A timer
of the loop for each would cost as much as the heartbeat's own books. So deadlines are rounded up
to common moments. Nothing is decided here: whoever is woken looks at the time that it asked for.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

GRAIN = 0.05
"""Seconds between two moments: an alarm rings this much late at most."""

Ring = Callable[[float], None]
"""Is called with a second that has come, not before the one that was asked for. Must not raise."""


class Alarms:
    """Rings at moments that are shared. An alarm that is set cannot be taken back."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._moments: dict[int, list[Ring]] = {}

    def set(self, when: float, ring: Ring) -> None:
        """Call `ring` at `when`, in the loop's seconds, or up to `GRAIN` later."""
        moment = math.ceil(when / GRAIN)
        if moment * GRAIN < when:
            # The quotient was rounded down to a whole number.
            moment += 1
        rings = self._moments.get(moment)
        if rings is None:
            rings = self._moments[moment] = []
            self._loop.call_at(moment * GRAIN, self._ring, moment)
        rings.append(ring)

    def _ring(self, moment: int) -> None:
        for ring in self._moments.pop(moment):
            ring(moment * GRAIN)
