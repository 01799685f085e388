"""What is done to monitors: one that only its operator touches, and one that is mistreated."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drill.course import Course, FarmTarget, Outcome
from drill.scenarios import (
    ABSENT,
    AFTERMATH,
    ALL_DOWN,
    DOWN,
    MISSED,
    MONITOR_LATE,
    RELOAD,
    STALLED,
)
from tests.integration.harness import Lab, Monitor

BAD_CONFIG = "probes: [nonsense]\n"


@dataclass(slots=True)
class Watcher:
    """A monitor that is stopped and started again on the same port."""

    lab: Lab
    monitor: Monitor
    config: Mapping[str, Any]

    @property
    def instance(self) -> str:
        """The label `instance` of its series."""
        return f"127.0.0.1:{self.config['web']['listen'].rpartition(':')[2]}"

    async def stop(self) -> None:
        """Stop it as Kubernetes does."""
        self.monitor.signal(signal.SIGTERM)
        await self.monitor.wait()

    async def start(self) -> None:
        """Start it again."""
        self.monitor = await self.lab.monitor_from(self.monitor.config)

    async def reload(self) -> None:
        """Take a probe out and put it in again: its connection is closed as planned."""
        config = dict(self.config)
        await self.monitor.reload({**config, "probes": config["probes"][1:]})
        await asyncio.sleep(2)
        await self.monitor.reload(config)


async def stay_quiet(watcher: Watcher, course: Course, seconds: float, *, restart: bool) -> Outcome:
    """Watch healthy targets for so long, with a reload and perhaps a restart inside."""
    began = time.monotonic()
    outcome = Outcome("quiet", frozenset(), frozenset(), began)
    await asyncio.sleep(seconds / 4)
    await watcher.reload()
    await asyncio.sleep(seconds / 4)
    if restart:
        await watcher.stop()
        await watcher.start()
    await asyncio.sleep(max(began + seconds - time.monotonic(), 0))
    outcome.healed = time.monotonic()
    outcome.episodes = [
        *course.receiver.episodes(vantage="quiet"),
        *course.receiver.episodes(instance=watcher.instance),
    ]
    return outcome


Act = Callable[[Watcher, list[FarmTarget]], Awaitable[None]]


async def mistreat(watcher: Watcher, course: Course, targets: list[FarmTarget]) -> list[Outcome]:
    """Take a monitor's targets away, give it a bad config, stop it and stall it, in turn."""
    down = AFTERMATH | {MISSED, DOWN, STALLED}
    turns: list[tuple[str, str, frozenset[str], Act, Act]] = [
        ("all targets refuse", ALL_DOWN, down, _refuse, _heal),
        ("bad reload", RELOAD, AFTERMATH, _break_config, _mend_config),
        ("monitor stopped", ABSENT, AFTERMATH, _stop, _start),
        ("monitor stalled 12 s", MONITOR_LATE, AFTERMATH, _stall, _let_be),
    ]
    outcomes = []
    for name, alert, may, hurt, mend in turns:
        outcome = Outcome(name, frozenset({alert}), may, time.monotonic())
        await hurt(watcher, targets)
        await course.until(lambda told=outcome: not _read(watcher, course, told).missing)
        outcome.healed = time.monotonic()
        await mend(watcher, targets)
        await course.until(lambda told=outcome: _over(_read(watcher, course, told)))
        outcomes.append(outcome)
    return outcomes


def _read(watcher: Watcher, course: Course, outcome: Outcome) -> Outcome:
    told = course.receiver.episodes(instance=watcher.instance)
    outcome.episodes = [episode for episode in told if episode.told >= outcome.began]
    return outcome


def _over(outcome: Outcome) -> bool:
    return all(found.ended for found in outcome.episodes if found.name in outcome.must)


async def _refuse(_watcher: Watcher, targets: list[FarmTarget]) -> None:
    for target in targets:
        await target.put(refuse=True)
        await target.act("reset")


async def _heal(_watcher: Watcher, targets: list[FarmTarget]) -> None:
    for target in targets:
        await target.heal()


async def _break_config(watcher: Watcher, _targets: list[FarmTarget]) -> None:
    await watcher.monitor.reload(BAD_CONFIG, accepted=False)


async def _mend_config(watcher: Watcher, _targets: list[FarmTarget]) -> None:
    await watcher.monitor.reload(dict(watcher.config))


async def _stop(watcher: Watcher, _targets: list[FarmTarget]) -> None:
    await watcher.stop()


async def _start(watcher: Watcher, _targets: list[FarmTarget]) -> None:
    await watcher.start()


async def _stall(watcher: Watcher, _targets: list[FarmTarget]) -> None:
    watcher.monitor.pause()
    await asyncio.sleep(12)
    watcher.monitor.resume()


async def _let_be(_watcher: Watcher, _targets: list[FarmTarget]) -> None:
    """Nothing needs mending."""
