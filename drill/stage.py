"""Sets everything up and runs a drill from beginning to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.course import Course, FarmTarget, Outcome, sections, start_farm, watched
from drill.itself import Watcher, mistreat, stay_quiet
from drill.receiver import Receiver
from drill.scenarios import LONG, MISSION, SHORT, Scenario
from drill.servers import Alertmanager, Prometheus, start_alertmanager, start_prometheus
from tests.integration.harness import Lab, config_of, free_ports


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs during a drill. `interval` is Prometheus', in seconds."""

    lab: Lab
    receiver: Receiver
    alertmanager: Alertmanager
    prometheus: Prometheus
    targets: dict[str, FarmTarget]
    quiet: Watcher
    clumsy: Watcher | None
    interval: int

    def course(self, limit: float) -> Course:
        """Return a course that ends after so many seconds."""
        return Course(self.receiver, time.monotonic() + limit)


@asynccontextmanager
async def set_stage(
    directory: Path, scenarios: tuple[Scenario, ...], interval: int, *, clumsy: bool
) -> AsyncIterator[Stage]:
    """Start all programs, wait until every probe is up, and end them afterwards."""
    lab, receiver = Lab(directory), Receiver()
    try:
        await receiver.start()
        plain = ["quiet-1", "quiet-2", "control", "clumsy-1", "clumsy-2"]
        names = [*plain, *(scenario.name for scenario in scenarios)]
        targets = dict(zip(names, await start_farm(lab, len(names)), strict=True))
        probes = sections(lab, "control", targets["control"])
        for scenario in scenarios:
            probes += sections(lab, scenario.name, targets[scenario.name], scenario.probes)
        await _watcher(lab, probes)
        quiet = await _watcher(lab, _pair(lab, "quiet", targets))
        mistreated = await _watcher(lab, _pair(lab, "clumsy", targets)) if clumsy else None
        monitors = [program.port for program in lab.programs if hasattr(program, "port")]
        alertmanager = await start_alertmanager(lab, receiver.port)
        prometheus = await start_prometheus(lab, monitors, alertmanager, interval)
        await watched(prometheus, len(probes) + 2 + 2 * clumsy)
        yield Stage(lab, receiver, alertmanager, prometheus, targets, quiet, mistreated, interval)
    finally:
        lab.close()
        await receiver.stop()


def _pair(lab: Lab, name: str, targets: dict[str, FarmTarget]) -> list[dict[str, Any]]:
    first, second = (
        sections(lab, f"{name}-{number}", targets[f"{name}-{number}"])[0] for number in (1, 2)
    )
    for section in (first, second):
        section["labels"] = {"vantage": name}
    return [first, second]


async def _watcher(lab: Lab, probes: list[dict[str, Any]]) -> Watcher:
    (port,) = free_ports(1)
    web = {"listen": f"127.0.0.1:{port}"}
    config = config_of(probes, web=web)
    return Watcher(lab, await lab.monitor_from(lab.write(config)), config)


async def run_long(stage: Stage, quiet: float, limit: float) -> list[Outcome]:
    """Run everything: the mission's alert alone first, then all faults side by side.

    `quiet` is how long the quiet run lasts, `limit` when nothing more is waited for, in seconds.
    """
    course = stage.course(limit)
    calm = asyncio.create_task(stay_quiet(stage.quiet, course, quiet, restart=True))
    others = [scenario for scenario in LONG if scenario is not MISSION]
    tasks = [asyncio.create_task(course.run(MISSION, stage.targets[MISSION.name]))]
    await course.until(
        lambda: any(e.ended for e in stage.receiver.episodes(alertname="WsMonitorEchoMissed"))
    )
    for scenario in others:
        tasks.append(asyncio.create_task(course.run(scenario, stage.targets[scenario.name])))
        await asyncio.sleep(1)
    if stage.clumsy is None:
        raise ValueError("the long form needs a monitor to mistreat")
    victims = [stage.targets["clumsy-1"], stage.targets["clumsy-2"]]
    itself = await mistreat(stage.clumsy, course, victims)
    return [*[await task for task in tasks], *itself, await calm]


async def run_short(stage: Stage, limit: float = 80) -> list[Outcome]:
    """Run a few faults side by side."""
    course = stage.course(limit)
    return list(
        await asyncio.gather(
            *(course.run(scenario, stage.targets[scenario.name]) for scenario in SHORT),
            stay_quiet(stage.quiet, course, 20, restart=False),
        )
    )
