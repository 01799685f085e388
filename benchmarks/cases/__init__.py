"""The cases: what each measures, and what of it is shown."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.cases import accuracy, collector, cost, fairness, scale, scrape, soak
from benchmarks.run import Case

CASES: Mapping[str, Case] = {
    "scale": scale.CASE,
    "cost": cost.CASE,
    "accuracy": accuracy.CASE,
    "scrape": scrape.CASE,
    "fairness": fairness.CASE,
    "collector": collector.CASE,
    "soak": soak.CASE,
}
"""In the order in which they are run."""
