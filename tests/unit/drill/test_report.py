"""What a drill says about itself is what arrived."""

from dataclasses import replace

import pytest

from drill.outcome import Outcome, promise, seen_from
from drill.receiver import Episode
from drill.report import page, problems, table, verdict
from drill.scenarios import MISSION
from drill.stage import HEALTHY, LONG_FORM

INTERVAL = 5
MISSED, STALLED = "WsMonitorEchoMissed", "WsMonitorMessagePathStalled"
LATE = "WsMonitorLate"


def episode(name: str, told: float, ended: float | None = None, **labels: str) -> Episode:
    """Return what was told of an alert."""
    return Episode({"alertname": name, **labels}, told, ended)


def outcome(*episodes: Episode, name: str = MISSION.name, must: str = MISSED) -> Outcome:
    """Return what a fault at 100 s brought, which was healed at 120 s."""
    wanted = frozenset(filter(None, [must]))
    made = Outcome(name, lambda _: True, wanted, frozenset({STALLED}), 100.0, 120.0)
    return made.read(episodes)


GOOD = outcome(episode(STALLED, 105.0), episode(MISSED, 106.0, 124.0))


class TestOutcomes:
    """Which alert belongs where."""

    def test_an_alert_belongs_to_its_vantage(self) -> None:
        concerns = seen_from("silent", instance="m0")
        assert concerns(episode(MISSED, 1.0, vantage="silent", instance="m1"))
        assert not concerns(episode(MISSED, 1.0, vantage="reset", instance="m0"))

    def test_an_alert_without_a_vantage_belongs_to_its_monitor(self) -> None:
        assert seen_from("silent", instance="m0")(episode(LATE, 1.0, instance="m0"))
        assert not seen_from("silent", instance="m0")(episode(LATE, 1.0, instance="m1"))
        assert not seen_from("silent")(episode(LATE, 1.0))

    def test_what_was_told_before_the_fault_does_not_count(self) -> None:
        assert outcome(episode(MISSED, 99.0)).missing == [MISSED]

    def test_what_was_told_afterwards_belongs_to_what_came_next(self) -> None:
        over = replace(outcome(), until=130.0)
        assert over.read([episode(MISSED, 129.0)]).missing == []
        assert over.read([episode(MISSED, 130.0)]).missing == [MISSED]


class TestProblems:
    """What makes a drill fail."""

    def test_a_good_one_has_none(self) -> None:
        assert problems([GOOD], INTERVAL) == []
        assert verdict([GOOD], INTERVAL) == (
            "All as it should be. Missed echoes were told after 6.0 s and their end after\n"
            "4.0 s; 18 s are allowed for each."
        )

    @pytest.mark.parametrize(
        ("bad", "problem"),
        [
            (outcome(), f"{MISSED} was not told"),
            (outcome(name="reset"), f"reset: {MISSED} is missing"),
            (outcome(episode(LATE, 101.0), name="reset", must=""), f"reset: {LATE} is false"),
            (outcome(episode(MISSED, 118.1, 121.0)), "the mission's alert took 18.1 s, not 18 s"),
            (outcome(episode(MISSED, 101.0, 138.1)), "its end took 18.1 s, not 18 s"),
            (outcome(episode(MISSED, 101.0)), "its end was not told"),
        ],
    )
    def test_each_is_a_line(self, bad: Outcome, problem: str) -> None:
        outcomes = [bad] if bad.name == MISSION.name else [GOOD, bad]
        assert problem in problems(outcomes, INTERVAL)
        assert f"- {problem}" in verdict(outcomes, INTERVAL)

    def test_three_beats_a_scrape_a_look_and_five_seconds_are_promised(self) -> None:
        assert promise(1) == 3 * 1 + 1 + 1 + 5


class TestTheTable:
    """What is printed."""

    def test_it_has_a_line_for_each_alert_and_for_each_that_is_missing(self) -> None:
        false = replace(GOOD, name="reset", episodes=[episode(LATE, 130.0, mode="ping")])
        quiet = outcome(name=HEALTHY, must="")
        assert table([GOOD, false, quiet]).splitlines()[2:] == [
            "silent                  MessagePathStalled     may         5.0 s         -",
            "                        EchoMissed             must        6.0 s     4.0 s",
            "reset                   Late ping              FALSE      30.0 s         -",
            "                        EchoMissed             MISSING         -         -",
            "a healthy neighbour     none                   none",
        ]

    def test_the_page_has_it(self) -> None:
        written = page([GOOD], LONG_FORM)
        assert table([GOOD]) in written
        assert verdict([GOOD], LONG_FORM.interval) in written
        assert "$" not in written
