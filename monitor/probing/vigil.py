"""Watching ourselves: how late our own loop is, whether we were away, whether the clock was set.

What is found here is never the target's fault, and it is what tells a reader of every other figure
whether to trust it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from monitor.core.schedule import Schedule

TICK = Schedule(interval=0.1, phase=0.0)
"""Also bounds how long the loop sleeps, hence how well it knows when it was last awake."""

AWAY = 1.0
"""Seconds of lateness from which we say that we were away, not busy."""

STEPPED = 0.5
"""Seconds that the wall clock may shift against the monotonic one between ticks."""

STALE = 5.0
"""Seconds without a tick after which the beats are not being driven."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Who is told: of every tick's lateness, of an absence, of a step of the wall clock."""

    lag: Callable[[float], None]
    away: Callable[[float], None]
    stepped: Callable[[float], None]


class Vigil:
    """Takes a tick at each slot of `TICK`."""

    def __init__(
        self,
        findings: Findings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._findings = findings
        self._monotonic = monotonic
        self._wall = wall
        self._ticked_at = monotonic()
        self._offset = wall() - monotonic()

    def tick(self, due: float) -> None:
        """Note how late this tick is."""
        now = self._monotonic()
        self._ticked_at = now
        lag = max(now - due, 0.0)
        self._findings.lag(lag)
        if lag > AWAY:
            self._findings.away(lag)
        shift = self._wall() - now - self._offset
        self._offset += shift
        if abs(shift) > STEPPED:
            self._findings.stepped(shift)

    def unhealthy(self) -> str | None:
        """Say why we cannot be trusted to beat, if so."""
        silence = self._monotonic() - self._ticked_at
        if silence > STALE:
            return f"no beat has been driven for {silence:.0f} s"
        return None
