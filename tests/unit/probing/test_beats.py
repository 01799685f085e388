"""Beats come when due, share their slots, burst never, and do not care what the wall clock says."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from types import SimpleNamespace

import apscheduler.schedulers.base
import pytest

from monitor.core.schedule import Schedule, stable_phase
from monitor.probing import beats as module
from monitor.probing.beats import MOST_SLOTS, Beats, slots_in
from tests.unit.net.virtual_time import now, stall

TICK = 1e-6
"""A datetime is no finer; so much may a beat be early or late by."""


@pytest.fixture
async def beats(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beats]:
    """Beats that go by the virtual clock."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=loop.time))
    beats = Beats()
    beats.start()
    yield beats
    beats.stop()
    await asyncio.sleep(0)


class Listener:
    """Takes beats down: what was due, and when it came."""

    def __init__(self) -> None:
        self.due: list[float] = []
        self.came: list[float] = []

    def __call__(self, due: float) -> None:
        """Take one beat."""
        self.due.append(due)
        self.came.append(now())


async def test_beats_come_at_every_slot_of_their_schedule(beats: Beats) -> None:
    """The first one at the first slot that is still to come."""
    heard = Listener()
    beats.subscribe(Schedule(25.0, 7.0), heard)
    await asyncio.sleep(101)
    assert heard.due == [1007.0, 1032.0, 1057.0, 1082.0]
    assert heard.came == pytest.approx(heard.due, abs=TICK)


@pytest.mark.parametrize("interval", [0.05, 0.1, 0.37, 1.1, 7.3])
async def test_due_times_are_those_of_the_schedule_to_the_last_bit(
    beats: Beats, interval: float
) -> None:
    """The scheduler's own are rounded to microseconds; the core compares exactly."""
    schedule = Schedule(interval, interval / 3)
    heard = Listener()
    beats.subscribe(schedule, heard)
    first = schedule.slot_at_or_after(now())
    await asyncio.sleep(interval * 200)
    assert heard.due == [schedule.due(first + beat) for beat in range(200)]


async def test_a_schedule_does_not_drift(beats: Beats) -> None:
    """Not in ten minutes of ten beats a second, held up a little at every one."""
    heard = Listener()

    def slow(due: float) -> None:
        heard(due)
        stall(0.03)

    schedule = Schedule(0.1, 0.05)
    beats.subscribe(schedule, slow)
    await asyncio.sleep(600)
    assert heard.due == [schedule.due(slot) for slot in range(10_010, 16_010)]
    assert heard.came == pytest.approx(heard.due, abs=TICK)


async def test_probes_with_the_same_slots_share_one_timer(beats: Beats) -> None:
    """And are called in the order in which they came."""
    order: list[int] = []
    for number in range(5):
        beats.subscribe(Schedule(10.0, 3.0), partial(lambda n, _: order.append(n), number))
    beats.subscribe(Schedule(10.0, 4.0), lambda _: order.append(99))
    assert len(beats._slots) == 2
    await asyncio.sleep(10)
    assert order == [0, 1, 2, 3, 4, 99]


async def test_a_fleet_takes_one_job_and_few_timers_however_large_it_is(beats: Beats) -> None:
    """Ten thousand probes with one interval."""
    for number in range(10_000):
        phase = stable_phase(number.to_bytes(4), 25.0, slots_in(25.0))
        beats.subscribe(Schedule(25.0, phase), Listener())
    assert len(beats._scheduler.get_jobs()) == 1
    assert len(beats._slots) == MOST_SLOTS


@pytest.mark.parametrize(
    ("interval", "slots"), [(0.005, 1), (0.05, 5), (1.0, 100), (10.0, 1000), (86_400.0, 1000)]
)
def test_an_interval_has_slots_of_ten_milliseconds_but_no_more_than_a_thousand(
    interval: float, slots: int
) -> None:
    """Always at least one."""
    assert slots_in(interval) == slots


async def test_a_winding_that_comes_late_costs_no_beat(beats: Beats) -> None:
    """Slots are wound up for longer than it takes until the next winding."""
    heard = Listener()
    beats.subscribe(Schedule(0.1, 0.05), heard)
    await asyncio.sleep(0.96)
    beats._scheduler.pause()
    await asyncio.sleep(1.0)
    beats._scheduler.resume()
    await asyncio.sleep(8.03)
    assert heard.due == pytest.approx([1001.05 + beat / 10 for beat in range(100)])
    assert heard.came == pytest.approx(heard.due, abs=TICK)


