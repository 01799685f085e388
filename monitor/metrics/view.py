"""Our values as `prometheus_client` sees them: families with samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.samples import Sample

from monitor.metrics.families import Family, Kind


def metric_of(family: Family, samples: Iterable[Sample] = ()) -> Metric:
    """Return a family with these samples."""
    name = family.name.removesuffix("_total") if family.kind is Kind.COUNTER else family.name
    metric = Metric(name, family.help, family.kind, family.unit)
    metric.samples += samples
    return metric


def printable(value: str) -> str:
    """Return what UTF-8 can carry of a label value: half a surrogate would spoil every scrape."""
    return value.encode("utf-8", "replace").decode()


def named(family: Family, values: Sequence[str]) -> dict[str, str]:
    """Return the labels of one child of a family, given their values."""
    return dict(zip(family.labels, map(printable, values), strict=True))
