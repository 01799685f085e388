"""What a scrape gets: all families of all probes, rendered without holding up the loop.

`prometheus_client` needs 18 microseconds a line, on the loop that measures round trips. So the
lines of the probes are rendered from cached prefixes, probe by probe, and the loop gets its turn
in between; compressing and joining is done by a thread, without the interpreter's lock. Each probe
is rendered in one go, so its books balance in every scrape.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from monitor.core.availability import Availability
from monitor.core.traffic import Traffic
from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES, Family
from monitor.metrics.negotiation import Format, accepts_gzip, choose_format
from monitor.metrics.own import MonitorMetrics
from monitor.metrics.series import ProbeIdentity, ProbeSeries
from monitor.metrics.view import View, empty_metric

T = TypeVar("T")

LONGEST_HOLD = 0.0005
"""Rendering yields to the loop after this many seconds: half of what we allow ourselves."""

BATCH = 32
"""Probes whose lines are put together at a time; small, for the same reason."""

STEP = 0.010
"""The wall clock is taken to be set, not read late, when it differs by this many seconds."""

COMPRESSION = 1
"""The lines are so alike that a higher level costs much and gains little."""

GZIP_WINDOW = 31
"""zlib's way to ask for a gzip header."""

EOF = b"# EOF\n"


@dataclass(frozen=True, slots=True)
class Scrape:
    """One response to a scrape."""

    body: bytes
    content_type: str
    content_encoding: str | None


class Exposition:
    """All metrics of the process, and the one way to render them.

    Args:
        rtt_buckets: upper bounds of the RTT histogram, in seconds.
        close_codes: codes that the config lists, shown as numbers.
        version: the program's version.
        monotonic: the clock of the events, in seconds.
        wall: Unix time, in seconds.
    """

    def __init__(
        self,
        *,
        rtt_buckets: Sequence[float],
        close_codes: Collection[int],
        version: str,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._rtt_buckets = tuple(rtt_buckets)
        self._close_codes = frozenset(close_codes)
        self._monotonic = monotonic
        self._wall = wall
        self._epoch = wall() - monotonic()
        self._probes: dict[str, ProbeSeries] = {}
        self._running: dict[Hashable, asyncio.Future[Any]] = {}
        # Not the loop's own executor: name look-ups that hang would hold up the scrapes.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrape")
        self.monitor = MonitorMetrics(version, wall)
        self.registry = CollectorRegistry()
        self.registry.register(View(MONITOR_FAMILIES, lambda: [self.monitor.lines]))
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
        series = ProbeSeries(
            identity,
            traffic,
            availability,
            rtt_buckets=self._rtt_buckets,
            close_codes=self._close_codes,
        )
        self._probes[identity.name] = series
        return series

    def remove(self, name: str) -> None:
        """Let a probe's series disappear; nothing happens if there are none."""
        self._probes.pop(name, None)

    async def scrape(self, accept_header: str | None, accept_encoding: str | None) -> Scrape:
        """Render everything as the two request headers ask; scrapes at one time share the work."""
        chosen, content_type = choose_format(accept_header)
        compress = accepts_gzip(accept_encoding)
        body = await self._share((chosen, compress), lambda: self._body(chosen, compress=compress))
        return Scrape(body, content_type, "gzip" if compress else None)

    def probe_view(self) -> View:
        """Return the probes' families as `prometheus_client` sees them: slow, and the reference."""
        for series in self._probes.values():
            series.refresh(self._monotonic(), self._synchronised())
        return View(PROBE_FAMILIES, lambda: [series.lines for series in self._probes.values()])

    async def _share(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Await work that is under way already, or else begin it."""
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(work())
            running.add_done_callback(lambda _: self._running.pop(key))
        # One client that goes away must not cancel what the others wait for.
        return cast(T, await asyncio.shield(running))

    async def _body(self, chosen: Format, *, compress: bool) -> bytes:
        begun = self._monotonic()
        pages = await self._share("pages", self._render)
        finish = partial(_finish, self.registry, chosen, pages, compress=compress)
        body = await asyncio.get_running_loop().run_in_executor(self._thread, finish)
        self.monitor.scrape_duration.value = self._monotonic() - begun
        return body

    async def _render(self) -> list[list[bytes]]:
        """Return the lines of every probe family in encoded chunks."""
        epoch = self._synchronised()
        pages: list[list[bytes]] = [[] for _ in PROBE_FAMILIES]
        probes = list(self._probes.values())
        breath = _Breath(self._monotonic)
        for start in range(0, len(probes), BATCH):
            texts: list[list[str]] = [[] for _ in PROBE_FAMILIES]
            for series in probes[start : start + BATCH]:
                series.refresh(self._monotonic(), epoch)
                for text, lines in zip(texts, series.lines.values(), strict=True):
                    text.append(lines.render())
                await breath.take()
            for page, text in zip(pages, texts, strict=True):
                page.append("".join(text).encode())
            await breath.take()
        return pages

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


def _finish(
    registry: CollectorRegistry, chosen: Format, pages: list[list[bytes]], *, compress: bool
) -> bytes:
    """Put a page together; in a thread, where joining and compressing do not hold the lock."""
    body = b"".join(_parts(registry, chosen, pages))
    if not compress:
        return body
    squeeze = zlib.compressobj(COMPRESSION, wbits=GZIP_WINDOW)
    return squeeze.compress(body) + squeeze.flush()


def _parts(
    registry: CollectorRegistry, chosen: Format, pages: list[list[bytes]]
) -> Iterator[bytes]:
    generate = GENERATE[chosen]
    yield generate(registry).removesuffix(EOF)
    for header, page in zip(HEADERS[chosen], pages, strict=True):
        yield header
        yield from page
    if chosen is Format.OPENMETRICS:
        yield EOF


class _Empty(Collector):
    """One family without samples: what is left of it is its header."""

    def __init__(self, family: Family) -> None:
        self._metric = empty_metric(family)

    def collect(self) -> Iterator[Metric]:
        yield self._metric


GENERATE: dict[Format, Callable[[Collector], bytes]] = {
    Format.TEXT: generate_latest,
    Format.OPENMETRICS: openmetrics.generate_latest,
}
"""How `prometheus_client` writes each format."""

HEADERS = {
    chosen: [generate(_Empty(family)).removesuffix(EOF) for family in PROBE_FAMILIES]
    for chosen, generate in GENERATE.items()
}
"""The lines above the samples of each probe family, as `prometheus_client` writes them."""
