"""The example configs of Prometheus and Alertmanager fit the rules and the monitor."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.config.schema import Web
from tests.unit.rules.book import ALERT_NAMES, PROMETHEUS, RULES, read_yaml, rules

SCRAPING = read_yaml(PROMETHEUS / "prometheus.yml")
ALERTING = read_yaml(PROMETHEUS / "alertmanager.yml")
MATCHER = re.compile(r"(\w+) (=~?) \"?(.*?)\"?")


def routes(route: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Return a route and all that are under it."""
    yield route
    for inner in route.get("routes", ()):
        yield from routes(inner)


def alert_patterns() -> Iterator[str]:
    """Return each value or pattern for which the config looks in `alertname`."""
    lists = [route.get("matchers", ()) for route in routes(ALERTING["route"])]
    for rule in ALERTING["inhibit_rules"]:
        lists += [rule["source_matchers"], rule["target_matchers"]]
    for matchers in lists:
        for label, _, value in (MATCHER.fullmatch(matcher).groups() for matcher in matchers):
            if label == "alertname":
                yield value


class TestPrometheus:
    """The example that scrapes."""

    def test_it_calls_the_monitor_what_the_alerts_call_it(self) -> None:
        job = next(job for job in SCRAPING["scrape_configs"] if job["job_name"] == "ws-monitor")
        asked = {name for rule in rules() for name in re.findall(r'job="([^"]+)"', rule.expr)}
        assert asked == {job["job_name"]}

    def test_it_scrapes_the_port_on_which_the_monitor_serves(self) -> None:
        job = next(job for job in SCRAPING["scrape_configs"] if job["job_name"] == "ws-monitor")
        [target] = job["static_configs"][0]["targets"]
        assert target.rpartition(":")[2] == str(Web().listen.port)

    def test_labels_of_the_config_win_over_those_of_the_scrape(self) -> None:
        job = next(job for job in SCRAPING["scrape_configs"] if job["job_name"] == "ws-monitor")
        assert job["honor_labels"] is True

    def test_it_loads_every_file_of_rules(self) -> None:
        loaded = {path for pattern in SCRAPING["rule_files"] for path in PROMETHEUS.glob(pattern)}
        assert loaded == set(RULES.iterdir())


class TestAlertmanager:
    """The example that tells people."""

    def test_every_alert_that_it_names_exists(self) -> None:
        for pattern in alert_patterns():
            assert any(re.fullmatch(pattern, name) for name in ALERT_NAMES), pattern

    def test_every_alternative_of_its_patterns_matches_an_alert(self) -> None:
        for pattern in alert_patterns():
            if group := re.search(r"\((.*)\)", pattern):
                for part in group[1].split("|"):
                    alone = pattern.replace(group[0], part)
                    assert any(re.fullmatch(alone, name) for name in ALERT_NAMES), alone

    def test_it_adds_less_than_five_seconds_to_what_pages(self) -> None:
        paging = [route for route in routes(ALERTING["route"]) if route["receiver"] == "pager"]
        assert paging
        assert {route["group_wait"] for route in paging} == {"1s"}
        assert {route["group_interval"] for route in paging} == {"5s"}

    def test_it_sends_nothing_beyond_this_machine(self) -> None:
        addresses = re.findall(r"url: (\S+)", (PROMETHEUS / "alertmanager.yml").read_text())
        assert addresses
        assert all(address.startswith("http://127.0.0.1:") for address in addresses)
