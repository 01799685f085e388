"""A deadline for a network step that does not punish the peer for our own absence.

`asyncio.timeout` fires at once when the process was stopped past it, although the answer may have
arrived long ago. Here a timer that fires late is given the lateness back, once for each stall.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LATE = 0.1
"""Seconds past its time at which a timer shows that the loop itself was away."""


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` in the body unless it ends within `seconds` of running time."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def fire(when: float) -> None:
        nonlocal timer
        lateness = loop.time() - when
        if lateness > LATE:
            again = loop.time() + min(lateness, seconds)
            timer = loop.call_at(again, fire, again)
        else:
            scope.reschedule(loop.time())

    async with asyncio.timeout(None) as scope:
        end = loop.time() + seconds
        timer = loop.call_at(end, fire, end)
        try:
            yield
        finally:
            timer.cancel()
