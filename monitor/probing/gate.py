"""Who may connect when: so many attempts a second and at once, over all probes.

A storm of reconnects harms the target that is just coming back, and Talo refuses tickets to an
address that asks for too many. Attempts after a failure can take up only half of the places, so
that targets which let every attempt run into its deadline do not keep a healthy one waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from monitor.core.backoff import RETRY_AFTER_LIMIT
from monitor.core.budget import Budget


@dataclass(frozen=True, slots=True)
class GateLimits:
    """`concurrent` attempts at once, `per_second` of them, `tickets_per_minute` for one seller."""

    concurrent: int
    per_second: float
    tickets_per_minute: float


class Gate:
    """Admits connect attempts."""

    def __init__(self, limits: GateLimits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(limits.concurrent)
        self._retry_places = asyncio.Semaphore(max(limits.concurrent // 2, 1))
        self._renewal_places = asyncio.Semaphore(max(limits.concurrent // 4, 1))
        self._overall = Budget(per_second=limits.per_second, burst=max(round(limits.per_second), 1))
        self._sellers: dict[str, Budget] = {}
        self._renewals: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def without_hurry(self, seller: str | None) -> AsyncIterator[None]:
        """Hold one of few places for renewals, one for each seller.

        To be entered before anything else is asked for. Turns are given in the order in which they
        are asked for, so those who have no connection wait behind few who have one.
        """
        async with AsyncExitStack() as stack:
            if seller is not None:
                await stack.enter_async_context(self._renewals.setdefault(seller, asyncio.Lock()))
            await stack.enter_async_context(self._renewal_places)
            yield

    @asynccontextmanager
    async def admit(self, *, retry: bool) -> AsyncIterator[None]:
        """Wait for a turn and hold a place."""
        async with AsyncExitStack() as stack:
            if retry:
                await stack.enter_async_context(self._retry_places)
            await stack.enter_async_context(self._places)
            await asyncio.sleep(self._overall.reserve(asyncio.get_running_loop().time()))
            yield

    async def ticket_turn(self, seller: str) -> None:
        """Wait until a ticket may be asked for."""
        await asyncio.sleep(self._seller(seller).reserve(asyncio.get_running_loop().time()))

    def close_seller(self, seller: str, seconds: float) -> None:
        """Ask `seller` for no ticket for so many seconds, as it said; 0 asks for no pause."""
        if seconds > 0:
            pause = min(seconds, RETRY_AFTER_LIMIT)
            self._seller(seller).close_until(asyncio.get_running_loop().time() + pause)

    def _seller(self, seller: str) -> Budget:
        budget = self._sellers.get(seller)
        if budget is None:
            per_minute = self._limits.tickets_per_minute
            budget = Budget(per_second=per_minute / 60, burst=max(round(per_minute), 1))
            self._sellers[seller] = budget
        return budget
