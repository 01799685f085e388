"""Prometheus' and Alertmanager's own tools take the rules and the examples, and run their tests."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.harness import Lab, free_ports, wait_until
from tests.integration.harness.http import request
from tests.unit.rules.book import (
    ALERT_NAMES,
    ALERTS,
    CASES,
    PAGE,
    PROMETHEUS,
    ROOT,
    case_files,
    queries,
    read_yaml,
    rule_files,
    runbook,
)

ALERTMANAGER = PROMETHEUS / "alertmanager.yml"


def run(*command: str | Path, fails: bool = False) -> str:
    """Run a program and return what it wrote; it must succeed, or fail if so wished."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, output
    return output


class TestPromtool:
    """Prometheus' own tool."""

    def test_it_finds_nothing_to_say_about_the_rules(self) -> None:
        output = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *rule_files())
        assert output.count("SUCCESS") == len(rule_files())

    def test_it_takes_the_example_of_prometheus_with_every_rule(self) -> None:
        output = run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
        assert f"SUCCESS: {len(rule_files())} rule files found" in output

    @pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
    def test_the_rules_do_what_their_tests_say(self, path: Path) -> None:
        assert "SUCCESS" in run("promtool", "test", "rules", path)

    def test_it_takes_every_query_of_the_pages(self, tmp_path: Path) -> None:
        pages = [runbook(name) for name in ALERT_NAMES] + [PAGE.read_text()]
        asked = [query for page in pages for query in queries(page)]
        rules = [{"record": f"page:query:{n}", "expr": query} for n, query in enumerate(asked)]
        path = tmp_path / "queries.yml"
        path.write_text(json.dumps({"groups": [{"name": "pages", "rules": rules}]}))
        assert f"{len(asked)} rules found" in run("promtool", "check", "rules", path)


THRESHOLD = re.compile(r"(?<=[<>] )[\d.]*[1-9][\d.]*|(?<=[<>]= )[\d.]*[1-9][\d.]*")


def deaf(expr: str) -> str:
    """Move every threshold far up, and look for other values than 0."""
    moved = THRESHOLD.sub(lambda number: str(float(number[0]) * 1000 + 1_000_000), expr)
    return re.sub(r"== 0|> 0$", "== 7777", moved)


def nervous(expr: str) -> str:
    """Move every threshold far down."""
    return THRESHOLD.sub(lambda number: str(float(number[0]) / 1000), expr)


WRONGS = [
    (name, mutate)
    for name in ALERT_NAMES
    for mutate in (deaf, nervous)
    if any(mutate(alert.expr) != alert.expr for alert in ALERTS if alert.name == name)
]


class TestTheTests:
    """Rules that are wrong do not pass their tests."""

    @pytest.mark.parametrize(
        ("name", "mutate"), WRONGS, ids=lambda value: getattr(value, "__name__", value)
    )
    def test_a_threshold_that_is_wrong_by_far_is_noticed(
        self, name: str, mutate: Callable[[str], str], tmp_path: Path
    ) -> None:
        for path in rule_files():
            groups = [
                {**group, "rules": [*spoil(group["rules"], name, mutate)]}
                for group in read_yaml(path)["groups"]
            ]
            place(tmp_path / path.relative_to(ROOT), json.dumps({"groups": groups}))
        for path in case_files(name):
            case = place(tmp_path / path.relative_to(ROOT), path.read_text())
            assert "FAILED" in run("promtool", "test", "rules", case, fails=True)


def spoil(
    rules: Iterable[dict[str, Any]], name: str, mutate: Callable[[str], str]
) -> Iterator[dict[str, Any]]:
    """Return the recording rules as they are, of the alerts this one only, with its faults."""
    for rule in rules:
        if "record" in rule:
            yield rule
        elif rule["alert"] == name:
            yield {**rule, "expr": mutate(rule["expr"])}


