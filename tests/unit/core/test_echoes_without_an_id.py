"""Whole scenarios without ids: every RTT that is told is true, and enough of them are told.

That each RTT is true is checked by `tests.unit.core.world`, which knows which heartbeat every echo
answers. Here it is seen to, scenario by scenario, that something is told at all, and how much.
"""

from __future__ import annotations

import random
from itertools import groupby

import pytest

from monitor.core.events import Echoed, Indistinct, Late, Missed, Unsolicited
from monitor.core.unnumbered import BURST_MEMORY
from tests.unit.core.peer import always, every
from tests.unit.core.world import World

INTERVAL = 2.0


def connected(timeout: float = 0.9, delay: float = 0.05, **habits: bool) -> World:
    """A world without ids in which a connection was just made; times are in intervals."""
    world = World(numbered=False, interval=INTERVAL, timeout=timeout * INTERVAL, **habits)
    world.peer.delay = delay * INTERVAL
    world.open()
    return world


def longest_silence(world: World) -> int:
    """Count the longest row of heartbeats that were answered in time but not said to be echoed."""
    rows = groupby(beat.answered_in_time and not beat.echoed for beat in world.beats)
    return max((len(list(row)) for silent, row in rows if silent), default=0)


def approximately(seconds: list[float], intervals: float) -> bool:
    """Whether all these are so many intervals."""
    return seconds == [pytest.approx(intervals * INTERVAL)] * len(seconds)


class TestAPeerThatSwallowsEveryNthFrame:
    """A heartbeat of it was received and never answered."""

    @pytest.mark.parametrize(
        ("n", "first"), [(n, first) for n in range(2, 8) for first in range(n)]
    )
    def test_hardly_any_heartbeat_that_was_answered_goes_untold(self, n: int, first: int) -> None:
        world = connected()
        world.peer.swallows = every(n, first)
        world.run(300 * INTERVAL)
        assert world.seen[Echoed] >= 100
        assert world.seen[Missed] >= 10
        assert longest_silence(world) <= 2
        assert approximately(world.rtts, 0.05)

    def test_of_all_frames_nothing_is_ever_echoed(self) -> None:
        world = connected()
        world.peer.swallows = always
        world.run(300 * INTERVAL)
        assert world.seen[Missed] >= 280
        assert not world.seen[Echoed]
        assert not world.rtts + world.late_rtts

    def test_of_all_frames_a_new_connection_is_asked_for_now_and_then(self) -> None:
        world = connected()
        world.peer.swallows = always
        world.run((3 * (BURST_MEMORY + 1) + 5) * INTERVAL)
        assert world.seen[Indistinct] == 3


class TestAPeerThatSwallowsAtRandom:
    """Whatever share of the frames."""

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
    def test_what_is_told_is_true_and_most_of_it_is_told(self, rate: float, seed: int) -> None:
        chance = random.Random(seed)
        world = connected()
        world.peer.swallows = lambda _: chance.random() < rate
        world.run(300 * INTERVAL)
        answered = sum(beat.answered_in_time for beat in world.beats)
        assert world.seen[Echoed] >= answered * (1 - rate) * 0.9
        assert approximately(world.rtts, 0.05)


