"""The drill leaves nothing out: every fault, every action, every alert."""

from dataclasses import fields

from drill.itself import MISTREATED, TWINS
from drill.scenarios import DEAD_MANS_SWITCH, LONG, NOT_SHOWN, SHORT, Scenario
from monitor.target import Faults
from monitor.target.control import ACTIONS
from tests.unit.rules.book import ALERT_NAMES


def must_come(scenarios: tuple[Scenario, ...]) -> set[str]:
    """The alerts that these scenarios have to bring."""
    return {name for scenario in scenarios for name in scenario.must}


class TestScenarios:
    """The data of the drill, held against the target's faults and the rules."""

    def test_every_fault_of_the_target_is_switched_on(self) -> None:
        on = {fault for scenario in LONG for fault in scenario.faults}
        assert on == {field.name for field in fields(Faults)}

    def test_every_action_of_the_target_is_done(self) -> None:
        assert {scenario.action[0] for scenario in LONG if scenario.action} == set(ACTIONS)

    def test_every_alert_must_come_or_is_named_as_one_that_cannot(self) -> None:
        shown = must_come(LONG) | {turn.must for turn in (*MISTREATED, *TWINS)} | {DEAD_MANS_SWITCH}
        assert shown | set(NOT_SHOWN) == set(ALERT_NAMES)
        assert not shown & set(NOT_SHOWN)

    def test_what_may_come_is_an_alert_as_well(self) -> None:
        may = {name for scenario in (*LONG, *SHORT) for name in scenario.may}
        may |= {name for turn in (*MISTREATED, *TWINS) for name in turn.may}
        assert may <= set(ALERT_NAMES)

    def test_no_two_scenarios_share_a_vantage(self) -> None:
        for scenarios in (LONG, SHORT):
            names = [scenario.name for scenario in scenarios]
            assert len(set(names)) == len(names)
