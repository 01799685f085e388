"""An event loop whose clock is a number: sleeping takes no time, and a stall is an addition."""

from __future__ import annotations

import asyncio
import selectors


class VirtualSelector(selectors.SelectSelector):
    """Looks at nothing for long: instead of waiting, it lets the clock go on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1001.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look once, and pretend to have waited for `timeout`."""
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen any more"
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in which seconds pass only while everybody waits, or when a test says so."""

    def __init__(self) -> None:
        self.clock = VirtualSelector()
        super().__init__(self.clock)

    def time(self) -> float:
        """The seconds on this loop's clock."""
        return self.clock.now


def stall(seconds: float) -> None:
    """Hold the running loop for so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.clock.now += seconds


def now() -> float:
    """The seconds on the running loop's clock."""
    return asyncio.get_running_loop().time()