class TestAPeerThatFreezes:
    """It answers all that it was asked meanwhile at once, as soon as it goes on."""

    @pytest.mark.parametrize("frozen", [0.5, 1.0, 1.2, 2.0, 3.7, 5.0, 8.4, 12.0, 25.0])
    def test_every_beat_that_waited_for_it_gets_its_true_rtt(self, frozen: float) -> None:
        world = connected()
        world.run(10.5 * INTERVAL)
        for _ in range(3):
            world.peer.frozen = True
            world.run(frozen * INTERVAL)
            world.peer.thaw(world.now)
            world.run(10.5 * INTERVAL)
        assert world.seen[Missed] == world.seen[Late] == len(world.late_rtts)
        assert all(beat.rtt_reported for beat in world.beats[:-1])
        assert not world.seen[Indistinct]

    def test_for_very_long_a_new_connection_is_asked_for(self) -> None:
        world = connected()
        world.peer.frozen = True
        world.run((BURST_MEMORY + 5) * INTERVAL)
        assert world.seen[Indistinct] == 1

    @pytest.mark.parametrize("seed", range(3))
    def test_and_swallows_what_is_told_is_true(self, seed: int) -> None:
        chance = random.Random(seed)
        world = connected()
        world.peer.swallows = lambda _: chance.random() < 0.1
        for _ in range(20):
            world.peer.frozen = True
            world.run(chance.uniform(0.1, 6.0) * INTERVAL)
            world.peer.thaw(world.now)
            world.run(chance.uniform(0.1, 12.0) * INTERVAL)
        assert len(world.rtts) >= 20
        assert world.seen[Late]


class TestAPeerThatIsSlow:
    """Each echo takes the same time, less than the timeout or far more than the interval."""

    TIMEOUTS = (0.3, 0.9, 1.0)

    @pytest.mark.parametrize("timeout", TIMEOUTS)
    @pytest.mark.parametrize("delay", [0.0, 0.1, 0.299])
    def test_below_the_timeout_every_heartbeat_is_echoed(
        self, delay: float, timeout: float
    ) -> None:
        world = connected(timeout, delay)
        world.run(100 * INTERVAL)
        assert world.seen[Echoed] == len(world.rtts) >= 98
        assert approximately(world.rtts, delay)
        assert not world.seen[Missed]

    @pytest.mark.parametrize(("timeout", "delay"), [(0.9, 0.899), (1.0, 0.9), (1.0, 0.999)])
    def test_just_below_the_timeout_too(self, timeout: float, delay: float) -> None:
        self.test_below_the_timeout_every_heartbeat_is_echoed(delay, timeout)

    @pytest.mark.parametrize(
        ("timeout", "delay"), [(0.3, 0.3), (0.3, 0.301), (0.3, 0.999), (0.9, 0.9), (0.9, 0.999)]
    )
    def test_between_timeout_and_interval_every_heartbeat_is_late(
        self, timeout: float, delay: float
    ) -> None:
        world = connected(timeout, delay)
        world.run(100 * INTERVAL)
        assert world.seen[Missed] == len(world.late_rtts) >= 98
        assert approximately(world.late_rtts, delay)

    @pytest.mark.parametrize("timeout", TIMEOUTS)
    @pytest.mark.parametrize("delay", [1.0, 1.001, 1.3, 1.5, 1.999, 2.0, 2.5, 3.0, 4.2, 4.999, 5.0])
    def test_beyond_the_interval_late_heartbeats_have_their_true_rtt(
        self, delay: float, timeout: float
    ) -> None:
        world = connected(timeout, delay)
        world.run(100 * INTERVAL)
        assert not world.seen[Echoed]
        assert world.seen[Missed] >= 50
        assert len(world.late_rtts) >= world.seen[Missed] - 6
        assert approximately(world.late_rtts, delay)
        assert not world.seen[Indistinct]


