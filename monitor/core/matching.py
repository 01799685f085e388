"""What it takes to match echoes to heartbeats: the seam between accounting and its two ways."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol


class Outcome(Enum):
    """What an echo turned out to be."""

    ECHOED = auto()
    LATE = auto()
    UNSOLICITED = auto()


ECHOED, LATE, UNSOLICITED = Outcome
"""By names of their own: a look-up in the enumeration takes longer than what follows from it."""


Found = tuple[Outcome, float, float | None]
"""One proven match: its outcome, when the echo arrived, the round-trip time in seconds.

The arrival is when the echo's bytes reached the kernel, or the latest moment at which they can
have; there is no round-trip time where it is not known exactly. One is made for every echo, and
a class of its own would take five times as long to make as this.
"""


def answered(outcome: Outcome, sent: float, arrived: float, earliest: float) -> Found:
    """Find a heartbeat answered by an echo that arrived at `arrived`, or since `earliest`."""
    # Two clocks may differ by a hair where the kernel stamps arrivals.
    rtt = max(arrived - sent, 0.0) if earliest == arrived else None
    return outcome, arrived, rtt


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

    def next_deadline(self) -> float:
        """When the oldest heartbeat in flight is missed; infinity when none is."""
        ...

    def copies(self, now: float) -> int:
        """How many frames the next heartbeat takes; 0 to hold it back."""
        ...

    def sent(self, key: int, copies: int, at: float, deadline: float) -> None:
        """Remember a heartbeat that was handed to the kernel, in so many frames.

        Its echo is in time before `deadline`.
        """
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
