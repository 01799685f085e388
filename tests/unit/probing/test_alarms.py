"""Alarms ring when asked or a little later, never earlier, and share the loop's timers."""

import asyncio

from monitor.probing.alarms import GRAIN, Alarms
from tests.unit.net.virtual_time import VirtualLoop, now, stall


class Bell:
    """Takes down what was asked for, and when it rang."""

    def __init__(self) -> None:
        self.rang: list[tuple[float, float]] = []

    def __call__(self, when: float) -> None:
        """Ring."""
        self.rang.append((when, now()))


async def test_an_alarm_rings_once_and_no_more_than_a_grain_late() -> None:
    """Whatever the moment."""
    alarms, bell = Alarms(), Bell()
    asked = [now() + 0.0137 * number for number in range(1000)]
    for when in asked:
        alarms.set(when, bell)
    await asyncio.sleep(60)
    assert sorted(when for when, _ in bell.rang) == asked
    assert all(-1e-9 <= at - when <= GRAIN + 1e-9 for when, at in bell.rang)


async def test_alarms_for_one_moment_share_a_timer() -> None:
    """Ten thousand probes that beat once a second take twenty."""
    alarms, bell = Alarms(), Bell()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    before = len(loop._scheduled)  # type: ignore[attr-defined] # asyncio tells nobody
    for number in range(10_000):
        alarms.set(now() + 1.0 + number / 10_000, bell)
    assert len(loop._scheduled) - before <= 1.0 / GRAIN + 1  # type: ignore[attr-defined] # same
    await asyncio.sleep(3)
    assert len(bell.rang) == 10_000


async def test_an_alarm_for_a_moment_that_is_past_rings_at_once() -> None:
    """As after a stall."""
    alarms, bell = Alarms(), Bell()
    when = now()
    stall(60)
    alarms.set(when, bell)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bell.rang == [(when, when + 60)]


async def test_whoever_is_rung_may_set_another_alarm() -> None:
    """Even for the same moment."""
    alarms, bell = Alarms(), Bell()

    def again(when: float) -> None:
        alarms.set(when, bell)

    alarms.set(now() + 1.0, again)
    await asyncio.sleep(2)
    assert len(bell.rang) == 1
