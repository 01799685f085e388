"""Pauses of the garbage collector: as the program sets it, and as Python would leave it.

Two monitors with the same fleet run one after the other, several rounds in turn. Each notes every
pause of its collector and every long hold of its loop: while its probes connect, and once all are
up.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.run import Case, Figures, Found, Goal, Part, Run, Table

PROBES = 3000
INTERVAL = 3.0
SCRAPE_EVERY = 5.0

KINDS = {"ours": "gc,holds", "plain": "gc,holds,plain-gc"}

TIMES = {"start": "at the start", "rest": "once all are up"}

OLDEST = 2
"""The generation whose collection looks at everything there is."""


def watch(folder: Path, kinds: str, probes: int, seconds: float) -> Figures:
    """Run one monitor, scraped now and then; return its pauses and holds."""
    notes = folder / "notes.json"
    with processes.echo_server() as server:
        fleet = processes.Fleet(server.port, probes, INTERVAL, connects=1000, addresses=1)
        with processes.monitor(folder, fleet.config(), observe=(str(notes), kinds)) as monitor:
            server.wait_until_open(probes)
            monitor.wait_until_up(probes)
            time.sleep(INTERVAL / 3)
            began = time.monotonic()
            while (left := began + seconds - time.monotonic()) > 0:
                time.sleep(min(SCRAPE_EVERY, left))
                monitor.fetch()
            ended = time.monotonic()
    found = json.loads(notes.read_text())
    return {
        "start": within(found, 0.0, began),
        "rest": within(found, began, ended) | {"seconds": ended - began},
    }


def within(notes: dict[str, list[list[float]]], begin: float, end: float) -> dict[str, float]:
    """Return what was noted between two times."""
    pauses = [row for row in notes["gc"] if begin < row[0] < end]
    holds = [row for row in notes["holds"] if begin < row[0] < end]
    return {
        "pauses": len(pauses),
        "full": sum(generation == OLDEST for _, _, generation in pauses),
        "together_ms": sum(took for _, took, _ in pauses) * 1000,
        "longest_ms": max((took for _, took, _ in pauses), default=0.0) * 1000,
        "longest_hold_ms": max((took for _, took, _ in holds), default=0.0) * 1000,
    }


def worst(found: list[Figures]) -> Figures:
    """Return the worst of each figure over the rounds."""
    return {
        time: {key: max(each[time][key] for each in found) for key in found[0][time]}
        for time in TIMES
    }


def part(run: Run) -> Figures:
    """Measure both; the worst of each over the rounds is kept."""
    probes, seconds = int(run.size(PROBES, PROBES / 10)), run.size(10.0, 6.0)
    rounds: dict[str, list[Figures]] = {kind: [] for kind in KINDS}
    for number in range(int(run.size(2, 1))):
        for kind, found in rounds.items():
            found.append(watch(run.folder, KINDS[kind], probes, seconds))
            longest = found[-1]["start"]["longest_ms"]
            run.tell(f"round {number + 1}: {kind}, longest pause of the start {longest:.1f} ms")
    return {"probes": probes, "kinds": {kind: worst(found) for kind, found in rounds.items()}}


PARTS = {"collector": Part(part)}

NAMES = {"ours": "as we set it", "plain": "as Python sets it"}


def tables(found: Found) -> list[Table]:
    """Return the pauses."""
    figures = found["collector"]
    return [
        Table(
            ("the collector", "full", "longest", "all together", "longest hold"),
            [
                (
                    f"{NAMES[kind]}, {TIMES[time]}",
                    f"{of[time]['full']}",
                    f"{of[time]['longest_ms']:.1f} ms",
                    f"{of[time]['together_ms']:,.0f} ms",
                    f"{of[time]['longest_hold_ms']:.1f} ms",
                )
                for time in TIMES
                for kind, of in figures["kinds"].items()
            ],
        )
    ]


def goals(_: Found) -> list[Goal]:
    """There was none; the figures are there to be looked at."""
    return []


CASE = Case("Pauses of the garbage collector", PARTS, tables, goals)
