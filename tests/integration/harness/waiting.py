"""Waiting for real things: by polling, with a limit that only a broken program reaches."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 30.0
"""Seconds to wait for something that takes far less."""


async def wait_until(
    check: Callable[[], Any],
    *,
    what: str = "the condition",
    within: float = PATIENCE,
    every: float = 0.05,
) -> Any:
    """Return what `check` returns once that is true; it may be asynchronous.

    Raises:
        AssertionError: it was not true within so many seconds.
    """
    end = time.monotonic() + within
    while True:
        found = check()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {within:g} s")
        await asyncio.sleep(every)
