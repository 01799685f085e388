"""What the dashboards ask Prometheus, with their variables filled in.

Reads the committed files and needs no Grafana, no Python packages and no Prometheus. Run as a
program, `python -m grafana.queries`, it prints the list.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "dashboards"

REFERENCE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
"""A variable in a query: $name, ${name} or ${name:format}."""

ONE_PROBE = re.compile(r'probe="\$probe"')
"""How a dashboard of a single probe chooses it. Here a pattern stands for the name."""


class Asked(NamedTuple):
    """One query.

    `dashboard` is the uid, `panel` the title of the panel or the name of the annotation, `kind` is
    `range`, `instant` or `annotation`.
    """

    dashboard: str
    panel: str
    ref_id: str
    expr: str
    kind: str


def list_queries(
    probe: str = ".*", vantage: str = ".*", rate_interval: str = "1m", **more: str
) -> list[Asked]:
    """Return every query of every panel and annotation, ready to be run.

    Args:
        probe: a regular expression for the names of the probes.
        vantage: one for the label `vantage`; the default matches series without it as well.
        rate_interval: for `$__rate_interval`; at least four scrape intervals.
        more: other variables by name, such as `instance`, `objective`, `range` or `interval`; the
            last two are Grafana's `$__range` and `$__interval`.
    """
    chosen = {"probe": probe, "vantage": vantage, "__rate_interval": rate_interval}
    named = {BUILT_IN.get(name, name): value for name, value in more.items()}
    return [
        asked._replace(expr=fill(asked.expr, {**DEFAULTS, **chosen, **named}))
        for dashboard in dashboards()
        for asked in _asked(dashboard)
    ]


BUILT_IN = {"range": "__range", "interval": "__interval"}
DEFAULTS = {
    "__range": "5m",
    "__interval": "15s",
    "mode": ".*",
    "job": ".*",
    "instance": ".*",
    "objective": "0.999",
}


EMPTY_WITHOUT: Mapping[tuple[str, str], str] = {
    ("ws-monitor-fleet", "Connections that ended, per minute"): "a connection that ended",
    ("ws-monitor-fleet", "Probes that dropped together"): "a connection that dropped",
    ("ws-monitor-fleet", "Failed connects, per minute"): "a connect that failed",
    ("ws-monitor-fleet", "Alerts that fire"): "an alert that fires",
    ("ws-monitor-fleet", "Certificate expires in"): "a probe that uses TLS",
    ("ws-monitor-fleet", "Drops"): "a connection that dropped",
    ("ws-monitor-fleet", "Alerts"): "an alert that fires",
    ("ws-monitor-probe", "Certificate expires in"): "a probe that uses TLS",
    ("ws-monitor-probe", "What became of each message heartbeat"): "a skipped heartbeat",
    ("ws-monitor-probe", "What became of each ping heartbeat"): "a skipped heartbeat",
    ("ws-monitor-probe", "Connections that ended, per minute"): "a connection that ended",
    ("ws-monitor-probe", "Failed connects, per minute"): "a connect that failed",
    ("ws-monitor-probe", "Alerts"): "an alert that fires",
    ("ws-monitor-probe", "Drops"): "a connection that dropped",
    ("ws-monitor-health", "Alerts"): "an alert that fires",
    ("ws-monitor-slo", "Alerts"): "an alert that fires",
    ("ws-monitor-slo", "When it was down"): "a probe that was down",
    ("ws-monitor-slo", "Heartbeats without an echo in time"): "a heartbeat without an echo",
    ("ws-monitor-slo", "Burn rate over 6h and 30m"): "five minutes of data",
    ("ws-monitor-slo", "Burn rate over 1d and 2h"): "five minutes of data",
    ("ws-monitor-slo", "Burn rate over 3d and 6h"): "five minutes of data",
    ("ws-monitor-slo", "Each probe against the objective"): "five minutes of data",
}
"""Which queries, by dashboard and panel, may rightly return nothing, and what they wait for."""


def fill(expression: str, values: Mapping[str, str]) -> str:
    """Return an expression with its variables filled in.

    Raises:
        KeyError: it names a variable that has no value.
    """
    pattern = ONE_PROBE.sub('probe=~"$probe"', expression)
    return REFERENCE.sub(lambda found: values[found[1] or found[2]], pattern)


def dashboards(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return the dashboards as Grafana reads them."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without the headings between them."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def _asked(dashboard: Mapping[str, Any]) -> Iterator[Asked]:
    uid = dashboard["uid"]
    for panel in panels(dashboard):
        for target in panel["targets"]:
            kind = "instant" if target.get("instant") else "range"
            yield Asked(uid, panel["title"], target["refId"], target["expr"], kind)
    for annotation in dashboard["annotations"]["list"]:
        yield Asked(uid, annotation["name"], "Anno", annotation["expr"], "annotation")


if __name__ == "__main__":
    for asked in list_queries():
        sys.stdout.write(f"# {asked.dashboard}: {asked.panel} ({asked.ref_id}, {asked.kind})\n")
        sys.stdout.write(f"{asked.expr}\n\n")
