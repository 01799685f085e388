"""The rules, their tests and their pages, as the tests about them read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy/prometheus"
RULES = PROMETHEUS / "rules"
CASES = ROOT / "tests/rules"
RUNBOOKS = ROOT / "docs/runbooks"
PAGE = ROOT / "docs/alerts.md"

QUERY = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule, or an alert."""

    file: str
    group: str
    name: str
    is_alert: bool
    expr: str
    hold: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def severity(self) -> str:
        """How loud it is."""
        return self.labels.get("severity", "none")

    def __str__(self) -> str:
        return "-".join((self.name, *self.labels.values()))


@cache
def read_yaml(path: Path) -> Any:
    """Return what a file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rule_files() -> list[Path]:
    """Return the files that Prometheus loads."""
    return sorted(RULES.glob("*.yml"))


def group_names() -> list[str]:
    """Return the name of each group in every file."""
    return [group["name"] for path in rule_files() for group in read_yaml(path)["groups"]]


def rules() -> list[Rule]:
    """Return every rule of every file, in order."""
    return [
        Rule(
            file=path.name,
            group=group["name"],
            name=rule.get("alert") or rule["record"],
            is_alert="alert" in rule,
            expr=rule["expr"],
            hold=rule.get("for", "0s"),
            labels=rule.get("labels", {}),
            annotations=rule.get("annotations", {}),
        )
        for path in rule_files()
        for group in read_yaml(path)["groups"]
        for rule in group["rules"]
    ]


ALERTS = [rule for rule in rules() if rule.is_alert]
RECORDS = [rule for rule in rules() if not rule.is_alert]
ALERT_NAMES = sorted({alert.name for alert in ALERTS})


def case_files(alert: str) -> list[Path]:
    """Return the files that test an alert: `ALERT.yml`, and `ALERT.WHAT.yml` where one is long."""
    return sorted({*CASES.glob(f"{alert}.yml"), *CASES.glob(f"{alert}.*.yml")})


def cases(alert: str) -> list[Mapping[str, Any]]:
    """Return the tests of an alert."""
    return [test for path in case_files(alert) for test in read_yaml(path)["tests"]]


def expected(alert: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return each alert that the tests of `alert` expect, with the name of the test."""
    for case in cases(alert):
        for moment in case["alert_rule_test"]:
            for one in moment["exp_alerts"]:
                yield case["name"], one


def runbook(alert: str) -> str:
    """Return an alert's page."""
    return (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8")


def queries(page: str) -> list[str]:
    """Return the queries of a page."""
    return [query.strip() for query in QUERY.findall(page)]
