"""Echoes without an id: what order and count prove, and what they do not.

The interval is 2 seconds and the timeout 1, so that a beat sent at 0 is missed at 1, and echoes
that belong together come within half a second of each other.
"""

import pytest

from monitor.core.matching import Found, Outcome
from monitor.core.unnumbered import BURST_MEMORY, Unnumbered

NEVER = float("inf")


class Probe:
    """An `Unnumbered` with the few words that these tests need."""

    def __init__(self) -> None:
        self.matching = Unnumbered(interval=2.0)

    def is_lost(self) -> bool:
        """Whether only a new connection helps."""
        return self.matching.lost_track

    def beat(self, now: float) -> int:
        """Send a beat as its matching asks; return the number of its frames."""
        copies = self.matching.copies(now)
        if copies:
            self.matching.sent(0, copies, now, now + 1.0)
        return copies

    def miss(self, now: float) -> int:
        """Send a beat that is missed; return the number of its frames."""
        copies = self.beat(now)
        assert self.matching.expire(now + 1.0) == 1
        return copies

    def echo(self, arrived: float, earliest: float | None = None) -> list[Found]:
        """Receive an echo; return what it proves."""
        return self.matching.received(None, arrived, arrived if earliest is None else earliest)

    def echoes(self, *arrived: float) -> list[list[Found]]:
        """Receive several."""
        return [self.echo(each) for each in arrived]


@pytest.fixture
def probe() -> Probe:
    """A probe that has just connected."""
    return Probe()


def echoed(arrived: float, rtt: float | None) -> Found:
    """What is found of a heartbeat that was answered in time."""
    return (Outcome.ECHOED, arrived, rtt)


def late(arrived: float, rtt: float | None) -> Found:
    """What is found of a heartbeat that was answered too late."""
    return (Outcome.LATE, arrived, rtt)


def unsolicited(arrived: float) -> Found:
    """What is found of an echo that answers nothing."""
    return (Outcome.UNSOLICITED, arrived, None)


class TestWhileAllIsWell:
    """Every echo comes before the next beat."""

    def test_one_heartbeat_is_in_flight_at_a_time(self, probe: Probe) -> None:
        assert probe.matching.exclusive
        assert (probe.matching.in_flight, probe.matching.next_deadline()) == (0, NEVER)
        assert probe.matching.lost_track is False
        assert probe.beat(10.0) == 1
        assert (probe.matching.in_flight, probe.matching.next_deadline()) == (1, 11.0)

    def test_each_beat_is_one_frame_and_each_echo_answers_it(self, probe: Probe) -> None:
        for now in (10.0, 12.0, 14.0):
            assert probe.beat(now) == 1
            assert probe.echo(now + 0.25) == [echoed(now + 0.25, 0.25)]
            assert (probe.matching.in_flight, probe.matching.next_deadline()) == (0, NEVER)

    def test_an_echo_that_arrives_as_the_beat_is_sent_answers_it(self, probe: Probe) -> None:
        probe.beat(10.0)
        assert probe.echo(10.0) == [echoed(10.0, 0.0)]

    def test_an_arrival_that_is_only_bounded_proves_no_rtt(self, probe: Probe) -> None:
        probe.beat(10.0)
        assert probe.echo(10.5, earliest=10.25) == [echoed(10.5, None)]

    def test_a_beat_is_missed_at_its_deadline_and_only_once(self, probe: Probe) -> None:
        probe.beat(10.0)
        assert probe.matching.expire(10.9) == 0
        assert probe.matching.expire(11.0) == 1
        assert (probe.matching.in_flight, probe.matching.next_deadline()) == (0, NEVER)
        assert probe.matching.expire(11.0) == 0

    def test_an_echoed_beat_is_not_missed(self, probe: Probe) -> None:
        probe.beat(10.0)
        probe.echo(10.25)
        assert probe.matching.expire(11.0) == 0

    def test_an_echo_before_the_next_beat_is_late_and_leaves_no_doubt(self, probe: Probe) -> None:
        probe.miss(10.0)
        assert probe.echo(11.5) == [late(11.5, 1.5)]
        assert probe.beat(12.0) == 1


