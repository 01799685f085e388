"""Matching echoes that carry an id: every answer names the heartbeat it belongs to."""

from __future__ import annotations

from collections import OrderedDict

from monitor.core.matching import Flight, Found, Outcome, answered

LATE_MEMORY = 64
"""How many missed heartbeats are remembered, so that a late echo still tells its RTT."""


class Numbered:
    """In-flight heartbeats by key; several may be in flight at once."""

    exclusive = False
    lost_track = False

    def __init__(self) -> None:
        self._flights: OrderedDict[int, Flight] = OrderedDict()
        self._missed: OrderedDict[int, Flight] = OrderedDict()

    @property
    def in_flight(self) -> int:
        """How many heartbeats are sent and not settled."""
        return len(self._flights)

    @property
    def next_deadline(self) -> float:
        """When the oldest heartbeat in flight is missed; infinity when none is."""
        return next((flight.deadline for flight in self._flights.values()), float("inf"))

    def copies(self, now: float) -> int:  # noqa: ARG002 - the other matching needs the time
        """One frame a heartbeat, always: its id tells its echo from any other."""
        return 1

    def sent(self, key: int, flight: Flight) -> None:
        """Remember a heartbeat that was handed to the kernel."""
        self._flights[key] = flight

    def expire(self, now: float) -> int:
        """Settle what has reached its deadline; return how many were missed."""
        missed = 0
        while self.next_deadline <= now:
            key, flight = self._flights.popitem(last=False)
            self._missed[key] = flight
            missed += 1
        while len(self._missed) > LATE_MEMORY:
            self._missed.popitem(last=False)
        return missed

    def received(self, key: int | None, arrived: float, earliest: float) -> list[Found]:
        """Match one echo by its key."""
        for flights, outcome in ((self._flights, Outcome.ECHOED), (self._missed, Outcome.LATE)):
            if key is not None and key in flights:
                return [answered(outcome, flights.pop(key), arrived, earliest)]
        return [Found(Outcome.UNSOLICITED, arrived)]

    def lost(self) -> int:
        """Forget the connection; return how many heartbeats were in flight."""
        aborted = len(self._flights)
        self._flights.clear()
        self._missed.clear()
        return aborted
