"""The fleet: all probes, each in a task of its own, so that one that breaks is restarted alone."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from monitor.config import ProbeConfig
from monitor.core.availability import Availability
from monitor.core.events import AbortReason, Crashed, Mode
from monitor.core.traffic import Traffic
from monitor.net.dial import Dialer
from monitor.probing import plans
from monitor.probing.alarms import Alarms
from monitor.probing.beats import Beats
from monitor.probing.gate import Gate
from monitor.probing.probe import Probe, Sink

GOING_AWAY = 1001
NORMAL_CLOSURE = 1000

RESTART_DELAY = 5.0
"""Seconds before a probe is restarted that died of a bug."""

PATH_INTERVAL = 15.0
"""Seconds between two looks at the kernel's view of every path."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Who follows one probe: takes its events, and may be told that it is gone."""

    sink: Sink
    forget: Callable[[], None]


Observe = Callable[[ProbeConfig, Traffic, Availability], Observer]
"""Prepares whoever follows a new probe."""


@dataclass(slots=True)
class _Member:
    probe: Probe
    observer: Observer
    task: asyncio.Task[None]
    unsubscribe: list[Callable[[], None]] = field(default_factory=list)


class Fleet:
    """Runs one probe for each probe of the config."""

    def __init__(self, *, dialer: Dialer, gate: Gate, beats: Beats, observe: Observe) -> None:
        self._dialer = dialer
        self._gate = gate
        self._beats = beats
        self._alarms = Alarms()
        self._observe = observe
        self._members: dict[str, _Member] = {}

    @property
    def probes(self) -> Mapping[str, Probe]:
        """The probes by name."""
        return {name: member.probe for name, member in self._members.items()}

    async def apply(self, configs: Iterable[ProbeConfig]) -> None:
        """Run these probes and no others; those that did not change are not touched."""
        wanted = {config.name: config for config in configs}
        ended = [
            name
            for name, member in self._members.items()
            if wanted.get(name) != member.probe.config
        ]
        await self._end(ended, NORMAL_CLOSURE, AbortReason.REMOVED)
        for name, config in wanted.items():
            if name not in self._members:
                self._add(config)
                # A new probe takes up to a millisecond to set up, and others are beating.
                await asyncio.sleep(0)

    async def stop(self) -> None:
        """End every probe with close code 1001 (going away)."""
        await self._end(list(self._members), GOING_AWAY, AbortReason.SHUTDOWN)

    def measure_paths(self) -> None:
        """Have every probe report the kernel's view of its path."""
        for member in self._members.values():
            member.probe.measure_path()

    def _add(self, config: ProbeConfig) -> None:
        traffic = Traffic()
        availability = Availability()
        observer = self._observe(config, traffic, availability)
        probe = Probe(
            config,
            dialer=self._dialer,
            gate=self._gate,
            alarms=self._alarms,
            sink=observer.sink,
            traffic=traffic,
            availability=availability,
        )
        task = asyncio.create_task(_keep_running(probe, observer.sink), name=f"probe {config.name}")
        schedules = {plans.make_schedule(config, Mode(mode)) for mode in config.modes}
        unsubscribe = [self._beats.subscribe(schedule, probe.beat) for schedule in schedules]
        self._members[config.name] = _Member(probe, observer, task, unsubscribe)

    async def _end(self, names: Iterable[str], code: int, reason: AbortReason) -> None:
        members = [self._members[name] for name in names]
        for member in members:
            if not member.probe.stop(code, reason):
                member.task.cancel()
        await asyncio.gather(*(member.task for member in members), return_exceptions=True)
        for member in members:
            for unsubscribe in member.unsubscribe:
                unsubscribe()
            member.probe.retire()
            member.observer.forget()
            del self._members[member.probe.config.name]


async def _keep_running(probe: Probe, sink: Sink) -> None:
    """Run a probe; when it dies of a bug, say so and run it again."""
    while True:
        try:
            return await probe.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other probes go on
            sink(Crashed(asyncio.get_running_loop().time(), _where(error)))
            await asyncio.sleep(RESTART_DELAY)


def _where(error: Exception) -> str:
    """Name a bug by its kind and place; its text may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
