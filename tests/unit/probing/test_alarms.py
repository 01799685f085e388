"""Alarms ring when asked or a little later, never earlier, and share the loop's timers."""

import asyncio
import math

from monitor.probing.alarms import GRAIN, Alarms
from tests.unit.net.virtual_time import VirtualLoop, now, stall


class Bell:
    """Takes down the moments that it was told, and when it rang."""

    def __init__(self) -> None:
        self.rang: list[tuple[float, float]] = []

    def __call__(self, moment: float) -> None:
        """Ring."""
        self.rang.append((moment, now()))


async def test_an_alarm_rings_once_and_no_more_than_a_grain_late() -> None:
    """Whatever the moment."""
    alarms, bell = Alarms(), Bell()
    first = math.ceil(now() / GRAIN) + 1
    just_after = [math.nextafter(number * GRAIN, math.inf) for number in range(first, first + 999)]
    asked = sorted([*just_after, *(now() + 0.0137 * number for number in range(1000))])
    for when in asked:
        alarms.set(when, bell)
    await asyncio.sleep(60)
    rang = sorted(bell.rang)
    for when, (moment, at) in zip(asked, rang, strict=True):
        assert when <= moment <= when + GRAIN + 1e-9
        assert abs(at - moment) <= 1e-9


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
    ((moment, at),) = bell.rang
    assert when <= moment <= when + GRAIN
    assert at == when + 60


async def test_whoever_is_rung_may_set_another_alarm() -> None:
    """Even for the same moment."""
    alarms, bell = Alarms(), Bell()

    def again(when: float) -> None:
        alarms.set(when, bell)

    alarms.set(now() + 1.0, again)
    await asyncio.sleep(2)
    assert len(bell.rang) == 1
