"""One scraper for many tests that share a monitor: each page is fetched and parsed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tests.integration.harness.metrics import Scrape
from tests.integration.harness.monitor import Monitor
from tests.integration.harness.waiting import PATIENCE


class Watch:
    """Scrapes a monitor again and again, and wakes whoever waits for a figure."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self._next: asyncio.Future[Scrape] = asyncio.get_running_loop().create_future()
        self._broken: BaseException | None = None

    async def until(
        self,
        check: Callable[[Scrape], object],
        *,
        what: str = "the figures",
        within: float = PATIENCE,
        probe: str | None = None,
    ) -> Scrape:
        """Return the first scrape from now on of which `check` is true.

        Args:
            check: takes a scrape.
            what: is waited for.
            within: seconds.
            probe: whose figures are shown when it takes too long.
        """
        # A page that is being fetched may be older than the question.
        await self._another()
        scrape = await self._another()
        try:
            async with asyncio.timeout(within):
                while not check(scrape):
                    scrape = await self._another()
        except TimeoutError:
            state = str(scrape.probe(probe)) if probe else ""
            raise AssertionError(f"{what}: not within {within:g} s\n{state}") from None
        return scrape

    async def run(self, every: float) -> None:
        """Scrape until cancelled."""
        try:
            while True:
                scrape = await self.monitor.scrape()
                done, self._next = self._next, asyncio.get_running_loop().create_future()
                done.set_result(scrape)
                await asyncio.sleep(every)
        except Exception as error:
            self._broken = error
            self._next.set_exception(error)
            self._next.exception()
            raise

    async def _another(self) -> Scrape:
        if self._broken is not None:
            raise self._broken
        return await asyncio.shield(self._next)


@asynccontextmanager
async def watching(monitor: Monitor, *, every: float = 0.3) -> AsyncIterator[Watch]:
    """Scrape a monitor so often, in seconds; its books are checked at every scrape."""
    watch = Watch(monitor)
    task = asyncio.create_task(watch.run(every))
    try:
        yield watch
        if task.done():
            await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
