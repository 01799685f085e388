"""What a scrape gets: all families of all probes, rendered without holding up the loop.

`prometheus_client` takes many microseconds for a line, on the loop that sends the beats. So the
numbers of each probe are noted in one go, and its books balance in every scrape. Then the lines are
written, family by family and some probes at a time, and the loop gets its turn in between. They are
compressed as they come: a page is never there as a whole but compressed, and what has not changed
since the scrape before is taken from there. What the library still writes, it writes in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.registry import Collector

from monitor.core.availability import Availability
from monitor.core.sharding import ALONE, Shard
from monitor.core.traffic import Traffic
from monitor.metrics.block import Blocks
from monitor.metrics.families import PROBE_FAMILIES, Family
from monitor.metrics.layout import Detail
from monitor.metrics.negotiation import Format, accepts_gzip, choose_format
from monitor.metrics.own import MonitorMetrics
from monitor.metrics.pages import EOF, GENERATE, HEADERS, Collected, Packed, Packing, Page, pack
from monitor.metrics.series import ProbeIdentity, ProbeSeries
from monitor.metrics.view import metric_of

T = TypeVar("T")

LONGEST_HOLD = 0.0005
"""Rendering yields to the loop after this many seconds: half of what we allow ourselves."""

STEP = 0.010
"""The wall clock is taken to be set, not read late, when it differs by this many seconds."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """One response to a scrape; the page is kept compressed also for those who want it plain."""

    page: Page
    content_type: str
    content_encoding: str | None

    @property
    def length(self) -> int:
        """How many bytes its body has."""
        return sum(map(len, self.page.packed)) if self.content_encoding else self.page.length

    def pieces(self, size: int) -> Iterator[bytes]:
        """Return the body in pieces of at most `size` bytes."""
        return self.page.compressed(size) if self.content_encoding else self.page.plain(size)


class Exposition:
    """All metrics of the process, and the one way to render them.

    Further collectors, such as the one for the process, are in `registry`.

    Args:
        rtt_buckets: upper bounds of the RTT histogram, in seconds.
        close_codes: codes that the config lists, shown as numbers.
        version: the program's version.
        basic: show only the families marked so, for very large fleets.
        shard: which one this monitor is.
        vantage: where it stands, or nothing.
        monotonic: the clock of the events, in seconds.
        wall: Unix time, in seconds.
        calm: held while a page is rendered.
    """

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        *,
        rtt_buckets: Sequence[float],
        close_codes: Collection[int],
        version: str,
        basic: bool = False,
        shard: Shard = ALONE,
        vantage: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        calm: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        shown = tuple(family for family in PROBE_FAMILIES if family.basic or not basic)
        self._detail = Detail(tuple(rtt_buckets), frozenset(close_codes), shown)
        self._monotonic = monotonic
        self._wall = wall
        self._calm = calm
        self._epoch = wall() - monotonic()
        self._probes: dict[str, ProbeSeries] = {}
        self._blocks = Blocks(self._epoch)
        self._running: dict[Hashable, asyncio.Future[Any]] = {}
        # Not the loop's own executor: name look-ups that hang would hold up the scrapes.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrape")
        self.monitor = MonitorMetrics(version, wall, shard, vantage)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def add(
        self, identity: ProbeIdentity, traffic: Traffic, availability: Availability
    ) -> ProbeSeries:
        """Show a probe from now on, and return the sink for its events.

        Raises:
            ValueError: the name is taken, or a label is not allowed.
        """
        if identity.name in self._probes:
            raise ValueError(f"probe {identity.name} is there already")
        series = ProbeSeries(identity, traffic, availability, self._detail)
        self._probes[identity.name] = series
        return series

    def remove(self, name: str) -> None:
        """Let a probe's series disappear; nothing happens if there are none."""
        self._probes.pop(name, None)

    async def scrape(self, accept_header: str | None, accept_encoding: str | None) -> Scrape:
        """Render everything as the two request headers ask; scrapes at one time share the work."""
        chosen, content_type = choose_format(accept_header)
        page = await self._share(chosen, lambda: self._page(chosen))
        return Scrape(page, content_type, "gzip" if accepts_gzip(accept_encoding) else None)

    def collect(self) -> Iterator[Metric]:
        """Return our families as `prometheus_client` sees them: slow, and the reference."""
        yield from self.monitor.collect()
        blocks = Blocks(self._synchronised())
        for series in self._probes.values():
            series.note(blocks, self._monotonic())
        for family in self._detail.shown:
            yield metric_of(family, (one for block in blocks for one in block.samples(family)))

    async def _share(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Await work that is under way already, or else begin it."""
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(work())
            running.add_done_callback(lambda _: self._running.pop(key))
        # One client that goes away must not cancel what the others wait for.
        return cast(T, await asyncio.shield(running))

    async def _page(self, chosen: Format) -> Page:
        """Render everything."""
        begun = self._monotonic()
        with self._calm():
            page = await self._rendered(chosen)
        self.monitor.scrape_duration.value = self._monotonic() - begun
        return page

    async def _rendered(self, chosen: Format) -> Page:
        """Write everything, family by family, and compress it as it is written."""
        blocks = await self._share("blocks", self._note_all)
        own = await self._by_the_library(Collected(*self.monitor.collect()), chosen)
        packing = Packing()
        packing.take(pack(own.removesuffix(EOF)))
        await self._write(blocks, HEADERS[chosen], packing)
        packing.take(pack(await self._by_the_library(self.registry, chosen)))
        return packing.finish()

    def _by_the_library(self, families: Collector, chosen: Format) -> Awaitable[bytes]:
        """Have `prometheus_client` write some families, in the thread."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, GENERATE[chosen], families)

    async def _note_all(self) -> Blocks:
        """Return the numbers of all probes, each probe's as of one instant."""
        blocks = Blocks(self._synchronised())
        breath = _Breath(self._monotonic)
        for series in list(self._probes.values()):
            series.note(blocks, self._monotonic())
            await breath.take()
        for block, before in zip(blocks, self._blocks, strict=False):
            block.take_over(before)
            await breath.take()
        self._blocks = blocks
        return blocks

    async def _write(
        self, blocks: Blocks, headers: Mapping[Family, Packed], packing: Packing
    ) -> None:
        """Write all lines of probes."""
        breath = _Breath(self._monotonic)
        for family in self._detail.shown:
            packing.take(headers[family])
            for block in blocks:
                packing.take(block.pack(family))
                await breath.take()

    def _synchronised(self) -> float:
        """Return the Unix time of the monotonic clock's 0, the same until the wall clock is set.

        Otherwise every scrape would move every time stamp by some microseconds, and `changes()`
        would count them.
        """
        epoch = self._wall() - self._monotonic()
        if abs(epoch - self._epoch) >= STEP:
            self._epoch = epoch
        return self._epoch


class _Breath:
    """Lets the loop run whenever the work has held it for long enough."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()

    async def take(self) -> None:
        if self._clock() - self._since >= LONGEST_HOLD:
            await asyncio.sleep(0)
            self._since = self._clock()
