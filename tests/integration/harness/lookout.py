"""For how long a target heard nothing from anybody: what the targets' own books say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.integration.harness.targets import TargetHandle

EVERY = 0.2
"""Seconds from one look at all targets to the next."""


@dataclass(slots=True)
class Silence:
    """What is known of one target.

    `longest` is the longest time without a heartbeat, in seconds. It may be too long by the time
    between two looks and never too short. `fewest` is the least number of open connections.
    """

    target: TargetHandle
    heard: int = -1
    since: float = 0.0
    longest: float = 0.0
    fewest: int = 1_000_000

    async def look(self, before: float) -> None:
        """Ask the target; `before` is when it was last asked."""
        counters = await self.target.counters()
        now = time.monotonic()
        self.fewest = min(self.fewest, counters["connections_open"])
        if self.heard < 0:
            self.since = now
        self.longest = max(self.longest, now - self.since)
        if counters["heartbeats_received"] > self.heard:
            # It came at any time after the look before this one.
            self.since = before or now
        self.heard = counters["heartbeats_received"]


@asynccontextmanager
async def look_out(targets: Sequence[TargetHandle]) -> AsyncIterator[list[Silence]]:
    """Watch the targets; what is known of them is complete when the block ends."""
    silences = [Silence(target) for target in targets]
    ended = asyncio.Event()
    looking = asyncio.create_task(_look(silences, ended))
    try:
        yield silences
    finally:
        ended.set()
        await looking


async def _look(silences: list[Silence], ended: asyncio.Event) -> None:
    before = 0.0
    last = False
    while not last:
        last = ended.is_set()
        began = time.monotonic()
        await asyncio.gather(*(silence.look(before) for silence in silences))
        before = began
        await asyncio.sleep(EVERY)
