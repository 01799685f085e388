"""Exact downtime: every second in which a probe was not up, to the clock's own resolution."""

from __future__ import annotations


class Availability:
    """Adds up the time between going down and coming up again. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.up = False
        self._down_since: float | None = None
        self._settled = 0.0

    def begin(self, now: float) -> None:
        """Start the clock: the probe's first connect attempt begins, and it is not up yet."""
        if self._down_since is None and not self.up:
            self._down_since = now

    def update(self, *, up: bool, now: float) -> bool:
        """Take the present verdict; return whether it changed."""
        if up == self.up:
            return False
        self.up = up
        if up:
            self._settled = self.downtime(now)
            self._down_since = None
        else:
            self._down_since = now
        return True

    def stop(self, now: float) -> None:
        """Stop the clock for good: the probe is no longer watched."""
        self._settled = self.downtime(now)
        self._down_since = None

    def downtime(self, now: float) -> float:
        """Return the seconds of downtime until `now`."""
        if self._down_since is None:
            return self._settled
        return self._settled + max(now - self._down_since, 0.0)
