"""Echoes that carry an id: every answer names the heartbeat it belongs to."""

import pytest

from monitor.core.matching import Outcome
from monitor.core.numbered import LATE_MEMORY, Numbered

NEVER = float("inf")


@pytest.fixture
def matching() -> Numbered:
    """Heartbeats 7 and 8 in flight, sent at 10 and 11, in time until 15 and 16."""
    matching = Numbered()
    matching.sent(7, 1, 10.0, 15.0)
    matching.sent(8, 1, 11.0, 16.0)
    return matching


class TestNumbered:
    """Exact matching, in whatever order echoes come."""

    def test_several_heartbeats_may_be_in_flight(self, matching: Numbered) -> None:
        assert not matching.exclusive
        assert matching.in_flight == 2
        assert matching.next_deadline() == 15.0

    def test_nothing_is_in_flight_in_the_beginning(self) -> None:
        assert Numbered().in_flight == 0
        assert Numbered().next_deadline() == NEVER

    def test_a_heartbeat_always_takes_one_frame(self, matching: Numbered) -> None:
        assert matching.copies(12.0) == 1

    def test_an_echo_is_the_answer_to_the_heartbeat_it_names(self, matching: Numbered) -> None:
        assert matching.received(8, 12.5, 12.5) == [(Outcome.ECHOED, 12.5, 1.5)]
        assert matching.received(7, 12.75, 12.75) == [(Outcome.ECHOED, 12.75, 2.75)]
        assert matching.in_flight == 0

    def test_an_arrival_that_is_only_bounded_proves_an_echo_but_no_rtt(
        self, matching: Numbered
    ) -> None:
        assert matching.received(8, 12.5, 12.0) == [(Outcome.ECHOED, 12.5, None)]

    def test_an_arrival_a_hair_before_the_sending_took_no_time(self, matching: Numbered) -> None:
        assert matching.received(8, 10.9, 10.9) == [(Outcome.ECHOED, 10.9, 0.0)]

    def test_a_heartbeat_is_missed_at_its_deadline_and_not_before(self, matching: Numbered) -> None:
        assert matching.expire(14.9) == 0
        assert matching.expire(15.0) == 1
        assert matching.in_flight == 1
        assert matching.next_deadline() == 16.0

    def test_heartbeats_with_the_same_deadline_are_missed_together(
        self, matching: Numbered
    ) -> None:
        matching.sent(9, 1, 11.0, 16.0)
        assert matching.expire(16.0) == 3
        assert matching.next_deadline() == NEVER

    def test_an_echo_of_a_missed_heartbeat_is_late_and_has_its_rtt(
        self, matching: Numbered
    ) -> None:
        matching.expire(15.0)
        assert matching.received(7, 17.0, 17.0) == [(Outcome.LATE, 17.0, 7.0)]

    @pytest.mark.parametrize("key", [7, None, 6])
    def test_a_second_answer_and_one_to_nothing_are_unsolicited(
        self, matching: Numbered, key: int | None
    ) -> None:
        matching.received(7, 12.0, 12.0)
        assert matching.received(key, 12.5, 12.0) == [(Outcome.UNSOLICITED, 12.5, None)]
        assert matching.in_flight == 1

    def test_a_second_late_answer_is_unsolicited(self, matching: Numbered) -> None:
        matching.expire(15.0)
        matching.received(7, 17.0, 17.0)
        assert matching.received(7, 18.0, 18.0) == [(Outcome.UNSOLICITED, 18.0, None)]

    def test_as_many_missed_heartbeats_as_that_are_remembered(self) -> None:
        matching = Numbered()
        for key in range(LATE_MEMORY + 1):
            matching.sent(key, 1, float(key), key + 1.0)
            matching.expire(key + 1.0)
        assert matching.received(0, 100.0, 100.0) == [(Outcome.UNSOLICITED, 100.0, None)]
        assert matching.received(1, 100.0, 100.0) == [(Outcome.LATE, 100.0, 99.0)]

    def test_a_lost_connection_takes_all_with_it(self, matching: Numbered) -> None:
        matching.expire(15.0)
        assert matching.lost() == 1
        assert matching.in_flight == 0
        for key in (7, 8):
            assert matching.received(key, 20.0, 20.0) == [(Outcome.UNSOLICITED, 20.0, None)]

    def test_it_never_loses_track(self, matching: Numbered) -> None:
        assert not matching.lost_track
