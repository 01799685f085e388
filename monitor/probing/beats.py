"""Everything periodic, driven by APScheduler through one job: the one home of that package.

Probes whose beats fall due at the same moment share a slot. Once a second the scheduler's job winds
the slots up: each whose next moment is near gets a timer of the loop, which costs a tenth of a job.
Both only wake; which beats are due is decided by the core, from monotonic time.

APScheduler lives by the wall clock, which may be set at any time. It is given a time zone in which
the time of day *is* the monotonic clock, so a step of the wall clock cannot reach it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor.core.schedule import Schedule

Beat = Callable[[float], None]
"""Is called with the monotonic second at which it was due. Must not raise."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _MonotonicZone(tzinfo):
    """A time zone whose clock is `time.monotonic`, counted from 1970."""

    def utcoffset(self, dt: datetime | None, /) -> timedelta:  # noqa: ARG002
        return timedelta(0)

    def dst(self, dt: datetime | None, /) -> timedelta:  # noqa: ARG002
        return timedelta(0)

    def tzname(self, dt: datetime | None, /) -> str:  # noqa: ARG002
        return "monotonic"

    def fromutc(self, dt: datetime, /) -> datetime:  # noqa: ARG002 - the wall clock's idea
        return _as_datetime(time.monotonic())


_ZONE = _MonotonicZone()


def _as_datetime(monotonic: float) -> datetime:
    return _EPOCH.replace(tzinfo=_ZONE) + timedelta(seconds=monotonic)


def _as_monotonic(when: datetime) -> float:
    return (when - _EPOCH.replace(tzinfo=_ZONE)).total_seconds()


class _SlotTrigger(BaseTrigger):  # type: ignore[misc] # the package ships no types
    """Fires at every slot of a schedule that is still to come; what is past is past."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        after = _as_monotonic(now)
        slot = self._schedule.slot_at_or_after(after)
        # A microsecond is as fine as a datetime goes.
        if previous is not None and self._schedule.due(slot) - after < 1e-6:
            slot += 1
        return _as_datetime(self._schedule.due(slot))


class _LoopExecutor(BaseExecutor):  # type: ignore[misc] # the package ships no types
    """Runs a job in the loop itself, in its next turn: no thread, no task."""

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:  # noqa: ARG002
        loop = asyncio.get_running_loop()
        loop.call_soon(self._run, job)

    def _run(self, job: Job) -> None:
        try:
            job.func()
        finally:
            self._run_job_success(job.id, [])


WINDING = Schedule(interval=1.0, phase=0.0)

AHEAD = 2.0
"""Seconds for which the slots are wound up: a winding may be late by half of it."""


class _Slot:
    """Those who beat at the same moments, and the loop's timer for the next one."""

    __slots__ = ("_due", "_schedule", "_timer", "_wound_until", "beats")

    def __init__(self, schedule: Schedule, wound_until: Callable[[], float]) -> None:
        self.beats: dict[Beat, None] = {}
        self._schedule = schedule
        self._wound_until = wound_until
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Beat from now on."""
        self._due = self._schedule.due(self._schedule.slot_at_or_after(time.monotonic()))
        self.wind()

    def wind(self) -> None:
        """Have a timer if the next moment is near."""
        if self._timer is None and self._due < self._wound_until():
            self._timer = asyncio.get_running_loop().call_at(self._due, self._run)

    def release(self) -> None:
        """Have no timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        due = self._due
        # What is past is past: after a stall there is one beat, and no burst. Wound up first, so
        # that a beat may unsubscribe.
        following = self._schedule.slot_after(max(due, time.monotonic()))
        self._due = self._schedule.due(following)
        self._timer = None
        self.wind()
        for beat in list(self.beats):
            beat(due)


class Beats:
    """Wakes its subscribers at the slots of their schedules."""

    def __init__(self) -> None:
        # A line for every run is no use to anybody.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler: Any = AsyncIOScheduler(
            timezone=_ZONE,
            executors={"default": _LoopExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1000},
        )
        self._scheduler.add_job(self._wind, _SlotTrigger(WINDING))
        self._slots: dict[Schedule, _Slot] = {}
        self._wound_until = -math.inf

    def start(self) -> None:
        """Begin to beat, in the running loop."""
        self._scheduler.start()
        self._wound_until = time.monotonic() + AHEAD
        for slot in self._slots.values():
            slot.begin()

    def stop(self) -> None:
        """Beat no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        self._wound_until = -math.inf
        for slot in self._slots.values():
            slot.release()

    def subscribe(self, schedule: Schedule, beat: Beat) -> Callable[[], None]:
        """Call `beat` at every slot of `schedule`; return what ends that."""
        slot = self._slots.get(schedule)
        if slot is None:
            slot = self._slots[schedule] = _Slot(schedule, lambda: self._wound_until)
            if self._scheduler.running:
                slot.begin()
        slot.beats[beat] = None
        return lambda: self._unsubscribe(schedule, beat)

    def _unsubscribe(self, schedule: Schedule, beat: Beat) -> None:
        slot = self._slots.get(schedule)
        if slot is None:
            return
        slot.beats.pop(beat, None)
        if not slot.beats:
            slot.release()
            del self._slots[schedule]

    def _wind(self) -> None:
        self._wound_until = time.monotonic() + AHEAD
        for slot in self._slots.values():
            slot.wind()


SLOT_WIDTH = 0.01
"""Probes whose beats are due within so many seconds of each other share a slot."""

MOST_SLOTS = 1000
"""However long the interval, it has at most so many slots."""


def slots_in(interval: float) -> int:
    """How many due slots an interval of so many seconds is divided into."""
    return min(max(math.floor(interval / SLOT_WIDTH), 1), MOST_SLOTS)