class TestAPeerThatAnswersTwice:
    """It is found out by its first second answer; then it may do what it likes."""

    @pytest.mark.parametrize("gap", [0.0, 0.1, 0.24])
    def test_while_all_is_well_every_heartbeat_is_echoed_once(self, gap: float) -> None:
        world = connected()
        world.peer.doubles = always
        world.peer.gap = gap * INTERVAL
        world.run(100 * INTERVAL)
        assert world.seen[Echoed] == len(world.rtts) >= 98
        assert world.seen[Unsolicited] >= 98
        assert approximately(world.rtts, 0.05)

    @pytest.mark.parametrize("timeout", TestAPeerThatIsSlow.TIMEOUTS)
    @pytest.mark.parametrize("delay", [1.001, 1.3, 1.5, 1.999, 2.5, 4.2])
    def test_and_slow_from_the_first_it_is_believed_only_until_found_out(
        self, delay: float, timeout: float
    ) -> None:
        world = connected(timeout, delay, forgiving=True)
        world.peer.doubles = always
        while world.core.books.unsolicited == 0:
            world.run(INTERVAL)
        # At most two heartbeats, each said to be echoed or late, and with an RTT.
        assert world.untrue <= 4
        believed = world.untrue
        world.run(300 * INTERVAL)
        assert world.untrue == believed
        assert world.seen[Indistinct] >= 30

    @pytest.mark.parametrize("seed", range(5))
    def test_in_any_trouble_what_is_told_is_true(self, seed: int) -> None:
        chance = random.Random(seed)
        world = connected()
        world.peer.doubles = always
        world.run(2 * INTERVAL)
        assert world.seen[Unsolicited]
        world.peer.doubles = lambda _: chance.random() < 0.5
        world.peer.swallows = lambda _: chance.random() < 0.2
        for _ in range(30):
            world.peer.frozen = chance.random() < 0.5
            world.peer.delay = chance.choice([0.05, 0.05, 0.95, 1.5]) * INTERVAL
            world.peer.gap = chance.choice([0.0, 0.2]) * INTERVAL
            world.run(chance.uniform(0.1, 6.0) * INTERVAL)
            world.peer.thaw(world.now)
            world.run(chance.uniform(0.1, 6.0) * INTERVAL)
        assert len(world.rtts) >= 20


class TestAPeerThatRestarts:
    """With its connections it loses what it was asked."""

    @pytest.mark.parametrize("seed", range(3))
    def test_what_is_told_is_true_and_nothing_stays_in_flight(self, seed: int) -> None:
        chance = random.Random(seed)
        world = connected()
        for _ in range(50):
            world.peer.delay = chance.choice([0.05, 0.5, 0.95, 1.5, 3.0]) * INTERVAL
            world.run(chance.uniform(0.1, 6.0) * INTERVAL)
            world.lose()
            assert world.core.books.in_flight == 0
            world.run(chance.uniform(0.0, 2.0) * INTERVAL)
            world.open()
        assert len(world.rtts) >= 20
        assert len(world.late_rtts) >= 20


class TestAProcessThatIsStopped:
    """Its own stall is never the peer's fault."""

    @pytest.mark.parametrize("stalled", [0.5, 1.0, 3.3, 30.0])
    def test_echoes_that_arrived_in_time_are_echoed_with_their_true_rtt(
        self, stalled: float
    ) -> None:
        world = connected(delay=0.3)
        for _ in range(20):
            world.run(1.1 * INTERVAL)
            world.stall(stalled * INTERVAL, exact=True)
        assert not world.seen[Missed]
        assert world.seen[Echoed] == len(world.rtts) >= 19
        assert approximately(world.rtts, 0.3)

    def test_echoes_whose_arrival_is_only_bounded_are_echoed_without_an_rtt(self) -> None:
        world = connected(delay=0.3)
        world.run(1.1 * INTERVAL)
        world.peer.doubles = always
        world.run(1.0 * INTERVAL)
        world.stall(5.0 * INTERVAL, exact=False)
        assert not world.seen[Missed]
        assert world.seen[Echoed] == len(world.rtts) + 1


class TestAShellThatPollsMore:
    """Outcomes follow the times that are passed in."""

    @pytest.mark.parametrize("delay", [0.05, 0.95, 1.7])
    @pytest.mark.parametrize("n", [2, 5, 1000])
    def test_says_the_same(self, delay: float, n: int) -> None:
        said = []
        for nosy in (False, True):
            world = connected(delay=delay, nosy=nosy)
            world.peer.swallows = every(n)
            world.run(50 * INTERVAL)
            world.check_that_polls_do_not_matter()
            said.append([event for _, events in world.calls for event in events])
        assert said[0] == said[1]
