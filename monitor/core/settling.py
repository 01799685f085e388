"""What is in flight on a connection that beats have moved from, until the last of it is settled.

Each connection matches its own echoes, since nothing but the connection says whose an echo without
an id is. The books stay one: what settles here is booked where it was sent.
"""

from __future__ import annotations

from monitor.core.events import HeartbeatEvent
from monitor.core.heartbeats import Heartbeats
from monitor.core.matching import Matching


class Settling:
    """Settles what one mode has in flight on its former connection.

    Args:
        heartbeats: the books.
        matching: the former connection's, as `Heartbeats.part` returns it.
    """

    def __init__(self, heartbeats: Heartbeats, matching: Matching) -> None:
        self._heartbeats = heartbeats
        self._matching = matching

    @property
    def settled(self) -> bool:
        """Whether nothing is in flight any more."""
        return self._matching.in_flight == 0

    def next_deadline(self) -> float:
        """When `expire` must be called: the next time-out."""
        return self._matching.next_deadline()

    def expire(self, now: float) -> list[HeartbeatEvent]:
        """Settle what has timed out."""
        events: list[HeartbeatEvent] = []
        while (deadline := self._matching.next_deadline()) <= now:
            missed = self._matching.expire(deadline)
            events += self._heartbeats.book_missed(missed, deadline)
        return events

    def received(self, key: int | None, arrived: float, earliest: float) -> list[HeartbeatEvent]:
        """Account for one echo; the arguments are those of `Heartbeats.received`."""
        events = self.expire(earliest)
        proven = self._matching.received(key, arrived, earliest)
        return events + self._heartbeats.book_found(proven)

    def lost(self, now: float) -> list[HeartbeatEvent]:
        """End: the connection did. What was still in flight is aborted."""
        events = self.expire(now)
        return events + self._heartbeats.book_aborted(self._matching.lost(), now)
