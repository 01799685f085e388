"""The fleet: all probes, each in a task of its own, so that one that breaks is restarted alone."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from monitor.config import ProbeConfig
from monitor.core.availability import Availability
from monitor.core.events import AbortReason, Crashed, Mode
from monitor.core.schedule import Schedule
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

PATH_TURNS = 150
"""The kernel's view of every path is asked for in so many turns: ten thousand at once would hold
the loop for longer than a beat may be late."""

PATHS = Schedule(interval=0.1, phase=0.0)
"""When it is somebody's turn; hence each path is looked at every 15 seconds."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Who follows one probe: takes its events, and is told when it changes or is gone."""

    sink: Sink
    change: Callable[[ProbeConfig], None]
    forget: Callable[[], None]


Observe = Callable[[ProbeConfig, Traffic, Availability], Observer]
"""Prepares whoever follows a new probe."""


@dataclass(slots=True)
class _Member:
    probe: Probe
    observer: Observer
    task: asyncio.Task[None]
    subscriptions: dict[Schedule, Callable[[], None]] = field(default_factory=dict)


class Fleet:
    """Runs one probe for each probe of the config."""

    def __init__(self, *, dialer: Dialer, gate: Gate, beats: Beats, observe: Observe) -> None:
        self._dialer = dialer
        self._gate = gate
        self._beats = beats
        self._alarms = Alarms()
        self._observe = observe
        self._members: dict[str, _Member] = {}
        # Made anew only when they change: to go through ten thousand takes time.
        self._row: list[_Member] | None = None

    @property
    def probes(self) -> Mapping[str, Probe]:
        """The probes by name."""
        return {name: member.probe for name, member in self._members.items()}

    async def apply(self, configs: Iterable[ProbeConfig]) -> None:
        """Run these probes and no others; those that did not change are not touched.

        A changed one is renewed: it goes on as it is until its new connection is usable.
        """
        wanted = {config.name: config for config in configs}
        gone = [name for name in self._members if name not in wanted]
        await self._end(gone, NORMAL_CLOSURE, AbortReason.REMOVED)
        for name, config in wanted.items():
            if self._apply(self._members.get(name), config):
                # A new probe takes up to a millisecond to set up, and others are beating.
                await asyncio.sleep(0)

    def _apply(self, member: _Member | None, config: ProbeConfig) -> bool:
        """Add or change a probe, as needed; return whether it was."""
        if member is None:
            self._add(config)
        elif member.probe.config != config:
            member.probe.change(config)
        else:
            return False
        return True

    async def stop(self) -> None:
        """End every probe with close code 1001 (going away)."""
        await self._end(list(self._members), GOING_AWAY, AbortReason.SHUTDOWN)

    @property
    def started(self) -> bool:
        """Whether every probe has tried to connect, at least once."""
        return all(member.probe.has_dialled for member in self._members.values())

    def measure_paths(self, due: float = 0.0, turns: int = 1) -> None:
        """Have those whose turn it is report the kernel's view of their paths."""
        turn = round(due / PATHS.interval) % turns
        if self._row is None:
            self._row = list(self._members.values())
        for member in self._row[turn::turns]:
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
            adopted=self._changed,
        )
        task = asyncio.create_task(_keep_running(probe, observer.sink), name=f"probe {config.name}")
        self._members[config.name] = member = _Member(probe, observer, task)
        self._row = None
        self._subscribe(member, config)

    def _subscribe(self, member: _Member, config: ProbeConfig) -> None:
        """Have a probe beat as its config says; a schedule that stays is not interrupted."""
        schedules = {plans.make_schedule(config, Mode(mode)) for mode in config.modes}
        for schedule in member.subscriptions.keys() - schedules:
            member.subscriptions.pop(schedule)()
        for schedule in schedules - member.subscriptions.keys():
            member.subscriptions[schedule] = self._beats.subscribe(schedule, member.probe.beat)

    def _changed(self, config: ProbeConfig) -> None:
        """Let a probe's changed config apply to its beats and to whoever follows it."""
        member = self._members[config.name]
        self._subscribe(member, config)
        member.observer.change(config)

    async def _end(self, names: Iterable[str], code: int, reason: AbortReason) -> None:
        members = [self._members[name] for name in names]
        for member in members:
            if not member.probe.stop(code, reason):
                member.task.cancel()
        await asyncio.gather(*(member.task for member in members), return_exceptions=True)
        for member in members:
            for unsubscribe in member.subscriptions.values():
                unsubscribe()
            member.probe.retire()
            member.observer.forget()
            del self._members[member.probe.config.name]
            self._row = None


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
