"""The same values as `prometheus_client` sees them: families with samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.registry import Collector

from monitor.metrics.families import Family, Kind
from monitor.metrics.lines import Lines


def empty_metric(family: Family) -> Metric:
    """Return a family without samples."""
    name = family.name.removesuffix("_total") if family.kind is Kind.COUNTER else family.name
    return Metric(name, family.help, family.kind, family.unit)


class View(Collector):
    """A collector over lines: each group has those of one probe, or of the monitor."""

    def __init__(
        self, families: Iterable[Family], groups: Iterable[Mapping[Family, Lines]]
    ) -> None:
        self._families = tuple(families)
        self._groups = tuple(groups)

    def collect(self) -> Iterator[Metric]:
        """Return every family with the samples of all groups, as they are now."""
        for family in self._families:
            metric = empty_metric(family)
            for lines in self._groups:
                metric.samples += lines[family].samples()
            yield metric
