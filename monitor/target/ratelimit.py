"""Talo's rate limits: a fixed window, then a block. Pure: told the time."""

from __future__ import annotations

_CLIENTS_BEFORE_PRUNING = 1024


class FixedWindow:
    """Counts hits in windows of `duration` seconds; the first excess blocks for `duration`.

    The window opens with its first hit. Hits during the block do not prolong it.
    """

    __slots__ = ("_blocked", "_duration", "_ends", "_hits")

    def __init__(self, duration: float) -> None:
        self._duration = duration
        self._hits = 0
        self._ends = float("-inf")
        self._blocked = False

    def hit(self, now: float, points: int) -> bool:
        """Count one hit and say whether it is within the `points` that a window allows."""
        if self.is_over(now):
            self._hits = 0
            self._blocked = False
            self._ends = now + self._duration
        self._hits += 1
        if self._hits <= points:
            return True
        if not self._blocked:
            self._blocked = True
            self._ends = now + self._duration
        return False

    def is_over(self, now: float) -> bool:
        """Whether the next hit opens a new window."""
        return now >= self._ends


class ClientLimits:
    """One `FixedWindow` for each client address."""

    __slots__ = ("_duration", "_points", "_windows")

    def __init__(self, points: int, duration: float) -> None:
        self._points = points
        self._duration = duration
        self._windows: dict[str, FixedWindow] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def hit(self, client: str, now: float) -> bool:
        """Count one request of `client` and say whether it is within the limit."""
        if client not in self._windows and len(self._windows) >= _CLIENTS_BEFORE_PRUNING:
            self._windows = {
                known: window for known, window in self._windows.items() if not window.is_over(now)
            }
        window = self._windows.setdefault(client, FixedWindow(self._duration))
        return window.hit(now, self._points)
