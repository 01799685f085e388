"""What compose.yaml starts works together: see `stack`."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.harness import Lab, wait_until
from tests.integration.harness.program import ROOT
from tests.integration.stack import Stack

PROMETHEUS, ALERTMANAGER = 9090, 9093

EVALUATION_INTERVAL = 5.0
"""Seconds, in deploy/compose/prometheus.yml."""

FAULT = re.findall(
    r"curl -X (\S+) localhost:(\d+)(\S+) -d '(.*)'", (ROOT / "compose.yaml").read_text()
)
"""What the heading of compose.yaml tells to do."""

ALERTS = {"WsMonitorMessagePathStalled"}
"""What must come of it."""


@pytest.fixture
async def stack(lab: Lab) -> AsyncIterator[Stack]:
    """The services, starting."""
    stack = Stack(lab)
    try:
        await stack.start()
        yield stack
    finally:
        stack.end()


async def query(stack: Stack, expression: str) -> list[dict[str, Any]]:
    """What Prometheus says to an expression without blanks."""
    answer = await stack.json(PROMETHEUS, f"/api/v1/query?query={expression}")
    return answer["data"]["result"] if answer else []


class TestTheStack:
    """`docker compose up`, as far as it goes without an engine."""

    async def test_what_the_target_does_arrives_in_prometheus_and_in_the_alertmanager(
        self, stack: Stack
    ) -> None:
        async def up() -> bool:
            found = await query(stack, 'ws_probe_up{instance="monitor:10440"}')
            return [series["value"][1] for series in found] == ["1"]

        async def rules_are_well() -> bool:
            answer = await stack.json(PROMETHEUS, "/api/v1/rules")
            groups = answer["data"]["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            assert [rule["lastError"] for rule in rules if rule["health"] == "err"] == []
            # Slow groups begin minutes later.
            return all(
                rule["health"] == "ok"
                for group in groups
                if group["interval"] <= EVALUATION_INTERVAL
                for rule in group["rules"]
            )

        async def alerts() -> set[str]:
            found = await stack.json(ALERTMANAGER, "/api/v2/alerts") or []
            return {
                alert["labels"]["alertname"]
                for alert in found
                if alert["labels"].get("probe") == "target"
            }

        await wait_until(up, what="Prometheus sees that the probe is up", every=0.5)
        await wait_until(rules_are_well, what="every rule is evaluated", within=90, every=0.5)
        before = await alerts()
        ((method, port, path, body),) = FAULT
        assert await stack.ask(int(port), path, method=method, body=body) is not None
        assert before == set()

        async def told() -> bool:
            return await alerts() >= ALERTS

        await wait_until(told, what=f"the Alertmanager has {ALERTS}", within=100, every=0.5)
