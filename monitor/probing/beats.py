"""Everything periodic, driven by APScheduler through few jobs: the one home of that package.

Probes whose beats fall due at the same moment share a job, so the scheduler's cost follows the
number of distinct moments, not that of probes. The scheduler only wakes; which beats are due is
decided by the core, from monotonic time.

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
from functools import partial
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

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(self._run, job, run_times[-1])

    def _run(self, job: Job, run_time: datetime) -> None:
        try:
            job.func(due=_as_monotonic(run_time))
        finally:
            self._run_job_success(job.id, [])


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
        self._slots: dict[Schedule, dict[Beat, None]] = {}

    def start(self) -> None:
        """Begin to beat, in the running loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Beat no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def subscribe(self, schedule: Schedule, beat: Beat) -> Callable[[], None]:
        """Call `beat` at every slot of `schedule`; return what ends that."""
        beats = self._slots.get(schedule)
        if beats is None:
            beats = self._slots[schedule] = {}
            self._scheduler.add_job(
                partial(_run_slot, schedule, beats),
                _SlotTrigger(schedule),
                kwargs={"due": 0.0},  # checked now; the executor puts in the real one
                id=_job_id(schedule),
            )
        beats[beat] = None
        return lambda: self._unsubscribe(schedule, beat)

    def _unsubscribe(self, schedule: Schedule, beat: Beat) -> None:
        beats = self._slots.get(schedule, {})
        beats.pop(beat, None)
        if not beats and self._slots.pop(schedule, None) is not None:
            self._scheduler.remove_job(_job_id(schedule))


def _run_slot(schedule: Schedule, beats: dict[Beat, None], due: float) -> None:
    # A datetime is rounded to microseconds; the schedule knows its own slots exactly.
    exact = schedule.due(round((due - schedule.phase) / schedule.interval))
    for beat in list(beats):
        beat(exact)


def _job_id(schedule: Schedule) -> str:
    return f"{schedule.interval!r}/{schedule.phase!r}"


SLOT_WIDTH = 0.01
"""Probes whose beats are due within so many seconds of each other share a slot."""

MOST_SLOTS = 1000
"""However long the interval, it has at most so many slots, hence so many jobs."""


def slots_in(interval: float) -> int:
    """How many due slots an interval of so many seconds is divided into."""
    return min(max(math.floor(interval / SLOT_WIDTH), 1), MOST_SLOTS)
