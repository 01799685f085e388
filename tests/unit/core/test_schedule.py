"""When beats are due."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.schedule import Schedule, stable_phase

INTERVALS = st.sampled_from([0.1, 0.3, 1.0, 15.0, 30.0, 3600.0])
SHARES = st.floats(0, 0.999)


class TestSchedule:
    """Slots, without drift, whatever the arithmetic of floats."""

    def test_slots_are_due_at_the_phase_and_every_interval_after_it(self) -> None:
        schedule = Schedule(interval=10.0, phase=3.0)
        assert [schedule.due(slot) for slot in (0, 1, 2)] == [3.0, 13.0, 23.0]

    @pytest.mark.parametrize(
        ("now", "slot"), [(0.0, 0), (3.0, 0), (3.1, 1), (12.9, 1), (13.0, 1), (13.1, 2)]
    )
    def test_the_slot_at_or_after_a_time_is_the_first_that_is_not_over(
        self, now: float, slot: int
    ) -> None:
        assert Schedule(interval=10.0, phase=3.0).slot_at_or_after(now) == slot

    def test_a_phase_late_in_the_interval_counts_from_there_too(self) -> None:
        assert Schedule(interval=10.0, phase=9.0).slot_at_or_after(18.5) == 1

    def test_a_slot_that_the_division_takes_for_over_is_found_all_the_same(self) -> None:
        # 3 * 0.1 / 0.1 is a little more than 3 in binary.
        assert Schedule(interval=0.1, phase=0.0).slot_at_or_after(3 * 0.1) == 3

    def test_a_slot_that_the_division_takes_for_due_is_passed_over_all_the_same(self) -> None:
        schedule = Schedule(interval=0.3, phase=0.27)
        # A hair after slot 22, and lost in the subtraction of the phase.
        now = math.nextafter(schedule.due(22), math.inf)
        assert schedule.slot_at_or_after(now) == 23

    @given(interval=INTERVALS, share=SHARES, seconds=st.floats(0, 1e9))
    @example(interval=0.1, share=0.0, seconds=3 * 0.1)
    def test_the_slot_found_is_never_over_and_the_one_before_always_is(
        self, interval: float, share: float, seconds: float
    ) -> None:
        schedule = Schedule(interval, phase=interval * share)
        slot = schedule.slot_at_or_after(seconds)
        assert schedule.due(slot - 1) < seconds <= schedule.due(slot)

    @given(interval=INTERVALS, share=SHARES, slot=st.integers(0, 10**9))
    def test_every_slot_finds_itself(self, interval: float, share: float, slot: int) -> None:
        schedule = Schedule(interval, phase=interval * share)
        assert schedule.slot_at_or_after(schedule.due(slot)) == slot

    @pytest.mark.parametrize(("now", "slot"), [(2.9, 0), (3.0, 1), (3.1, 1), (13.0, 2)])
    def test_the_slot_after_a_time_is_the_first_that_is_still_to_come(
        self, now: float, slot: int
    ) -> None:
        assert Schedule(interval=10.0, phase=3.0).slot_after(now) == slot

    def test_a_phase_is_the_share_of_the_interval_that_the_digest_names(self) -> None:
        assert stable_phase(bytes([0]), interval=10.0, slots=5) == 0.0
        assert stable_phase(bytes([3]), interval=10.0, slots=5) == 6.0
        assert stable_phase(bytes([7]), interval=10.0, slots=5) == 4.0
        assert stable_phase(bytes([1, 0]), interval=256.0, slots=1000) == pytest.approx(65.536)

    @given(
        digest=st.binary(min_size=1, max_size=32), interval=INTERVALS, slots=st.integers(1, 1000)
    )
    def test_a_phase_lies_within_the_interval(
        self, digest: bytes, interval: float, slots: int
    ) -> None:
        assert 0.0 <= stable_phase(digest, interval, slots) < interval
