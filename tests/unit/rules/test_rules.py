"""Every rule keeps to the conventions, and names nothing that the monitor does not export."""

import json
import re
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.unit.rules.book import ALERTS, RECORDS, ROOT, Rule, group_names, rules
from tests.unit.rules.promql_names import LABELS, RECORDED, check, template_labels

each_rule = pytest.mark.parametrize("rule", rules(), ids=str)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=str)
each_record = pytest.mark.parametrize("record", RECORDS, ids=str)

BOARDS = {
    board["uid"]: {f"var-{variable['name']}" for variable in board["templating"]["list"]}
    for board in (
        json.loads(path.read_text()) for path in (ROOT / "grafana/dashboards").glob("*.json")
    )
}

TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)


class TestNames:
    """What is asked for exists."""

    @each_rule
    def test_a_rule_names_only_metrics_labels_and_values_that_exist(self, rule: Rule) -> None:
        assert check(rule.expr) or rule.expr.startswith("vector(")

    @each_alert
    def test_a_text_asks_only_for_labels_that_exist(self, alert: Rule) -> None:
        asked = {label for text in alert.annotations.values() for label in template_labels(text)}
        assert asked <= LABELS

    @each_record
    def test_a_recorded_name_is_level_metric_operations(self, record: Rule) -> None:
        assert re.fullmatch(r"[a-z_]+:ws_[a-z_]+:[a-z0-9_]+|ws_monitor:[a-z_]+:[a-z]+", record.name)

    def test_nothing_is_recorded_twice(self) -> None:
        assert len(RECORDED) == len(RECORDS)

    def test_no_two_groups_share_a_name_even_across_files(self) -> None:
        """All of them become one Kubernetes object, in which a group's name is its key."""
        assert [name for name, count in Counter(group_names()).items() if count > 1] == []


class TestAlerts:
    """What every alert has."""

    @each_alert
    def test_it_has_the_common_prefix(self, alert: Rule) -> None:
        assert re.fullmatch(r"WsMonitor[A-Z][A-Za-z]+", alert.name)

    @each_alert
    def test_it_says_how_loud_it_is(self, alert: Rule) -> None:
        assert alert.severity in ("critical", "warning", "info")

    @each_alert
    def test_its_summary_is_one_sentence_and_the_same_each_time(self, alert: Rule) -> None:
        summary = alert.annotations["summary"]
        assert re.fullmatch(r"[A-Z][^{}.]+\.", summary)
        assert len(summary) <= 80

    @each_alert
    def test_its_description_says_which_one_and_where_to_look(self, alert: Rule) -> None:
        description = alert.annotations["description"]
        assert TEMPLATE.search(description)
        assert re.search(r"\b[Ll]ook (at|there)\b", description)

    @each_alert
    def test_the_metrics_that_its_description_names_exist(self, alert: Rule) -> None:
        for name in re.findall(r"\bws_\w+", TEMPLATE.sub("", alert.annotations["description"])):
            assert any(check_name(name, suffix) for suffix in ("", "_count")), name

    @each_alert
    def test_it_leads_to_its_runbook(self, alert: Rule) -> None:
        assert alert.annotations["runbook_url"] == f"docs/runbooks/{alert.name}.md"

    @each_alert
    def test_it_leads_to_a_dashboard_with_variables_that_this_has(self, alert: Rule) -> None:
        address = urlsplit(TEMPLATE.sub("X", alert.annotations["dashboard_url"]))
        uid = address.path.removeprefix("/d/").removesuffix("X")
        given = re.findall(r"var-\w+", alert.annotations["dashboard_url"])
        assert set(given) <= BOARDS[uid]
        assert len(given) == len(set(given))
        assert dict(parse_qsl(address.query)).keys() <= set(given)

    @each_alert
    def test_it_has_nothing_else(self, alert: Rule) -> None:
        assert set(alert.annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
        assert set(alert.labels) <= {"severity", "long", "short"}


def check_name(name: str, suffix: str) -> bool:
    """Whether there is such a metric."""
    try:
        return bool(check(name + suffix))
    except AssertionError:
        return False