async def test_who_unsubscribes_hears_no_more_and_the_others_do(beats: Beats) -> None:
    """The slot goes with the last one."""
    stays, goes = Listener(), Listener()
    beats.subscribe(Schedule(10.0, 0.0), stays)
    end = beats.subscribe(Schedule(10.0, 0.0), goes)
    await asyncio.sleep(15)
    end()
    end()
    await asyncio.sleep(20)
    assert (len(stays.due), len(goes.due)) == (3, 1)


async def test_the_last_one_to_unsubscribe_takes_the_slot_along(beats: Beats) -> None:
    """Who comes later gets a new one."""
    heard = Listener()
    beats.subscribe(Schedule(10.0, 0.0), Listener())()
    assert beats._slots == {}
    beats.subscribe(Schedule(10.0, 0.0), heard)
    await asyncio.sleep(25)
    assert heard.due == [1010.0, 1020.0]


async def test_a_beat_may_unsubscribe_itself_and_subscribe_another(beats: Beats) -> None:
    """As a reload does, at any moment."""
    heard = Listener()

    def once(due: float) -> None:
        end()
        heard(due)
        stall(0.001)
        beats.subscribe(Schedule(10.0, 0.0), heard)

    end = beats.subscribe(Schedule(10.0, 0.0), once)
    await asyncio.sleep(35)
    assert heard.due == [1010.0, 1020.0, 1030.0]


async def test_after_a_stall_one_beat_comes_at_once_and_no_burst(beats: Beats) -> None:
    """It says which slot it is for, so that everybody can see how late it is."""
    heard = Listener()
    beats.subscribe(Schedule(10.0, 0.0), heard)
    await asyncio.sleep(15)
    stall(3600)
    await asyncio.sleep(20)
    assert heard.due == [1010.0, 1020.0, 4620.0, 4630.0]
    assert heard.came == pytest.approx([1010.0, 4616.0, 4620.0, 4630.0], abs=TICK)


async def test_a_beat_in_the_middle_of_a_stall_keeps_the_schedule(beats: Beats) -> None:
    """A beat that itself takes longer than the interval costs beats, not the phase."""
    heard = Listener()

    def heavy(due: float) -> None:
        heard(due)
        if len(heard.due) == 2:
            stall(35)

    beats.subscribe(Schedule(10.0, 0.0), heavy)
    await asyncio.sleep(80)
    assert heard.due == [1010.0, 1020.0, 1030.0, 1060.0, 1070.0, 1080.0]
    assert heard.came[2:4] == pytest.approx([1055.0, 1060.0], abs=TICK)


@pytest.mark.parametrize("step", [-86_400.0, -1.0, 1.0, 86_400.0])
async def test_a_step_of_the_wall_clock_changes_nothing(
    beats: Beats, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """The scheduler asks the wall clock; its time zone answers with the monotonic one."""

    class SetClock(datetime):
        """The wall clock after it was set."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            assert tz is not None
            wall = datetime.now(UTC) + timedelta(seconds=step)
            return tz.fromutc(wall.replace(tzinfo=tz))

    heard = Listener()
    beats.subscribe(Schedule(10.0, 0.0), heard)
    await asyncio.sleep(25)
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", SetClock)
    await asyncio.sleep(20)
    assert heard.due == [1010.0, 1020.0, 1030.0, 1040.0]
    assert heard.came == pytest.approx(heard.due, abs=TICK)


async def test_who_subscribes_before_the_start_is_heard_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is lost and nothing comes early."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=loop.time))
    beats, heard = Beats(), Listener()
    beats.subscribe(Schedule(10.0, 0.0), heard)
    await asyncio.sleep(25)
    assert heard.due == []
    beats.start()
    await asyncio.sleep(10)
    assert heard.due == [1030.0]
    beats.stop()
    await asyncio.sleep(30)
    assert heard.due == [1030.0]


async def test_stopping_what_never_started_is_harmless() -> None:
    """As when another part could not start."""
    Beats().stop()
