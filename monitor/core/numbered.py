"""Matching echoes that carry an id: every answer names the heartbeat it belongs to."""

from __future__ import annotations

import math

from monitor.core.matching import ECHOED, LATE, UNSOLICITED, Found, answered

LATE_MEMORY = 64
"""How many missed heartbeats are remembered, so that a late echo still tells its RTT."""


class Numbered:
    """In-flight heartbeats by key; several may be in flight at once."""

    exclusive = False
    lost_track = False

    def __init__(self) -> None:
        # When each was sent, and its deadline. Both are in the order of sending, hence of these.
        self._flights: dict[int, tuple[float, float]] = {}
        self._missed: dict[int, float] = {}

    @property
    def in_flight(self) -> int:
        """How many heartbeats are sent and not settled."""
        return len(self._flights)

    @property
    def next_deadline(self) -> float:
        """When the oldest heartbeat in flight is missed; infinity when none is."""
        for _, deadline in self._flights.values():
            return deadline
        return math.inf

    def copies(self, now: float) -> int:  # noqa: ARG002 - the other matching needs the time
        """One frame a heartbeat, always: its id tells its echo from any other."""
        return 1

    def sent(self, key: int, copies: int, at: float, deadline: float) -> None:  # noqa: ARG002 - always one
        """Remember a heartbeat that was handed to the kernel."""
        self._flights[key] = at, deadline

    def expire(self, now: float) -> int:
        """Settle what has reached its deadline; return how many were missed."""
        expired = [key for key, (_, deadline) in self._flights.items() if deadline <= now]
        for key in expired:
            self._missed[key], _ = self._flights.pop(key)
        for key in list(self._missed)[:-LATE_MEMORY]:
            del self._missed[key]
        return len(expired)

    def received(self, key: int | None, arrived: float, earliest: float) -> list[Found]:
        """Match one echo by its key."""
        if key is not None and key in self._flights:
            sent, _ = self._flights.pop(key)
            return [answered(ECHOED, sent, arrived, earliest)]
        if key is not None and key in self._missed:
            return [answered(LATE, self._missed.pop(key), arrived, earliest)]
        return [(UNSOLICITED, arrived, None)]

    def lost(self) -> int:
        """Forget the connection; return how many heartbeats were in flight."""
        aborted = len(self._flights)
        self._flights.clear()
        self._missed.clear()
        return aborted

    def again(self) -> Numbered:
        """Return one for another connection to the same peer: there is nothing to learn of it."""
        return Numbered()
