"""Knowing when our own loop was not looking: a selector that tells since when bytes may wait.

Bytes that arrive while the loop is held, or while the process is stopped, share one kernel time
stamp with whatever came after them. `LoopWatch.unseen_since` bounds when they can have come.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable

HELD = 0.02
"""Seconds between two looks at the sockets beyond which the loop was not looking."""


class LoopWatch(selectors.DefaultSelector):
    """The loop's selector, which also keeps the time of each look.

    `blind_since` is None after a prompt look. Otherwise it is the monotonic second of the look
    before: whatever is read now may have arrived at any time since.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._looked = self._looked_before = clock()
        self.blind_since: float | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look at the sockets, and note how long we had not."""
        entered = self._clock()
        ready = super().select(timeout)
        returned = self._clock()
        asleep = returned - entered if timeout is None else timeout
        if entered - self._looked > HELD:
            self.blind_since = self._looked
        elif returned - entered - max(asleep, 0.0) > HELD:
            self.blind_since = entered
            # A wait that SIGSTOP interrupted tells what there was before it, or nothing (PEP 475).
            ready = super().select(0)
        else:
            self.blind_since = None
        self._looked_before, self._looked = self._looked, returned
        return ready

    def unseen_since(self, read_at: float) -> float | None:
        """Since when what is read at `read_at` may have waited; None if it was read promptly."""
        if self.blind_since is None and read_at - self._looked > HELD:
            # The loop was held between the look that found it and the read.
            return self._looked_before
        return self.blind_since
