"""Sets everything up and runs a drill from beginning to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.course import Course, FarmTarget, sections, start_farm
from drill.itself import MISTREATED, TWINS, Watcher, stay_quiet, take
from drill.outcome import Outcome, seen_from
from drill.receiver import Receiver
from drill.scenarios import DEAD_MANS_SWITCH, LONG, MISSION, NOTHING, SHORT, Scenario
from drill.servers import Guests, Watchman, start_alertmanager, start_prometheus
from tests.integration.harness import Lab, config_of, free_ports

HEALTHY, QUIET, CLUMSY = "a healthy neighbour", "quiet run", "clumsy"
TWIN, VANTAGES = "twin", ("near", "far")


@dataclass(frozen=True, slots=True)
class Form:
    """What is done, and how fast: Prometheus' interval and the drill's times are in seconds.

    `patient` says whether there is time for what is looked for once a minute.
    """

    scenarios: Sequence[Scenario]
    interval: int
    quiet: float
    limit: float
    patient: bool


LONG_FORM = Form(LONG, interval=5, quiet=600, limit=960, patient=True)
SHORT_FORM = Form(SHORT, interval=1, quiet=20, limit=60, patient=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs during a drill."""

    form: Form
    receiver: Receiver
    prometheus: Watchman
    targets: dict[str, FarmTarget]
    crowd: Watcher
    quiet: Watcher
    clumsy: Watcher
    far: Watcher


@asynccontextmanager
async def set_stage(directory: Path, form: Form, guests: Guests) -> AsyncIterator[Stage]:
    """Start all programs, wait until every probe is up, and end them afterwards."""
    lab, receiver = Lab(directory), Receiver()
    try:
        await receiver.start()
        targets = await _start_targets(lab, form)
        watchers = await _start_watchers(lab, form, targets)
        alertmanager = await start_alertmanager(lab, receiver.port, guests)
        ports = [watcher.monitor.port for watcher in watchers]
        prometheus = await start_prometheus(lab, ports, alertmanager, form.interval, guests)
        await prometheus.sees(sum(len(watcher.config["probes"]) for watcher in watchers))
        yield Stage(form, receiver, prometheus, targets, *watchers)
    finally:
        lab.close()
        await receiver.stop()


async def _start_targets(lab: Lab, form: Form) -> dict[str, FarmTarget]:
    spoken = dict.fromkeys([HEALTHY, *_two(QUIET), *_two(CLUMSY), *VANTAGES], "ws")
    spoken |= {scenario.name: scenario.protocol for scenario in form.scenarios}
    return dict(zip(spoken, await start_farm(lab, [*spoken.values()]), strict=True))


async def _start_watchers(lab: Lab, form: Form, targets: Mapping[str, FarmTarget]) -> list[Watcher]:
    near, far = (_twin(lab, vantage, targets[vantage]) for vantage in VANTAGES)
    crowd = [near, *sections(lab, HEALTHY, targets[HEALTHY])]
    for scenario in form.scenarios:
        crowd += sections(lab, scenario.name, targets[scenario.name], scenario.probes)
    renewal = {"max_connection_age": f"{form.quiet / 5:g}s"}
    quiet, clumsy = _pair(lab, QUIET, targets, **renewal), _pair(lab, CLUMSY, targets)
    return [await _watcher(lab, probes) for probes in (crowd, quiet, clumsy, [far])]


def _two(vantage: str) -> list[str]:
    """Return the names of the two targets of a vantage."""
    return [f"{vantage} {number}" for number in (1, 2)]


def _pair(
    lab: Lab, vantage: str, targets: Mapping[str, FarmTarget], **more: str
) -> list[dict[str, Any]]:
    made = [one for name in _two(vantage) for one in sections(lab, name, targets[name])]
    return [{**section, "labels": {"vantage": vantage}, **more} for section in made]


def _twin(lab: Lab, vantage: str, target: FarmTarget) -> dict[str, Any]:
    (section,) = sections(lab, vantage, target)
    return {**section, "name": TWIN}


async def _watcher(lab: Lab, probes: list[dict[str, Any]]) -> Watcher:
    # It comes back on the same port, so that Prometheus finds it again.
    (port,) = free_ports(1)
    config = config_of(probes, web={"listen": f"127.0.0.1:{port}"})
    return Watcher(lab, await lab.monitor_from(lab.write(config)), config)


async def run(stage: Stage) -> list[Outcome]:
    """Run the mission's own fault alone first, then all the others side by side."""
    began = time.monotonic()
    course = Course(stage.receiver, began + stage.form.limit)
    async with asyncio.TaskGroup() as group:
        calm = group.create_task(stay_quiet(stage.quiet, course, stage.form.quiet, QUIET))
        outcomes = [await course.run(MISSION, stage.targets[MISSION.name])]
        side_by_side = [
            group.create_task(course.run(scenario, stage.targets[scenario.name]))
            for scenario in stage.form.scenarios
            if scenario is not MISSION
        ]
        in_turns = await _in_turns(stage, course) if stage.form.patient else []
    outcomes += [*(task.result() for task in side_by_side), *in_turns, calm.result()]
    outcomes += _everywhere(stage, began)
    # Some alerts come when their fault is long over.
    outcomes = [course.read(outcome) for outcome in outcomes]
    found = {id(episode) for outcome in outcomes for episode in outcome.episodes}
    nowhere = Outcome("nowhere", lambda one: id(one) not in found, NOTHING, NOTHING, began)
    return [*outcomes, course.read(nowhere)]


async def _in_turns(stage: Stage, course: Course) -> list[Outcome]:
    clumsy = [stage.targets[name] for name in _two(CLUMSY)]
    itself = seen_from(CLUMSY, instance=stage.clumsy.instance)
    twins = [stage.targets[vantage] for vantage in VANTAGES]
    twin = seen_from(*VANTAGES, probe=TWIN)
    found = await asyncio.gather(
        take(TWINS, stage.far, twins, course, twin),
        take(MISTREATED, stage.clumsy, clumsy, course, itself),
    )
    return [outcome for outcomes in found for outcome in outcomes]


def _everywhere(stage: Stage, began: float) -> list[Outcome]:
    """Return what is looked at when all is over: where nothing was done, and what always comes."""
    healthy = seen_from(HEALTHY, instance=stage.crowd.instance)
    switch = frozenset({DEAD_MANS_SWITCH})
    must = switch if stage.form.patient else NOTHING
    return [
        Outcome(HEALTHY, healthy, NOTHING, NOTHING, began),
        Outcome("always", lambda one: one.name in switch, must, switch, began),
    ]
