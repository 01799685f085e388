"""Every alert has its page and its row, and every page and row its alert."""

import re

import pytest

from tests.unit.rules.book import ALERT_NAMES, ALERTS, PAGE, RUNBOOKS, queries, runbook
from tests.unit.rules.promql_names import check

SECTIONS = ["Meaning", "Impact", "What to look at", "Usual causes", "What to do"]

ROW = re.compile(
    r"^\| \[(?P<name>WsMonitor\w+)\]\(runbooks/(?P<page>\w+)\.md\) \| (?P<severity>[a-z, ]+) \|",
    re.MULTILINE,
)

each_name = pytest.mark.parametrize("name", ALERT_NAMES)


class TestPages:
    """docs/alerts.md and docs/runbooks."""

    @each_name
    def test_a_runbook_is_headed_by_its_alert_and_has_every_section(self, name: str) -> None:
        page = runbook(name)
        assert page.startswith(f"# {name}\n")
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS

    @each_name
    def test_a_runbook_has_queries_and_they_name_only_what_exists(self, name: str) -> None:
        asked = queries(runbook(name))
        assert asked
        for query in asked:
            assert check(query)

    @each_name
    def test_a_runbook_begins_with_what_its_alert_says(self, name: str) -> None:
        summaries = {alert.annotations["summary"] for alert in ALERTS if alert.name == name}
        assert runbook(name).split("\n")[2] in summaries

    def test_there_is_no_runbook_without_an_alert(self) -> None:
        assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == ALERT_NAMES

    def test_the_list_of_alerts_has_each_of_them_with_its_severities(self) -> None:
        rows = [row.groupdict() for row in ROW.finditer(PAGE.read_text())]
        assert all(row["name"] == row["page"] for row in rows)
        listed = [(row["name"], set(row["severity"].split(", "))) for row in rows]
        there = [
            (name, {alert.severity for alert in ALERTS if alert.name == name})
            for name in ALERT_NAMES
        ]
        assert sorted(listed) == there

    def test_the_names_of_alerts_in_the_list_s_text_exist(self) -> None:
        assert set(re.findall(r"WsMonitor[A-Z]\w+", PAGE.read_text())) <= set(ALERT_NAMES)

    def test_the_queries_of_the_list_name_only_what_exists(self) -> None:
        for query in queries(PAGE.read_text()):
            assert check(query)
