"""The families about the monitor itself: its lateness, its configuration, its build."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from monitor.core.refusals import Refusal
from monitor.core.sharding import Shard
from monitor.metrics import families
from monitor.metrics.cells import Cell, Histogram, Reading, Valued
from monitor.metrics.families import Family
from monitor.metrics.sources import SourceMetrics
from monitor.metrics.view import metric_of, named

Child = tuple[Family, tuple[str, ...], Valued]
"""A family, the values of its labels, and what holds the value."""


class MonitorMetrics(Collector):
    """What the monitor tells about itself.

    Args:
        version: the program's.
        wall: returns Unix time.
        shard: which one it is.
        vantage: where it stands, or nothing.
    """

    def __init__(self, version: str, wall: Callable[[], float], shard: Shard, vantage: str) -> None:
        self.loop_lag = Histogram(families.LOOP_LAG.buckets)
        self.beat_slip = Histogram(families.BEAT_SLIP.buckets)
        self.probes = Cell()
        self.scrape_duration = Cell()
        self._wall = wall
        self._version = version
        self._shard = shard
        self._vantage = vantage
        self._stalled = Cell()
        self._crashes = Cell()
        self._reload_successful = Cell()
        self._reload_success_timestamp = Reading()
        self._web_config_successful = Cell(1)
        self._refused = {reason: Cell() for reason in Refusal}
        self._sources: dict[str, SourceMetrics] = {}

    def stalled(self, seconds: float) -> None:
        """Add time during which the process itself was stopped or starved."""
        self._stalled.value += seconds

    def crashed(self) -> None:
        """Count a probe that a bug of ours ended."""
        self._crashes.value += 1

    def reloaded(self, *, ok: bool) -> None:
        """Note an attempt to load the configuration, the first one included."""
        self._reload_successful.value = int(ok)
        if ok:
            self._reload_success_timestamp.value = round(self._wall(), 3)

    def web_config_read(self, ok: bool) -> None:  # noqa: FBT001 - it is a callback's argument
        """Note an attempt to read the web config again."""
        self._web_config_successful.value = int(ok)

    def refused(self, reason: Refusal) -> None:
        """Count a client that the web port turned away."""
        self._refused[reason].value += 1

    def add_source(self, name: str) -> SourceMetrics:
        """Show a source of discovery from now on."""
        self._sources[name] = SourceMetrics(self._wall)
        return self._sources[name]

    def remove_source(self, name: str) -> None:
        """Let a source's series disappear."""
        del self._sources[name]

    def collect(self) -> Iterator[Metric]:
        """Return every family with its samples, as they are now."""
        found: dict[Family, list[Sample]] = {family: [] for family in families.MONITOR_FAMILIES}
        for family, values, cell in self._children():
            labels = named(family, values)
            found[family] += [
                Sample(family.name + suffix, {**labels, **more}, number)
                for suffix, more, number in cell.points()
            ]
        return (metric_of(family, samples) for family, samples in found.items())

    def _children(self) -> Iterator[Child]:
        yield families.LOOP_LAG, (), self.loop_lag
        yield families.BEAT_SLIP, (), self.beat_slip
        yield families.STALLED, (), self._stalled
        yield families.CRASHES, (), self._crashes
        yield families.RELOAD_SUCCESSFUL, (), self._reload_successful
        yield families.RELOAD_SUCCESS_TIMESTAMP, (), self._reload_success_timestamp
        yield families.WEB_CONFIG_SUCCESSFUL, (), self._web_config_successful
        for reason, cell in self._refused.items():
            yield families.WEB_REFUSED, (reason,), cell
        yield families.BUILD_INFO, (self._version, platform.python_version()), Cell(1)
        yield families.PROBES, (), self.probes
        yield families.SHARD_INDEX, (self._vantage,), Cell(self._shard.index)
        yield families.SHARDS, (self._vantage,), Cell(self._shard.count)
        yield families.SHARD_REPLICATION, (self._vantage,), Cell(self._shard.replication)
        yield families.SCRAPE_DURATION, (), self.scrape_duration
        for name, source in self._sources.items():
            for family, labels, valued in source.children():
                yield family, (name, *labels), valued
