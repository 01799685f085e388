"""What a dialect is: the seam between a protocol's frames and what the monitor makes of them.

A dialect is made anew for each connection. It does no I/O and reads no clock; it is told the
frames and says what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NUMBER = rb"(?P<id>0|[1-9][0-9]{0,19})"
"""A heartbeat's key as we write it: no sign, no leading zero, no more digits than a counter has."""


# What comes and goes with each heartbeat is not frozen, which would take thrice as long to make.
@dataclass(slots=True)
class Frame:
    """The payload of one whole message: text (UTF-8 bytes) or binary (RFC 6455 section 5.6)."""

    data: bytes
    text: bool = True


@dataclass(slots=True)
class Echo:
    """The answer to a heartbeat; `key` is its id, None where the dialect has none."""

    key: int | None


@dataclass(frozen=True, slots=True)
class Usable:
    """The opening conversation is over: heartbeats may be sent."""


@dataclass(frozen=True, slots=True)
class Remark:
    """The peer said something worth a log line; `name` is from a closed set."""

    name: str


Meaning = Echo | Usable | Remark | None
"""What a frame means; None for whatever is no concern of a monitor."""


class Dialect(Protocol):
    """One connection's side of a protocol."""

    usable_at_once: bool
    """Whether the accepted upgrade alone makes the connection usable."""

    numbered: bool
    """Whether message echoes carry an id."""

    def opening(self) -> Sequence[Frame]:
        """Frames to send as soon as the upgrade is accepted."""
        ...

    def heartbeat(self, key: int) -> Frame:
        """The frame of one message heartbeat."""
        ...

    def read(self, data: bytes, *, text: bool) -> Meaning:
        """Say what a message of the peer means. Never raises, whatever the bytes."""
        ...

    def closed(self, code: int) -> str:
        """Say in our own words what a close code means here; empty where nothing is special."""
        ...