def place(path: Path, text: str) -> Path:
    """Write a file, and the directories that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


ROUTES = [
    ("pager", {"alertname": "WsMonitorEchoMissed", "severity": "critical", "probe": "game"}),
    ("pager", {"alertname": "WsMonitorAbsent", "severity": "critical", "team": "games"}),
    ("chat", {"alertname": "WsMonitorEchoSlow", "severity": "warning", "team": "trading"}),
    ("games-chat", {"alertname": "WsMonitorEchoSlow", "severity": "warning", "team": "games"}),
    (
        "games-chat",
        {"alertname": "WsMonitorEchoSlowerThanUsual", "severity": "info", "team": "games"},
    ),
    ("chat", {"alertname": "WsMonitorEchoSlowerThanUsual", "severity": "info"}),
    ("dead-mans-switch", {"alertname": "WsMonitorDeadMansSwitch", "severity": "info"}),
]


class TestAmtool:
    """Alertmanager's own tool."""

    def test_it_takes_the_example(self) -> None:
        assert "SUCCESS" in run("amtool", "check-config", ALERTMANAGER)

    @pytest.mark.parametrize(("receiver", "labels"), ROUTES)
    def test_an_alert_goes_to_whom_it_concerns(
        self, receiver: str, labels: Mapping[str, str]
    ) -> None:
        run(
            *("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}"),
            f"--verify.receivers={receiver}",
            *(f"{name}={value}" for name, value in labels.items()),
        )

    @pytest.mark.parametrize(
        ("template", "text"),
        [
            ("title", "FIRING WsMonitorEchoMissed game, WsMonitorLate"),
            (
                "text",
                """Heartbeats are sent and not echoed.
Probe game has had no echo.
http://localhost:8000/docs/runbooks/WsMonitorEchoMissed.md
http://localhost:3000/d/ws-monitor-probe?var-probe=game

Over: The monitor itself is late.
m0 does not keep up.
http://localhost:8000/docs/runbooks/WsMonitorLate.md
http://localhost:3000/d/ws-monitor-health""",
            ),
        ],
    )
    def test_the_texts_say_what_where_to_read_and_where_to_look(
        self, template: str, text: str, tmp_path: Path
    ) -> None:
        data = tmp_path / "data.json"
        data.write_text(json.dumps({"status": "firing", "alerts": TOLD}))
        written = run(
            *("amtool", "template", "render"),
            f"--template.glob={PROMETHEUS / 'ws-monitor.tmpl'}",
            f"--template.data={data}",
            f'--template.text={{{{ template "ws_monitor.{template}" . }}}}',
        )
        assert written.strip() == text


TOLD = [
    {
        "status": "firing",
        "labels": {"alertname": "WsMonitorEchoMissed", "probe": "game"},
        "annotations": {
            "summary": "Heartbeats are sent and not echoed.",
            "description": "Probe game has had no echo.",
            "runbook_url": "docs/runbooks/WsMonitorEchoMissed.md",
            "dashboard_url": "/d/ws-monitor-probe?var-probe=game",
        },
    },
    {
        "status": "resolved",
        "labels": {"alertname": "WsMonitorLate"},
        "annotations": {
            "summary": "The monitor itself is late.",
            "description": "m0 does not keep up.",
            "runbook_url": "docs/runbooks/WsMonitorLate.md",
            "dashboard_url": "/d/ws-monitor-health",
        },
    },
]


def alert(name: str, severity: str = "warning", **labels: str) -> dict[str, Any]:
    """Return an alert as Prometheus sends it, of the monitor m0 in eu unless told otherwise."""
    place = {"job": "ws-monitor", "instance": "m0", "vantage": "eu"}
    named = {"alertname": f"WsMonitor{name}", "severity": severity, **place, **labels}
    return {"labels": {label: value for label, value in named.items() if value}}


def burn(severity: str, probe: str, **labels: str) -> dict[str, Any]:
    """Return the alert that belongs to no instance."""
    return alert("ErrorBudgetBurn", severity, probe=probe, instance="", **labels)


FIRING = {
    "all down": alert("AllProbesDown", "critical"),
    "down": alert("ConnectionDown", "critical", probe="a", instance="m1", vantage="us"),
    "late": alert("Late", instance="m2", vantage=""),
    "everywhere": alert("DownEverywhere", "critical", probe="c", instance="", vantage=""),
    "somewhere": alert("DownSomewhere", probe="d", instance="", vantage="ap"),
    "absent": alert("Absent", "critical", job="other", instance="m5", vantage=""),
    "expiring": alert("CertificateExpiring", "critical", probe="a", instance="m3"),
}
"""What mutes, each at a monitor of its own."""

