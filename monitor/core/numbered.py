"""Matching echoes that carry an id: every answer names the heartbeat it belongs to."""

from __future__ import annotations

import math
from itertools import takewhile

from monitor.core.matching import ECHOED, LATE, UNSOLICITED, Found, answered

LATE_MEMORY = 64
"""How many missed heartbeats are remembered, so that a late echo still tells its RTT."""


class Numbered:
    """In-flight heartbeats by key; several may be in flight at once."""

    exclusive = False
    lost_track = False

    def __init__(self) -> None:
        # In the order of sending, hence of the deadlines. Two dictionaries of numbers, since one of
        # pairs would be looked through by the garbage collector.
        self._deadlines: dict[int, float] = {}
        self._sent: dict[int, float] = {}
        self._missed: dict[int, float] = {}

    @property
    def in_flight(self) -> int:
        """How many heartbeats are sent and not settled."""
        return len(self._sent)

    def next_deadline(self) -> float:
        """When the oldest heartbeat in flight is missed; infinity when none is."""
        for deadline in self._deadlines.values():
            return deadline
        return math.inf

    def copies(self, now: float) -> int:  # noqa: ARG002 - the other matching needs the time
        """One frame a heartbeat, always: its id tells its echo from any other."""
        return 1

    def sent(self, key: int, copies: int, at: float, deadline: float) -> None:  # noqa: ARG002 - always one
        """Remember a heartbeat that was handed to the kernel."""
        self._sent[key] = at
        self._deadlines[key] = deadline

    def expire(self, now: float) -> int:
        """Settle what has reached its deadline; return how many were missed."""
        expired = list(takewhile(lambda key: self._deadlines[key] <= now, self._deadlines))
        for key in expired:
            del self._deadlines[key]
            self._missed[key] = self._sent.pop(key)
        for key in list(self._missed)[:-LATE_MEMORY]:
            del self._missed[key]
        return len(expired)

    def received(self, key: int | None, arrived: float, earliest: float) -> list[Found]:
        """Match one echo by its key."""
        if key is not None and key in self._sent:
            del self._deadlines[key]
            return [answered(ECHOED, self._sent.pop(key), arrived, earliest)]
        if key is not None and key in self._missed:
            return [answered(LATE, self._missed.pop(key), arrived, earliest)]
        return [(UNSOLICITED, arrived, None)]

    def lost(self) -> int:
        """Forget the connection; return how many heartbeats were in flight."""
        aborted = len(self._sent)
        self._sent.clear()
        self._deadlines.clear()
        self._missed.clear()
        return aborted

    def again(self) -> Numbered:
        """Return one for another connection to the same peer: there is nothing to learn of it."""
        return Numbered()
