"""Which events make a log line: one for each change of state, with its reason and what is next.

Beats and echoes make none. A probe that changes all the time does not fill the log: its lines are
limited, and the next one that gets through says how many did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import structlog

from monitor.core.events import (
    Crashed,
    DialFailed,
    Dialing,
    Disconnected,
    Event,
    Late,
    Missed,
    Notice,
    Opened,
    Postponed,
    Ready,
    Renewed,
    Stopped,
    UpChanged,
    Waiting,
)

LINES_AT_ONCE = 10
"""A probe may write so many lines in a row."""

SECONDS_A_LINE = 6.0
"""Then one in so many seconds: ten a minute."""


class LineBudget:
    """Says whether another line may be written; times are monotonic seconds."""

    def __init__(self) -> None:
        self._credit = float(LINES_AT_ONCE)
        self._last = float("-inf")
        self.suppressed = 0

    def admit(self, now: float) -> bool:
        """Take one line, if there is one left."""
        self._credit = min(self._credit + (now - self._last) / SECONDS_A_LINE, LINES_AT_ONCE)
        self._last = now
        if self._credit < 1:
            self.suppressed += 1
            return False
        self._credit -= 1
        return True


class Narrator:
    """Writes one probe's lines. Call it with each event."""

    def __init__(self, probe: str, endpoint: str) -> None:
        self._names = {"probe": probe, "endpoint": endpoint}
        self._budget = LineBudget()
        self._open_end: dict[str, Any] = {}

    def watch(self, endpoint: str) -> None:
        """Name another endpoint from now on."""
        self._names["endpoint"] = endpoint

    @property
    def _log(self) -> Any:
        """Bound when there is something to say: a bound logger for each probe is a kilobyte."""
        return structlog.get_logger().bind(**self._names)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        tell = self._TELL.get(type(event))
        if tell is not None:
            tell(self, event)

    @classmethod
    def tells_of(cls) -> frozenset[type]:
        """The events that can make a line."""
        return frozenset(cls._TELL)

    def _write(self, level: str, at: float, message: str, **fields: object) -> None:
        if not self._budget.admit(at):
            return
        if self._budget.suppressed:
            fields["suppressed_lines"], self._budget.suppressed = self._budget.suppressed, 0
        getattr(self._log, level)(message, **fields)

    def _dialing(self, event: Dialing) -> None:
        self._log.debug("connecting", attempt=event.attempt)

    def _opened(self, event: Opened) -> None:
        self._log.debug("open", address=event.address, tls=event.tls_version or "none")

    def _ready(self, event: Ready) -> None:
        self._write("info", event.at, "ready", seconds=round(event.duration, 4))

    def _renewed(self, event: Renewed) -> None:
        self._write(
            "info", event.at, "renewed", because=event.cause, seconds=round(event.duration, 4)
        )

    def _postponed(self, event: Postponed) -> None:
        story, self._open_end = self._open_end, {}
        story["message"] = "renewal failed, the connection in use stays"
        self._write(
            "warning", event.at, **story, because=event.cause, retry_in=round(event.delay, 3)
        )

    def _dial_failed(self, event: DialFailed) -> None:
        # A connection that ended before it was usable is one failed connect, not two stories.
        self._open_end = {
            "message": "connect failed",
            "reason": event.reason.value,
            "phase": event.phase.value,
            "detail": event.detail,
        }

    def _disconnected(self, event: Disconnected) -> None:
        story: dict[str, Any] = {
            "message": "disconnected",
            "initiator": event.initiator.value,
            "code": event.code,
            "detail": event.detail or "as ordered",
            "lifetime": round(event.lifetime, 3),
        }
        if event.abort_reason is not None:
            story["because"] = event.abort_reason.value
        if event.planned:
            self._write("info", event.at, **story)
        elif event.spare and event.was_ready:
            # Nothing follows from it: the probe has another one.
            self._write("warning", event.at, **story)
        else:
            self._open_end = story

    def _waiting(self, event: Waiting) -> None:
        story, self._open_end = self._open_end, {}
        if story:
            self._write("warning", event.at, **story, retry_in=round(event.delay, 3))

    def _up_changed(self, event: UpChanged) -> None:
        if event.up:
            self._write("info", event.at, "up", cause=event.cause)
        else:
            self._write("warning", event.at, "down", cause=event.cause)

    def _missed(self, event: Missed) -> None:
        self._write(
            "warning",
            event.at,
            "heartbeat missed",
            mode=event.mode.value,
            in_a_row=event.consecutive,
        )

    def _late(self, event: Late) -> None:
        rtt = None if event.rtt is None else round(event.rtt, 4)
        self._write("info", event.at, "echo came late", mode=event.mode.value, rtt=rtt)

    def _notice(self, event: Notice) -> None:
        self._write("warning", event.at, "the peer complains", said=event.name)

    def _crashed(self, event: Crashed) -> None:
        self._log.error("a bug in the monitor ended this probe; restarting it", error=event.error)

    def _stopped(self, event: Stopped) -> None:
        self._write("info", event.at, "no longer watched")

    _TELL: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        Dialing: _dialing,
        DialFailed: _dial_failed,
        Opened: _opened,
        Ready: _ready,
        Renewed: _renewed,
        Postponed: _postponed,
        Disconnected: _disconnected,
        Waiting: _waiting,
        UpChanged: _up_changed,
        Missed: _missed,
        Late: _late,
        Notice: _notice,
        Crashed: _crashed,
        Stopped: _stopped,
    }
