"""Reading a page of metrics quickly: only the samples that are asked for are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

LABEL = re.compile(rb'(\w+)="([^"]*)"')


class Page:
    """A page in the text format, uncompressed; label values have no quotes in them here."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def samples(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """Return the labels and the value of each sample of that name."""
        pattern = re.compile(rb"^" + name.encode() + rb"(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)
        for match in pattern.finditer(self.text):
            pairs = LABEL.findall(match[1] or b"")
            yield {key.decode(): value.decode() for key, value in pairs}, float(match[2])

    def total(self, name: str, **labels: str) -> float:
        """Add up the samples of that name that have these labels."""
        return sum(value for found, value in self.samples(name) if labels.items() <= found.items())

    def by_probe(self, name: str, **labels: str) -> dict[str, float]:
        """Add up the samples of that name for each probe."""
        sums: dict[str, float] = {}
        for found, value in self.samples(name):
            if labels.items() <= found.items():
                sums[found["probe"]] = sums.get(found["probe"], 0.0) + value
        return sums

    def buckets(self, name: str) -> dict[float, float]:
        """Return a histogram's cumulative buckets, those of all its children added up."""
        sums: dict[float, float] = {}
        for found, value in self.samples(f"{name}_bucket"):
            bound = float(found["le"])
            sums[bound] = sums.get(bound, 0.0) + value
        return sums


def quantile(before: dict[float, float], after: dict[float, float], share: float) -> float:
    """Return the quantile of what came between two readings, as `histogram_quantile` would."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    wanted = share * counts[float("inf")]
    for (low, below), (high, upto) in pairwise([(0.0, 0.0), *counts.items()]):
        if upto >= wanted and upto > below:
            return (
                low
                if high == float("inf")
                else low + (high - low) * (wanted - below) / (upto - below)
            )
    return 0.0
