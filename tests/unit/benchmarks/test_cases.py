"""What the cases work out of what they read."""

import pytest

from benchmarks import profiles
from benchmarks.capture import Trip
from benchmarks.cases.accuracy import Reading, compare_histograms
from benchmarks.cases.scale import per_second, scrape_times, unbalanced
from benchmarks.cases.scrape import split
from benchmarks.cases.soak import Account, Counted, memory_line, off_schedule
from benchmarks.page import Page

FAMILY = "ws_probe_heartbeats_{}_total"


def page(**columns: float) -> Page:
    """A page with one probe's counters."""
    counters = dict.fromkeys(("echoed", "missed", "aborted", "late", "unsolicited", "skipped"), 0.0)
    counters |= columns
    flying = counters.pop("in_flight", 0.0)
    lines = [f'{FAMILY.format(name)}{{probe="p0"}} {value}' for name, value in counters.items()]
    lines.append(f'ws_probe_heartbeats_in_flight{{probe="p0"}} {flying}')
    return Page("".join(f"{line}\n" for line in lines).encode())


class TestBooks:
    """Whether every beat is accounted for."""

    @pytest.mark.parametrize(("in_flight", "open_books"), [(1.0, 0), (0.0, 1), (2.0, 1)])
    def test_a_beat_too_many_or_too_few_is_seen(self, in_flight: float, open_books: int) -> None:
        shown = page(sent=10, echoed=7, missed=1, aborted=1, in_flight=in_flight)
        assert unbalanced(shown) == open_books

    @pytest.mark.parametrize(
        ("sent", "received", "answered", "echoed", "borne_out"),
        [
            (10, 9, 9, 9, True),
            (10, 11, 9, 9, False),
            (10, 9, 8, 9, False),
            (10, 9, 10, 9, False),
        ],
    )
    def test_the_targets_books_must_allow_for_ours(
        self, sent: float, received: int, answered: int, echoed: float, *, borne_out: bool
    ) -> None:
        beats = {"sent": sent, "echoed": echoed, "late": 0.0, "unsolicited": 0.0}
        assert Account(beats, received, answered).borne_out is borne_out

    @pytest.mark.parametrize(("gain", "off"), [(50, 0), (51, 0), (48, 1), (53, 1)])
    def test_so_many_beats_must_be_booked_as_fell_due(self, gain: int, off: int) -> None:
        """Ten seconds and a little more between two scrapes, a beat every 0.2 s."""
        first = Counted(0.0, 0.05, page(sent=0))
        last = Counted(10.0, 10.05, page(sent=gain - 2, skipped=2))
        assert off_schedule(first, last) == off


class TestMemory:
    """The line through memory after the warm-up, in KiB against minutes."""

    def test_a_single_page_is_no_slope(self) -> None:
        """It came in the middle of five minutes."""
        readings = [900] * 60 + [1000] * 150 + [1004] * 150
        line = memory_line({"warm_up": 60.0, "resident_kib": readings})
        assert line.margin == pytest.approx(1.5 * 4 / 5)
        assert line.slope == pytest.approx(line.margin, rel=0.01)

    def test_a_page_in_every_minute_is_one(self) -> None:
        """Whatever the warm-up was like."""
        growing = [1000 + 4 * (second // 60) for second in range(300)]
        line = memory_line({"warm_up": 60.0, "resident_kib": [900] * 60 + growing})
        assert line.slope - line.margin > 1.5


class TestHistograms:
    """Between two scrapes, the histogram gained what was captured."""

    def test_a_probe_that_may_be_in_a_scrape_or_not_is_left_out(self) -> None:
        first = Reading(10.0, 10.1, self.counted(p0=5, p1=5))
        last = Reading(20.0, 20.1, self.counted(p0=6, p1=7))
        captured = [
            Trip("127.1.0.1", 15.0, 0.5),
            Trip("127.1.0.2", 10.05, 0.5),
            Trip("127.1.0.2", 16.0, 0.5),
        ]
        found = compare_histograms(first, last, captured)
        assert (found.probes, found.counted, found.captured) == (1, 1, 1)
        assert (found.sum, found.captured_sum) == (0.5, 0.5)

    @staticmethod
    def counted(**counts: int) -> Page:
        """A page with histograms of trips of half a second."""
        lines = [
            f'ws_probe_rtt_seconds_{suffix}{{probe="{probe}"}} {count * each}\n'
            for probe, count in counts.items()
            for suffix, each in (("count", 1), ("sum", 0.5))
        ]
        return Page("".join(lines).encode())


class TestTimes:
    """Seconds and stretches."""

    def test_connects_are_counted_in_whole_seconds(self) -> None:
        assert per_second([0.1, 0.9, 2.5]) == [2, 0, 1]

    @pytest.mark.parametrize(
        ("seconds", "times"), [(10.0, [10.0]), (30.0, [15.0, 30.0]), (40.0, [15.0, 30.0, 40.0])]
    )
    def test_the_last_scrape_ends_the_watch(self, seconds: float, times: list[float]) -> None:
        assert scrape_times(seconds) == times

    def test_a_hold_that_reaches_into_a_scrape_is_its(self) -> None:
        early, across, late = (0.0, 0.5, 0.0), (0.9, 0.2, 0.0), (5.0, 0.1, 0.0)
        within, without = split([early, across, late], [(1.0, 2.0)])
        assert within == [across]
        assert without == [early, late]


class TestComponents:
    """By the innermost function and its file."""

    @pytest.mark.parametrize(
        ("frame", "component"),
        [
            ("StampedSocket.send /x/monitor/net/stamped_socket.py", profiles.SENDING),
            ("StampedSocket._note_arrival /x/monitor/net/stamped_socket.py", profiles.RECEIVING),
            ("read /x/monitor/net/kernel_stamps.py", profiles.RECEIVING),
            ("EpollSelector.select /usr/lib/python3.11/selectors.py", profiles.WAITING),
            ("Connection.send /x/monitor/net/connection.py", "our connection"),
            ("connect /v/lib/python3.11/site-packages/websockets/client.py", "websockets"),
            ("Handle._run /usr/lib/python3.11/asyncio/events.py", "asyncio"),
            ("note_pauses.<locals>.note /x/observed_monitor.py", profiles.COLLECTING),
            ("loads /usr/lib/python3.11/json/__init__.py", profiles.REST),
        ],
    )
    def test_a_function_has_one(self, frame: str, component: str) -> None:
        assert profiles.component(frame) == component

    def test_shares_add_up(self) -> None:
        shares = profiles.shares({"a /x/monitor/core/a.py": 3, "b /usr/lib/x.py": 1})
        assert shares == {"our books": 0.75, profiles.REST: 0.25}
