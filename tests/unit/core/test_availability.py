"""Exact downtime."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.availability import Availability


class TestAvailability:
    """Downtime, to the resolution of the clock."""

    def test_nothing_is_down_before_the_first_attempt(self) -> None:
        availability = Availability()
        assert not availability.up
        assert availability.downtime(50.0) == 0.0

    def test_downtime_runs_from_the_first_attempt_until_up(self) -> None:
        availability = Availability()
        availability.begin(10.0)
        assert availability.downtime(13.0) == 3.0
        assert availability.update(up=True, now=14.0)
        assert availability.up
        assert availability.downtime(99.0) == 4.0

    def test_every_stretch_of_downtime_is_added(self) -> None:
        availability = Availability()
        availability.begin(10.0)
        availability.update(up=True, now=14.0)
        assert availability.update(up=False, now=20.0)
        assert availability.downtime(21.5) == 5.5
        availability.update(up=True, now=22.0)
        assert availability.downtime(99.0) == 6.0

    def test_a_verdict_that_does_not_change_changes_nothing(self) -> None:
        availability = Availability()
        availability.begin(10.0)
        assert not availability.update(up=False, now=11.0)
        assert availability.downtime(12.0) == 2.0
        availability.update(up=True, now=12.0)
        assert not availability.update(up=True, now=13.0)
        assert availability.downtime(14.0) == 2.0

    def test_a_later_attempt_does_not_start_the_clock_anew(self) -> None:
        availability = Availability()
        availability.begin(10.0)
        availability.begin(12.0)
        assert availability.downtime(13.0) == 3.0

    def test_an_attempt_of_a_probe_that_is_up_starts_no_clock(self) -> None:
        availability = Availability()
        availability.update(up=True, now=10.0)
        availability.begin(11.0)
        assert availability.downtime(20.0) == 0.0

    def test_a_probe_that_is_no_longer_watched_is_no_longer_down(self) -> None:
        availability = Availability()
        availability.begin(10.0)
        availability.stop(12.5)
        assert availability.downtime(99.0) == 2.5

    def test_a_time_before_the_clock_started_counts_nothing(self) -> None:
        availability = Availability()
        availability.begin(10.0)
        assert availability.downtime(9.0) == 0.0

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000))))
    def test_uptime_and_downtime_add_up_to_all_time(self, verdicts: list[tuple[bool, int]]) -> None:
        availability = Availability()
        availability.begin(0.0)
        now, down = 0, 0
        for up, seconds in verdicts:
            availability.update(up=up, now=now)
            now += seconds
            down += 0 if up else seconds
            assert availability.downtime(now) == down
