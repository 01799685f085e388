"""Run every case there is, print what it found, and write it to `build/bench/results.json`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import accuracy, cost, memory, processes

RESULTS = Path("build/bench/results.json")

Figures = dict[str, float]


def run_accuracy(folder: Path, *, scrape: bool) -> Figures:
    """Case 1: errors against a packet capture, in microseconds."""
    probes = 1000 if scrape else 200
    ours, usual = accuracy.measure(folder, probes=probes, beats=200, seconds=8, scrape=scrape)
    return {
        "median_us": ours.median * 1e6,
        "p99_us": ours.p99 * 1e6,
        "usual_p99_us": usual.p99 * 1e6,
        "matched": len(ours.values),
        "unmatched": ours.unmatched,
    }


def run_cost(folder: Path, *, connections: int) -> Figures:
    """Case 2: CPU microseconds per beat, scraped once in the window."""
    costs = cost.measure(folder, cost.Load(connections, 1.0, 15.0), rounds=1)
    figures = {f"{name}_us": seconds * 1e6 for name, seconds in costs.items()}
    return figures | {"ours_to_floor": costs["ours"] / costs["floor"]}


CASES: dict[str, Callable[[Path], Figures]] = {
    "accuracy": lambda folder: run_accuracy(folder, scrape=False),
    "accuracy-scraped": lambda folder: run_accuracy(folder, scrape=True),
    "memory": lambda folder: {"kib_per_probe": memory.per_probe(folder, 2000) / 1024},
    "cost-1000": lambda folder: run_cost(folder, connections=1000),
    "cost-5000": lambda folder: run_cost(folder, connections=5000),
}


def main() -> None:
    """Run the cases named, or all."""
    processes.raise_file_limit()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            figures = CASES[name](Path(folder)) | {"load_average": processes.load()}
        results[name] = figures
        shown = "  ".join(f"{key} {value:.1f}" for key, value in figures.items())
        sys.stdout.write(f"{name:18}{shown}\n")
        sys.stdout.flush()
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