class TestAfterAMiss:
    """The next beat is a burst, and the number of echoes tells which is which."""

    def test_a_burst_has_two_frames_more_than_are_owed(self, probe: Probe) -> None:
        assert [probe.miss(now) for now in (10.0, 12.0, 14.0)] == [1, 3, 6]

    def test_when_that_would_be_more_than_six_one_frame_is_as_good(self, probe: Probe) -> None:
        for now in (10.0, 12.0, 14.0):
            probe.miss(now)
        assert [probe.miss(now) for now in (16.0, 18.0, 20.0)] == [1, 1, 1]

    def test_the_first_echo_may_be_the_old_beats_and_proves_nothing(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        assert probe.echo(12.25) == []
        assert probe.matching.in_flight == 1

    def test_one_echo_more_than_the_old_frames_answers_the_new_beat(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        assert probe.echoes(12.25, 12.375) == [[], [echoed(12.375, 0.375)]]
        assert probe.matching.in_flight == 0

    def test_further_echoes_of_a_burst_prove_nothing_new(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        probe.echoes(12.25, 12.375)
        assert probe.echo(12.5) == []

    def test_when_every_frame_is_answered_the_old_beat_gets_its_rtt_too(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        probe.echoes(12.25, 12.375, 12.5)
        assert probe.echo(12.625) == [late(12.25, 2.25)]
        assert probe.beat(14.0) == 1

    def test_each_of_several_old_beats_gets_the_rtt_of_its_first_frame(self, probe: Probe) -> None:
        for now in (10.0, 12.0, 14.0):
            probe.miss(now)
        found = probe.echoes(*(15.0 + number / 16 for number in range(10)))
        assert found[:4] == [[], [], [], []]
        assert found[4] == [late(15.25, 1.25)]
        assert found[5:9] == [[], [], [], []]
        assert found[9] == [late(15.0, 5.0), late(15.0625, 3.0625)]
        assert probe.beat(16.0) == 1

    def test_two_beats_can_be_proven_by_one_echo(self, probe: Probe) -> None:
        probe.miss(10.0)
        # Nothing was owed any more when this one was sent, a moment before the old echo was read.
        copies = probe.matching.copies(12.0)
        assert probe.echo(11.5) == [late(11.5, 1.5)]
        probe.matching.sent(0, copies, 12.0, 13.0)
        assert probe.echo(12.25) == [echoed(12.25, 0.25)]

    def test_an_old_beat_that_was_proven_is_not_found_again(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        copies = probe.matching.copies(14.0)
        probe.echoes(12.25, 12.375)
        probe.matching.sent(0, copies, 14.0, 15.0)
        found = probe.echoes(*(14.0625 + number / 16 for number in range(8)))
        assert found[2] == [echoed(14.1875, 0.1875)]
        assert found[7] == [late(12.25, 2.25)]

    def test_a_burst_answered_after_its_deadline_is_late(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.miss(12.0)
        assert probe.echoes(13.25, 13.375) == [[], [late(13.375, 1.375)]]

    def test_an_echo_that_came_before_the_burst_was_sent_is_the_old_beats(
        self, probe: Probe
    ) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        assert probe.echo(11.75) == [late(11.75, 1.75)]
        assert probe.matching.in_flight == 1
        assert probe.echo(12.25) == [echoed(12.25, 0.25)]

    def test_an_arrival_stamped_before_the_last_one_proves_no_rtt(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        probe.echo(12.25)
        assert probe.echo(11.9) == [echoed(12.25, None)]

    def test_bounded_arrivals_prove_beats_but_no_rtt(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        assert probe.echo(12.25, earliest=12.1) == []
        assert probe.echo(12.25, earliest=12.1) == [echoed(12.25, None)]
        probe.echo(12.25, earliest=12.1)
        assert probe.echo(12.25) == [late(12.25, None)]


class TestWhenACopyIsSwallowed:
    """A burst that was proven is forgotten when it has been quiet; anything else is held back."""

    def test_a_proven_burst_is_forgotten_after_a_quarter_of_an_interval(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        probe.echoes(12.25, 13.25)
        assert probe.beat(13.75) == 0
        assert probe.beat(13.875) == 1
        assert probe.echo(14.0) == [echoed(14.0, 0.125)]

    def test_a_lone_burst_is_forgotten_too(self, probe: Probe) -> None:
        probe.miss(10.0)
        copies = probe.matching.copies(12.0)
        probe.echo(11.5)
        probe.matching.sent(0, copies, 12.0, 13.0)
        probe.echo(12.25)
        assert probe.beat(14.0) == 1

    def test_beats_are_held_back_while_answers_come_that_prove_nothing(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.miss(12.0)
        probe.echo(13.5)
        assert probe.beat(14.0) == 0
        assert not probe.is_lost()

    def test_a_whole_interval_without_an_echo_is_the_end_of_patience(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.miss(12.0)
        probe.echo(14.0)
        assert probe.beat(16.0) == 0
        assert not probe.is_lost()
        assert probe.beat(16.125) == 0
        assert probe.is_lost()

    def test_without_any_answer_there_is_no_doubt_to_lose_patience_with(self, probe: Probe) -> None:
        probe.beat(10.0)
        probe.echo(10.25)
        probe.miss(12.0)
        assert probe.beat(14.0) == 3
        assert not probe.is_lost()

    def test_a_burst_that_is_missed_after_a_proven_one_is_not_forgotten(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.beat(12.0)
        copies = probe.matching.copies(14.0)
        probe.echoes(12.25, 12.375)
        probe.matching.sent(0, copies, 14.0, 15.0)
        probe.matching.expire(15.0)
        assert probe.beat(14.25) == 0

    def test_once_track_is_lost_no_beat_goes_out_whatever_comes(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.miss(12.0)
        probe.echo(13.5)
        probe.beat(16.0)
        assert probe.echo(16.5) == [late(16.5, 4.5)]
        assert probe.beat(18.0) == 0
        assert probe.is_lost()

    def test_after_so_many_misses_in_a_row_a_new_connection_is_asked_for(
        self, probe: Probe
    ) -> None:
        for number in range(BURST_MEMORY):
            assert probe.miss(10.0 + 2.0 * number)
            assert not probe.is_lost()
        assert probe.beat(10.0 + 2.0 * BURST_MEMORY) == 0
        assert probe.is_lost()


class TestAPeerThatAnswersTwice:
    """Its echoes are not counted any more."""

    @pytest.fixture
    def found_out(self, probe: Probe) -> Probe:
        """A probe that saw two echoes of one frame."""
        probe.beat(10.0)
        assert probe.echoes(10.25, 10.5) == [[echoed(10.25, 0.25)], [unsolicited(10.5)]]
        return probe

    def test_an_echo_that_nothing_asked_for_is_unsolicited(self, probe: Probe) -> None:
        assert probe.echo(10.0) == [unsolicited(10.0)]

    def test_an_echo_older_than_the_only_beat_is_unsolicited(self, probe: Probe) -> None:
        probe.beat(10.0)
        assert probe.echo(9.9) == [unsolicited(9.9)]
        assert probe.matching.in_flight == 1

    def test_single_beats_are_matched_all_the_same(self, found_out: Probe) -> None:
        assert found_out.beat(12.0) == 1
        assert found_out.echoes(12.25, 12.5) == [[echoed(12.25, 0.25)], [unsolicited(12.5)]]
        assert not found_out.is_lost()

    def test_a_beat_waits_until_second_answers_can_no_longer_come(self, found_out: Probe) -> None:
        assert found_out.beat(11.0) == 0
        assert found_out.beat(11.125) == 1
        assert not found_out.is_lost()

    def test_an_echo_soon_after_another_is_taken_for_a_second_answer(
        self, found_out: Probe
    ) -> None:
        copies = found_out.matching.copies(12.0)
        found_out.echo(12.0)
        found_out.matching.sent(0, copies, 12.125, 13.125)
        assert found_out.echoes(12.5, 13.0) == [[unsolicited(12.5)], [unsolicited(13.0)]]
        assert found_out.echo(13.625) == [echoed(13.625, 1.5)]

    def test_so_is_one_that_may_have_come_soon_after_another(self, found_out: Probe) -> None:
        found_out.beat(12.0)
        found_out.echo(12.25)
        found_out.beat(14.0)
        assert found_out.echo(14.5, earliest=12.75) == [unsolicited(14.5)]
        assert found_out.echo(15.125, earliest=15.0625) == [echoed(15.125, None)]

    def test_after_a_miss_the_next_beat_is_still_one_frame(self, found_out: Probe) -> None:
        found_out.miss(12.0)
        assert found_out.beat(14.0) == 1
        assert not found_out.is_lost()

    def test_after_a_miss_and_before_the_next_beat_an_echo_is_late(self, found_out: Probe) -> None:
        found_out.miss(12.0)
        assert found_out.echo(13.25) == [late(13.25, 1.25)]

    def test_any_doubt_calls_for_a_new_connection_at_once(self, found_out: Probe) -> None:
        found_out.miss(12.0)
        found_out.beat(14.0)
        assert found_out.echoes(14.25, 14.875, 15.5) == [[], [], []]
        assert found_out.is_lost()
        assert found_out.matching.expire(15.0) == 1
        assert found_out.beat(18.0) == 0

    def test_found_out_while_all_is_well_it_keeps_its_connection(self, found_out: Probe) -> None:
        assert found_out.matching._missed_here is False
        assert not found_out.is_lost()

    def test_found_out_after_a_miss_it_gets_a_new_connection(self, probe: Probe) -> None:
        probe.miss(10.0)
        assert probe.echoes(11.5, 11.625) == [[late(11.5, 1.5)], [unsolicited(11.625)]]
        assert probe.is_lost()
        probe.matching.lost()
        assert not probe.is_lost()

    def test_a_miss_on_an_earlier_connection_does_not_count(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.matching.lost()
        probe.beat(12.0)
        probe.echoes(12.25, 12.5)
        assert not probe.is_lost()

    def test_it_is_found_out_once(self, found_out: Probe) -> None:
        found_out.miss(12.0)
        assert found_out.echoes(13.25, 13.5) == [[late(13.25, 1.25)], [unsolicited(13.5)]]
        assert not found_out.is_lost()

    def test_it_is_remembered(self, found_out: Probe) -> None:
        assert Probe().matching._countable is True
        assert found_out.matching._countable is False

    def test_a_new_connection_does_not_make_the_peer_another_one(self, found_out: Probe) -> None:
        found_out.matching.lost()
        found_out.miss(12.0)
        assert found_out.beat(14.0) == 1
        assert found_out.echo(14.25) == []
        assert found_out.is_lost()


class TestWhenTheConnectionIsLost:
    """A new one begins without a doubt."""

    def test_the_beat_in_flight_is_aborted(self, probe: Probe) -> None:
        probe.beat(10.0)
        assert probe.matching.lost() == 1
        assert probe.matching.lost() == 0

    def test_a_missed_beat_is_not_aborted_and_its_frames_are_owed_no_more(
        self, probe: Probe
    ) -> None:
        probe.miss(10.0)
        assert probe.matching.lost() == 0
        assert probe.beat(12.0) == 1

    def test_echoes_that_proved_nothing_are_forgotten(self, probe: Probe) -> None:
        probe.miss(10.0)
        probe.miss(12.0)
        probe.echo(13.5)
        probe.beat(18.0)
        assert probe.is_lost()
        probe.matching.lost()
        assert probe.matching.lost_track is False
        assert probe.beat(20.0) == 1
        assert probe.echo(20.25) == [echoed(20.25, 0.25)]

    def test_the_last_echo_is_forgotten(self, probe: Probe) -> None:
        probe.echoes(10.0)
        assert probe.beat(10.125) == 0
        probe.matching.lost()
        assert probe.beat(10.125) == 1
        assert probe.echo(10.25) == [echoed(10.25, 0.125)]
