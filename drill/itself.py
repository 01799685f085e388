"""What is done to monitors and to all they watch: in a quiet run, and in turns."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drill.course import Course, FarmTarget
from drill.outcome import Outcome, seen_from
from drill.receiver import Episode
from drill.scenarios import (
    ABSENT,
    AFTERMATH,
    ALL_DOWN,
    DOWN,
    EVERYWHERE,
    MISSED,
    MONITOR_LATE,
    NO_TICKET,
    NOTHING,
    RELOAD,
    SOMEWHERE,
)
from tests.integration.harness import Lab, Monitor, Scrape

BAD_CONFIG = "probes: [nonsense]\n"
STALL = 12.0


@dataclass(slots=True)
class Watcher:
    """A monitor that can be stopped and started again on the same port."""

    lab: Lab
    monitor: Monitor
    config: Mapping[str, Any]

    @property
    def instance(self) -> str:
        """The label `instance` of its series."""
        return f"127.0.0.1:{self.monitor.port}"

    async def stop(self) -> None:
        """Stop it as Kubernetes does."""
        self.monitor.signal(signal.SIGTERM)
        await self.monitor.wait()

    async def start(self) -> None:
        """Start it again."""
        self.monitor = await self.lab.monitor_from(self.monitor.config)

    async def until_renewed(self) -> None:
        """Wait until each probe has replaced its connection as planned."""

        def renewed(scrape: Scrape) -> bool:
            ends = (scrape.probe(name).disconnects for name in scrape.probes)
            return all(("local", "1000") in end for end in ends)

        await self.monitor.until(renewed, what="every connection is renewed")

    async def reload(self) -> None:
        """Take a probe out and put it in again: its connection is closed as planned."""
        config = dict(self.config)
        await self.monitor.reload({**config, "probes": config["probes"][1:]})
        await asyncio.sleep(2)
        await self.monitor.reload(config)


async def stay_quiet(watcher: Watcher, course: Course, seconds: float, vantage: str) -> Outcome:
    """Watch healthy targets for so long, with two reloads, renewals and a restart inside."""
    began = time.monotonic()
    outcome = Outcome(
        vantage, seen_from(vantage, instance=watcher.instance), NOTHING, NOTHING, began
    )
    await asyncio.sleep(seconds / 4)
    await watcher.reload()
    await asyncio.sleep(seconds / 4)
    await watcher.until_renewed()
    await watcher.stop()
    await watcher.start()
    await asyncio.sleep(max(began + seconds - time.monotonic(), 0))
    outcome.healed = time.monotonic()
    return course.read(outcome)


Act = Callable[[Watcher, Sequence[FarmTarget]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Turn:
    """Something done to a monitor or to all of its targets, until the alert has come."""

    name: str
    must: str
    may: frozenset[str]
    hurt: Act
    mend: Act


async def take(
    turns: Sequence[Turn],
    watcher: Watcher,
    targets: Sequence[FarmTarget],
    course: Course,
    concerns: Callable[[Episode], bool],
) -> list[Outcome]:
    """Do one thing after the other to a monitor and its targets, each until its alert has come."""
    outcomes: list[Outcome] = []
    for turn in turns:
        must = frozenset({turn.must})
        outcome = Outcome(turn.name, concerns, must, turn.may, time.monotonic())
        if outcomes:
            outcomes[-1].until = outcome.began
        await turn.hurt(watcher, targets)
        await course.until_told(outcome)
        outcome.healed = time.monotonic()
        await turn.mend(watcher, targets)
        await course.until_ended(outcome)
        outcomes.append(outcome)
    return outcomes


async def _refuse(_watcher: Watcher, targets: Sequence[FarmTarget]) -> None:
    for target in targets:
        await target.put(refuse=True)
        await target.act("reset")


async def _refuse_first(watcher: Watcher, targets: Sequence[FarmTarget]) -> None:
    await _refuse(watcher, targets[:1])


async def _heal(_watcher: Watcher, targets: Sequence[FarmTarget]) -> None:
    for target in targets:
        await target.heal()


async def _break_config(watcher: Watcher, _targets: Sequence[FarmTarget]) -> None:
    await watcher.monitor.reload(BAD_CONFIG, accepted=False)


async def _mend_config(watcher: Watcher, _targets: Sequence[FarmTarget]) -> None:
    await watcher.monitor.reload(dict(watcher.config))


async def _stop(watcher: Watcher, _targets: Sequence[FarmTarget]) -> None:
    await watcher.stop()


async def _start(watcher: Watcher, _targets: Sequence[FarmTarget]) -> None:
    await watcher.start()


async def _stall(watcher: Watcher, _targets: Sequence[FarmTarget]) -> None:
    watcher.monitor.pause()
    await asyncio.sleep(STALL)
    watcher.monitor.resume()


async def _let_be(_watcher: Watcher, _targets: Sequence[FarmTarget]) -> None:
    """Nothing needs mending."""


MISTREATED = (
    Turn("all targets refuse", ALL_DOWN, AFTERMATH | NO_TICKET | {MISSED, DOWN}, _refuse, _heal),
    Turn("bad reload", RELOAD, AFTERMATH, _break_config, _mend_config),
    Turn("monitor stopped", ABSENT, AFTERMATH, _stop, _start),
    Turn(f"monitor stalled {STALL:.0f} s", MONITOR_LATE, AFTERMATH, _stall, _let_be),
)

TWINS = (
    Turn("down at one of two", SOMEWHERE, AFTERMATH | NO_TICKET | {DOWN}, _refuse_first, _heal),
    Turn("down at both", EVERYWHERE, AFTERMATH | NO_TICKET | {DOWN, SOMEWHERE}, _refuse, _heal),
)
"""For two monitors that watch the same probe, each at its vantage and with its target."""
