"""What it takes to match echoes to heartbeats: the seam between accounting and its two ways."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, Protocol


class Outcome(Enum):
    """What an echo turned out to be."""

    ECHOED = auto()
    LATE = auto()
    UNSOLICITED = auto()


class Flight(NamedTuple):
    """A heartbeat handed to the kernel: when, and until when its echo is in time (half-open)."""

    sent: float
    deadline: float


class Found(NamedTuple):
    """One proven match.

    `arrived` is when the echo's bytes reached the kernel, or the latest moment at which they can
    have; `rtt` is the round-trip time in seconds, None where the arrival is not known exactly.
    """

    outcome: Outcome
    arrived: float
    rtt: float | None = None


def answered(outcome: Outcome, flight: Flight, arrived: float, earliest: float) -> Found:
    """Find a heartbeat answered by an echo that arrived at `arrived`, or since `earliest`."""
    # Two clocks may differ by a hair where the kernel stamps arrivals.
    rtt = max(arrived - flight.sent, 0.0) if earliest == arrived else None
    return Found(outcome, arrived, rtt)


class Matching(Protocol):
    """One connection mode's memory of what was sent and not yet accounted for."""

    exclusive: bool
    """Whether only one heartbeat may be in flight at a time."""

    lost_track: bool
    """Whether echoes can no longer be told apart on this connection."""

    @property
    def in_flight(self) -> int:
        """How many heartbeats are sent and not settled."""
        ...

    @property
    def next_deadline(self) -> float:
        """When the oldest heartbeat in flight is missed; infinity when none is."""
        ...

    def copies(self, now: float) -> int:
        """How many frames the next heartbeat takes; 0 to hold it back."""
        ...

    def sent(self, key: int, copies: int, flight: Flight) -> None:
        """Remember a heartbeat that was handed to the kernel, in so many frames."""
        ...

    def expire(self, now: float) -> int:
        """Settle what has reached its deadline; return how many were missed."""
        ...

    def received(self, key: int | None, arrived: float, earliest: float) -> list[Found]:
        """Match one echo, which arrived at `arrived`, or since `earliest`; return what it proves.

        What was due before `earliest` has expired already: echoes come in order of arrival.
        """
        ...

    def lost(self) -> int:
        """Forget the connection; return how many heartbeats were in flight."""
        ...

    def again(self) -> Matching:
        """Return one for another connection to the same peer; what was learnt of it is kept."""
        ...