MUTED = {
    "all down": [
        alert("EchoMissed", "critical", probe="a", mode="message"),
        alert("ConnectionDown", "critical", probe="b"),
        alert("MessagePathStalled", probe="a"),
        alert("HighDropRatio", probe="a", mode="ping"),
        alert("ReconnectRefused", probe="a"),
        alert("DroppedTogether", address="192.0.2.7:443"),
        burn("critical", probe="b"),
        alert("DownSomewhere", probe="b", instance=""),
    ],
    "everywhere": [
        alert("ConnectionDown", "critical", probe="c", instance="m6", vantage="us"),
        alert("ConnectionDown", "critical", probe="c", instance="m7", vantage="ap"),
        burn("critical", probe="c", vantage="us"),
    ],
    "somewhere": [alert("ConnectionDown", "critical", probe="d", instance="m7", vantage="ap")],
    "absent": [alert("ShardMissing", "critical", job="other", instance="", vantage="us")],
    "down": [
        alert("EchoMissed", "critical", probe="a", mode="ping", instance="m1", vantage="us"),
        burn("critical", probe="a", vantage="us"),
    ],
    "late": [
        alert("EchoLate", probe="a", mode="ping", instance="m2", vantage=""),
        alert("EchoSlow", probe="a", mode="ping", instance="m2", vantage=""),
        alert("EchoSlowerThanUsual", "info", probe="a", mode="ping", instance="m2", vantage=""),
    ],
    "expiring": [alert("CertificateExpiring", probe="a", instance="m3")],
}

HEARD = [
    # Another probe, another monitor, another vantage.
    alert("EchoMissed", "critical", probe="b", mode="ping", instance="m1", vantage="us"),
    alert("EchoMissed", "critical", probe="a", mode="ping", instance="m4"),
    alert("EchoSlow", probe="a", mode="ping", instance="m4"),
    alert("CertificateExpiring", probe="b", instance="m3"),
    burn("critical", probe="b", vantage="us"),
    alert("ConnectionDown", "critical", probe="d", instance="m6", vantage="us"),
    alert("DownSomewhere", probe="e", instance="", vantage="us"),
    alert("ShardMissing", "critical", instance=""),
    # Another matter.
    alert("EchoMissed", "critical", probe="c", mode="ping", instance="m8", vantage="sa"),
    alert("EchoMissed", "critical", probe="a", mode="ping", instance="m2", vantage=""),
    alert("EchoLate", probe="a", mode="ping", instance="m1", vantage="us"),
    alert("MessagePathStalled", probe="a", instance="m1", vantage="us"),
    alert("CertificateExpiring", "critical", probe="a"),
    alert("Late"),
    alert("ReloadFailed"),
]


class TestMuting:
    """A real Alertmanager, with the example's inhibition."""

    @pytest.fixture
    async def states(self, lab: Lab) -> dict[str, str]:
        """Send all alerts at once, and return the state of each."""
        (port,) = free_ports(1)
        lab.program(
            "prometheus-alertmanager",
            f"--config.file={ALERTMANAGER}",
            f"--storage.path={lab.directory / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            name="alertmanager",
        )

        async def answers() -> bool:
            try:
                return (await request(port, "GET", "/-/ready")).status == 200
            except ConnectionError:
                return False

        await wait_until(answers, what="Alertmanager is ready")
        muted = [alert for alerts in MUTED.values() for alert in alerts]
        every = [*FIRING.values(), *muted, *HEARD]
        json_body = {"Content-Type": "application/json"}
        sent = await request(port, "POST", "/api/v2/alerts", every, json_body)
        assert sent.status == 200, sent.body
        # An alert has the state `unprocessed` until it was looked at.
        found: list[dict[str, Any]] = []

        async def settled() -> bool:
            found[:] = (await request(port, "GET", "/api/v2/alerts")).json()
            processed = [one for one in found if one["status"]["state"] != "unprocessed"]
            return len(processed) == len(every)

        await wait_until(settled, what="every alert is processed")
        return {key(one): one["status"]["state"] for one in found}

    async def test_what_follows_from_another_alert_is_muted_and_nothing_else(
        self, states: dict[str, str]
    ) -> None:
        for cause, alerts in MUTED.items():
            for one in alerts:
                assert states[key(one)] == "suppressed", (cause, one)
        for one in [*FIRING.values(), *HEARD]:
            assert states[key(one)] == "active", one


def key(one: Mapping[str, Any]) -> str:
    """Return what an alert is known by."""
    return json.dumps(one["labels"], sort_keys=True)
