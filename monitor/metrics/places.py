"""Where the numbers of a probe are: each in a place of one array of doubles.

A probe has about a hundred numbers, and there may be ten thousand probes. An object for each number
would take twenty times the memory, and the garbage collector would walk through all of them. What
is in which place is known once, here, for all probes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitor.core.events import Initiator, SkipReason
from monitor.core.failures import FailureReason, Phase
from monitor.metrics import families
from monitor.metrics.families import Family

DOUBLE: Final = "d"

ABSENT = -math.inf
"""Stands where there is no number (yet). No number of an optional family is that."""

MOMENTS = frozenset({families.CONNECTION_START, families.LAST_ECHO})
"""Families whose place has a monotonic time, which is exposed as a Unix time."""

OPTIONAL = MOMENTS | {families.TCP_RTT, families.CERTIFICATE_NOT_AFTER}
"""Families that may have nothing to tell."""


@dataclass(frozen=True, slots=True)
class Child:
    """One child of a family: the values of its extra labels, and its first place.

    A histogram has a place for each of its `bounds`, one for infinity, one for the sum.
    """

    family: Family
    labels: tuple[str, ...]
    at: int
    bounds: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """How many places it has."""
        return len(self.bounds) + 2 if self.bounds else 1

    def moved(self, by: int, first_label: str) -> Child:
        """Return the same child further on, with one label more."""
        return Child(self.family, (first_label, *self.labels), self.at + by, self.bounds)


class Places:
    """Gives children their places, one after another."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.size = 0

    def take(self, family: Family, *labels: str) -> int:
        """Return the first place of one more child."""
        child = Child(family, labels, self.size, family.buckets)
        self.children.append(child)
        self.size += child.size
        return child.at


def blank(children: Sequence[Child]) -> array[float]:
    """Return the numbers of children of which there is nothing to tell yet."""
    numbers = array(DOUBLE)
    for child in children:
        numbers.extend([ABSENT if child.family in OPTIONAL else 0.0] * child.size)
    return numbers


EXPECTED_DISCONNECTS = (
    (Initiator.LOCAL, "1000"),
    (Initiator.LOCAL, "1006"),
    (Initiator.REMOTE, "1000"),
    (Initiator.REMOTE, "1001"),
    (Initiator.REMOTE, "1005"),
    (Initiator.REMOTE, "1008"),
    (Initiator.REMOTE, "1011"),
    (Initiator.REMOTE, "3000"),
    (Initiator.NETWORK, "1006"),
)
"""The ends that a probe shows at 0 from the first scrape on.

A series born at 1 hides its first event from `increase()`, and three initiators times every code
would be half of a probe's series. So the ends that are likely are there from the start: our own,
orderly (1000) or abrupt (1006); a peer that closes (1000, 1005: without a code), goes away (1001),
refuses by policy (1008), fails (1011) or rejects a ticket (3000); a connection that breaks (1006).
Our own 1001 comes with the end of the process, when nobody scrapes any more. Any other appears
when it is seen, and the count of `ws_probe_connection_lifetime_seconds` has them all.
"""

# The connections of a probe: these places come first.
_life = Places()
UP = _life.take(families.UP)
CONNECTED = _life.take(families.CONNECTED)
CONNECT_ATTEMPTS = _life.take(families.CONNECT_ATTEMPTS)
CONNECT_FAILURES = {
    reason: _life.take(families.CONNECT_FAILURES, reason) for reason in FailureReason
}
CONNECT_DURATION = _life.take(families.CONNECT_DURATION)
CONNECT_PHASES = {phase: _life.take(families.CONNECT_PHASE_DURATION, phase) for phase in Phase}
CONNECTION_START = _life.take(families.CONNECTION_START)
CONNECTION_LIFETIME = _life.take(families.CONNECTION_LIFETIME)
DISCONNECTS = {end: _life.take(families.DISCONNECTS, *end) for end in EXPECTED_DISCONNECTS}
DOWNTIME = _life.take(families.DOWNTIME)
MESSAGES_RECEIVED = _life.take(families.MESSAGES_RECEIVED)
RECEIVED_BYTES = _life.take(families.RECEIVED_BYTES)
SERVER_PINGS = _life.take(families.SERVER_PINGS)
TCP_RTT = _life.take(families.TCP_RTT)
TCP_RETRANSMITS = _life.take(families.TCP_RETRANSMITS)
CERTIFICATE_NOT_AFTER = _life.take(families.CERTIFICATE_NOT_AFTER)

LIFE = tuple(_life.children)
LIFE_SIZE = _life.size

# The heartbeats of one mode: places counted from where the mode's begin.
_beats = Places()
SENT = _beats.take(families.SENT)
ECHOED = _beats.take(families.ECHOED)
MISSED = _beats.take(families.MISSED)
ABORTED = _beats.take(families.ABORTED)
LATE = _beats.take(families.LATE)
UNSOLICITED = _beats.take(families.UNSOLICITED)
SKIPPED = {reason: _beats.take(families.SKIPPED, reason) for reason in SkipReason}
IN_FLIGHT = _beats.take(families.IN_FLIGHT)
CONSECUTIVE_MISSED = _beats.take(families.CONSECUTIVE_MISSED)
LAST_ECHO = _beats.take(families.LAST_ECHO)
HEARTBEAT_INTERVAL = _beats.take(families.HEARTBEAT_INTERVAL)
HEARTBEAT_TIMEOUT = _beats.take(families.HEARTBEAT_TIMEOUT)
RTT = _beats.take(families.RTT)


def beats(rtt_bounds: Sequence[float]) -> tuple[Child, ...]:
    """Return the children of one mode, without its name; the config gives the bounds of the RTT."""
    *others, rtt = _beats.children
    return (*others, Child(rtt.family, rtt.labels, rtt.at, tuple(rtt_bounds)))
