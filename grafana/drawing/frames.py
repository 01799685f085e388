"""From answers to what a panel shows: named series, table rows, buckets. No drawing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana.drawing.client import Prometheus, Series
from grafana.drawing.values import legend
from grafana.queries import fill

ROW_HEIGHT = 0.4


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a dashboard shows, in Unix seconds, and how often Prometheus scrapes."""

    start: float
    end: float
    scrape_interval: float

    def step(self, points: float, least: float = 0) -> float:
        """Return the time between two points of a panel."""
        wanted = math.ceil((self.end - self.start) / points)
        return max(self.scrape_interval, float(wanted), least)

    def values(self, step: float) -> dict[str, str]:
        """Return Grafana's own variables."""
        rate = max(4 * self.scrape_interval, step + self.scrape_interval)
        return {
            "__interval": f"{step:.0f}s",
            "__rate_interval": f"{rate:.0f}s",
            "__range": f"{self.end - self.start:.0f}s",
        }


@dataclass(frozen=True, slots=True)
class Named:
    """A series, the query that it came from, and what the overrides say about it."""

    name: str
    ref_id: str
    series: Series
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """Where panels get their data: a server, a time, the variables that were chosen."""

    prometheus: Prometheus
    span: Span
    variables: Mapping[str, str]

    def step_of(self, panel: Mapping[str, Any]) -> float:
        """Return the time between two points of a panel, which its width decides."""
        least = seconds(panel["interval"]) if panel.get("interval") else 0.0
        return self.span.step(15.0 * panel["gridPos"]["w"], least)

    def ask(self, panel: Mapping[str, Any], target: Mapping[str, Any]) -> list[Series]:
        """Return the answer to one query of a panel."""
        step = self.step_of(panel)
        query = fill(target["expr"], {**self.variables, **self.span.values(step)})
        if target.get("instant"):
            return self.prometheus.instant(query, self.span.end)
        start = self.span.start - self.span.start % step + step
        return self.prometheus.range(query, start, self.span.end, step)

    def named(self, panel: Mapping[str, Any]) -> list[Named]:
        """Return the answers to all queries of a panel, with their names."""
        return [
            _named(panel, target, series)
            for target in panel["targets"]
            for series in self.ask(panel, target)
        ]

    def marks(self, annotation: Mapping[str, Any]) -> list[float]:
        """Return the times at which an annotation begins."""
        step = self.span.step(200)
        query = fill(annotation["expr"], {**self.variables, **self.span.values(step)})
        answer = self.prometheus.range(query, self.span.start, self.span.end, step)
        return [at for series in answer for at in _begins(series, step)]


def seconds(duration: str) -> float:
    """Return a duration such as 5m in seconds.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"(\d+)([smhd])", duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration: write 90s, 15m, 6h or 30d")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _named(panel: Mapping[str, Any], target: Mapping[str, Any], series: Series) -> Named:
    template = target.get("legendFormat") or panel["title"]
    name = legend(template, series.labels) or panel["title"]
    return Named(name, target["refId"], series, properties(panel, name, target["refId"]))


def properties(panel: Mapping[str, Any], name: str, ref_id: str = "") -> dict[str, Any]:
    """Return what the overrides of a panel say about one series or column."""
    matches: dict[str, Callable[[str], object]] = {
        "byName": lambda option: option == name,
        "byRegexp": lambda option: re.search(option, name),
        "byFrameRefID": lambda option: option == ref_id,
    }
    return {
        each["id"]: each["value"]
        for override in panel["fieldConfig"].get("overrides") or ()
        if matches[override["matcher"]["id"]](override["matcher"]["options"])
        for each in override["properties"]
    }


def _begins(series: Series, step: float) -> list[float]:
    times = [at for at, value in series.points if value > 0]
    before = [-math.inf, *times]
    return [at for at, last in zip(times, before, strict=False) if at - last > 1.5 * step]


# --- Tables ------------------------------------------------------------------------------------

Row = dict[str, str | float]


def table(source: Source, panel: Mapping[str, Any]) -> tuple[list[str], list[Row]]:
    """Return headings and rows, after the transformations of a panel."""
    rows: list[Row] = []
    for target in panel["targets"]:
        column = "Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}"
        for series in source.ask(panel, target):
            _merge(rows, {**series.labels, column: series.last})
    headings: list[str] = []
    for transformation in panel["transformations"]:
        if transformation["id"] == "organize":
            headings, rows = _organize(rows, transformation["options"])
        elif transformation["id"] == "sortBy":
            rows = _sort(rows, transformation["options"]["sort"][0])
        elif transformation["id"] == "limit":
            rows = rows[: transformation["options"]["limitField"]]
    for order in panel["options"].get("sortBy") or ():
        rows = _sort(rows, {"field": order["displayName"], "desc": order.get("desc", False)})
    return headings, rows


def _merge(rows: list[Row], new: Row) -> None:
    """Add a row, or add to every row whose labels are the same where both have them."""
    fitting = [row for row in rows if _fits(row, new)]
    for row in fitting:
        row.update(new)
    if not fitting:
        rows.append(new)


def _fits(row: Row, new: Row) -> bool:
    shared = row.keys() & new.keys()
    return bool(shared) and all(row[name] == new[name] for name in shared)


def _organize(rows: list[Row], options: Mapping[str, Any]) -> tuple[list[str], list[Row]]:
    names: dict[str, str] = options["renameByName"]
    order = sorted(names, key=options["indexByName"].__getitem__)
    present = [name for name in order if any(name in row for row in rows)]
    named = [{names[name]: row[name] for name in present if name in row} for row in rows]
    return [names[name] for name in present], named


def _sort(rows: list[Row], order: Mapping[str, Any]) -> list[Row]:
    def key(row: Row) -> float:
        value = row.get(order["field"], math.nan)
        return -math.inf if isinstance(value, str) or math.isnan(value) else value

    return sorted(rows, key=key, reverse=order["desc"])


# --- Heat maps ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heat:
    """Counts by time and bucket, with the buckets' upper bounds."""

    times: list[float]
    bounds: list[float]
    counts: list[list[float]]
    """One list for each bucket."""


def heat(cumulative: Sequence[Series]) -> Heat:
    """Return what is in each bucket alone; Prometheus' buckets contain the smaller ones."""
    ordered = sorted(cumulative, key=lambda series: float(series.labels["le"]))
    times = sorted({at for series in ordered for at, _ in series.points})
    totals = [[dict(series.points).get(at, 0.0) for at in times] for series in ordered]
    below = [[0.0] * len(times), *totals]
    counts = [
        [max(total - lower, 0.0) for total, lower in zip(*pair, strict=True)]
        for pair in zip(totals, below, strict=False)
    ]
    return Heat(times, [float(series.labels["le"]) for series in ordered], counts)
