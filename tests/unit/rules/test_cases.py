"""Every alert is tested: that it fires, what it says then, and when it must not fire."""

import pytest

from tests.unit.rules.book import (
    ALERT_NAMES,
    ALERTS,
    CASES,
    RECORDS,
    Rule,
    case_files,
    cases,
    expected,
)

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=str)
each_name = pytest.mark.parametrize("name", ALERT_NAMES)

ALWAYS_FIRES = {"WsMonitorDeadMansSwitch"}

MUST_BE_SILENT = {
    "restart": (
        *("EchoMissed", "MessagePathStalled", "ConnectionDown", "Absent", "ErrorBudgetBurn"),
        *("HighDropRatio", "EchoLate", "EchoSlow", "EchoSlowerThanUsual", "ReconnectRefused"),
        *("DroppedTogether", "Late", "ProbeCrashed"),
    ),
    "reload": (
        *("EchoMissed", "MessagePathStalled", "ConnectionDown", "AllProbesDown", "HighDropRatio"),
        *("EchoSlow", "ConnectionFlapping", "ReconnectRefused", "DroppedTogether", "ReloadFailed"),
    ),
    "renew": (
        *("EchoMissed", "MessagePathStalled", "ConnectionDown", "AllProbesDown", "ErrorBudgetBurn"),
        *("HighDropRatio", "EchoLate", "ConnectionFlapping", "DroppedTogether"),
        "CertificateExpiring",
    ),
    "late but not lost": ("EchoMissed", "MessagePathStalled", "ConnectionDown", "HighDropRatio"),
}
"""What happens on ordinary days, and the alerts for which that could be mistaken."""


class TestCases:
    """The files in tests/rules."""

    @each_alert
    def test_a_test_sees_it_fire_with_the_full_text(self, alert: Rule) -> None:
        fired = [
            one["exp_annotations"]
            for _, one in expected(alert.name)
            if alert.labels.items() <= one["exp_labels"].items()
        ]
        assert fired
        assert all(set(texts) == set(alert.annotations) for texts in fired)

    @each_name
    def test_a_test_of_a_kind_says_so_by_its_name(self, name: str) -> None:
        """`Fires: …` expects the alert at some moment, `Silent: …` not at the last one."""
        for case in cases(name):
            fires = any(moment["exp_alerts"] for moment in case["alert_rule_test"]) or any(
                moment["exp_samples"] for moment in case.get("promql_expr_test", ())
            )
            if case["name"].startswith("Fires: "):
                assert fires, case["name"]
            else:
                assert case["name"].startswith("Silent: ")
                assert not case["alert_rule_test"][-1]["exp_alerts"], case["name"]

    @each_name
    def test_a_test_sees_it_silent(self, name: str) -> None:
        silent = [case["name"] for case in cases(name) if case["name"].startswith("Silent: ")]
        assert bool(silent) != (name in ALWAYS_FIRES)

    @pytest.mark.parametrize(
        ("event", "name"),
        [(event, name) for event, names in MUST_BE_SILENT.items() for name in names],
    )
    def test_a_test_sees_it_silent_on_an_ordinary_day(self, event: str, name: str) -> None:
        titles = [case["name"] for case in cases(f"WsMonitor{name}")]
        assert any(title.startswith("Silent: ") and event in title for title in titles)

    @each_name
    def test_its_tests_ask_for_it_and_for_no_other(self, name: str) -> None:
        asked = {moment["alertname"] for case in cases(name) for moment in case["alert_rule_test"]}
        assert asked == {name}

    def test_every_file_of_tests_belongs_to_an_alert_or_to_the_recording_rules(self) -> None:
        known = {path for name in ALERT_NAMES for path in case_files(name)}
        assert set(CASES.glob("*.yml")) - known == {CASES / "recording.yml"}

    @pytest.mark.parametrize("record", RECORDS, ids=str)
    def test_every_recorded_figure_is_used_by_an_alert_or_tested(self, record: Rule) -> None:
        users = [alert.expr for alert in ALERTS]
        users += [other.expr for other in RECORDS if other is not record]
        users.append((CASES / "recording.yml").read_text())
        assert any(record.name in text for text in users)
