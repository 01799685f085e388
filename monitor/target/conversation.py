"""What one connected socket is answered, and whether it still lives. Pure: told the time.

The order is Talo's: rate limit, then the exact comparison with the heartbeat, then the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.target.envelope import (
    CORRUPT_HEARTBEAT,
    HEARTBEAT,
    RATE_LIMIT_EXCEEDED,
    error,
    reply_to,
)
from monitor.target.faults import CloseFrame, Faults
from monitor.target.ratelimit import FixedWindow

_WARNINGS_BEFORE_CLOSE = 3


@dataclass(frozen=True, slots=True)
class Say:
    """Send this text now."""

    text: str


@dataclass(frozen=True, slots=True)
class Echo:
    """Echo a heartbeat, `copies` times."""

    text: str
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Swallow:
    """Leave a heartbeat without its echo."""


Reply = Say | Echo | Swallow | CloseFrame


class Conversation:
    """The protocol state of one connection, from `v1.connected` to its end."""

    __slots__ = ("_alive", "_heartbeats", "_points", "_warnings", "_window")

    def __init__(self, points: int, window: FixedWindow) -> None:
        self._points = points
        self._window = window
        self._warnings = 0
        self._heartbeats = 0
        self._alive = True

    def receive(self, message: str, now: float, faults: Faults) -> Reply:
        """Decide the answer to a message that is processed at `now`."""
        points = self._points if faults.rate_points is None else faults.rate_points
        if not self._window.hit(now, points):
            return self._excess()
        if message != HEARTBEAT or faults.no_heartbeat_support:
            return Say(reply_to(message))
        self.sign_of_life()
        self._heartbeats += 1
        return self._echo(faults)

    def sign_of_life(self) -> None:
        """Take note of a pong, or of a heartbeat that was processed."""
        self._alive = True
        self._warnings = max(0, self._warnings - 1)

    def tick(self) -> bool:
        """Say whether there was a sign of life since the last tick, and start to wait anew."""
        alive, self._alive = self._alive, False
        return alive

    def _excess(self) -> Reply:
        self._warnings += 1
        if self._warnings > _WARNINGS_BEFORE_CLOSE:
            return CloseFrame(1008, RATE_LIMIT_EXCEEDED)
        return Say(error(RATE_LIMIT_EXCEEDED))

    def _echo(self, faults: Faults) -> Reply:
        every = faults.swallow_every
        if faults.silent or (every and self._heartbeats % every == 0):
            return Swallow()
        text = CORRUPT_HEARTBEAT if faults.corrupt else HEARTBEAT
        return Echo(text, copies=1 + faults.duplicate)
