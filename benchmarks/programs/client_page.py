"""What `prometheus_client` takes to write a page of ours.

    python -m benchmarks.programs.client_page PAGE

reads a page in the text format and prints how many samples it has. For each line on its standard
input it writes them all once with `generate_latest` and prints the seconds, the CPU seconds and the
bytes. The line says from what:

    registry  gauges, counters and histograms of the library that hold these series, as a program
              that leaves its metrics to the library has them; the sums of histograms are not kept
    samples   samples that are ready, so that only the writing is timed
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from benchmarks.programs.orders import say

BEYOND = 1e9
"""A value above all bounds."""


class Given(Collector):
    """Samples that are ready."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Hand them out."""
        yield from self._metrics


def add_gauge(metric: Metric, registry: CollectorRegistry) -> None:
    """Have the library keep a gauge."""
    gauge = Gauge(metric.name, metric.documentation, names(metric), registry=registry)
    for sample in metric.samples:
        (gauge.labels(**sample.labels) if sample.labels else gauge).set(sample.value)


def add_counter(metric: Metric, registry: CollectorRegistry) -> None:
    """Have the library keep a counter."""
    counter = Counter(metric.name, metric.documentation, names(metric), registry=registry)
    for sample in metric.samples:
        (counter.labels(**sample.labels) if sample.labels else counter).inc(sample.value)


def add_histogram(metric: Metric, registry: CollectorRegistry) -> None:
    """Have the library keep a histogram, with as many values in each bucket."""
    children = list(split_children(metric))
    histogram = Histogram(
        metric.name,
        metric.documentation,
        names(metric),
        buckets=[float(sample.labels["le"]) for sample in children[0]],
        registry=registry,
    )
    for buckets in children:
        labels = {name: value for name, value in buckets[0].labels.items() if name != "le"}
        child = histogram.labels(**labels) if labels else histogram
        counts = [0.0, *(sample.value for sample in buckets)]
        for sample, (below, upto) in zip(buckets, pairwise(counts), strict=True):
            for _ in range(round(upto - below)):
                child.observe(min(float(sample.labels["le"]), BEYOND))


def split_children(metric: Metric) -> Iterator[list[Sample]]:
    """Return the buckets of each child; a sum or a count ends them."""
    buckets: list[Sample] = []
    for sample in metric.samples:
        if sample.name.endswith("_bucket"):
            buckets.append(sample)
        elif buckets:
            yield buckets
            buckets = []


def names(metric: Metric) -> list[str]:
    """Return the labels of a family."""
    return [name for name in metric.samples[0].labels if name != "le"]


ADD: Mapping[str, Callable[[Metric, CollectorRegistry], None]] = {
    "gauge": add_gauge,
    "counter": add_counter,
    "histogram": add_histogram,
}


def main() -> None:
    """Read the page, and write it as often as asked."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no type here
    read = text_string_to_metric_families(Path(sys.argv[1]).read_text())
    metrics = [metric for metric in read if metric.samples]
    registry = CollectorRegistry()
    for metric in metrics:
        ADD[metric.type](metric, registry)
    sources: dict[str, Collector] = {"registry": registry, "samples": Given(metrics)}
    say(str(sum(len(metric.samples) for metric in metrics)))
    for line in sys.stdin:
        source = sources[line.strip()]
        began, cpu = time.monotonic(), time.process_time()
        size = len(generate_latest(source))
        say(f"{time.monotonic() - began} {time.process_time() - cpu} {size}")


if __name__ == "__main__":
    main()
