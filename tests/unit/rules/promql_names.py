"""What an expression names: metrics, labels and label values, checked against what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql

from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES
from tests.unit.grafana.promql_labels import UnknownNameError, labels_of
from tests.unit.rules.book import RECORDS

RECORDED = {record.name for record in RECORDS}

TARGET = {"job", "instance", "namespace", "pod"}
"""What Prometheus puts on what it scrapes, in the deployments that we ship."""

LABELS = (
    TARGET
    | {"probe", "vantage", "le"}
    | {label for family in PROBE_FAMILIES + MONITOR_FAMILIES for label in family.labels}
)

OTHERS = {
    "prometheus_notifications_alertmanagers_discovered",
    "prometheus_notifications_dropped_total",
    "prometheus_notifications_errors_total",
    "alertmanager_notifications_failed_total",
}
"""What Prometheus and Alertmanager export about themselves, as far as our pages ask for it."""

SELECTOR, MATRIX = "VectorSelector", "MatrixSelector"
INSIDE = {
    "SubqueryExpr": ("expr",),
    "ParenExpr": ("expr",),
    "UnaryExpr": ("expr",),
    "AggregateExpr": ("expr",),
    "BinaryExpr": ("lhs", "rhs"),
}


def nodes(expression: Any) -> Iterator[Any]:
    """Return an expression and everything in it."""
    yield expression
    kind = type(expression).__name__
    if kind == "Call":
        inner = list(expression.args)
    elif kind == MATRIX:
        inner = [expression.vector_selector]
    else:
        inner = [getattr(expression, name) for name in INSIDE.get(kind, ())]
    for part in inner:
        yield from nodes(part)


def check(query: str) -> set[str]:
    """Return the metrics that a query names.

    Raises:
        UnknownNameError: it names a metric, a label or a label value that does not exist.
    """
    named: set[str] = set()
    for node in nodes(promql.parse(query)):
        if type(node).__name__ == SELECTOR:
            named.add(node.name)
            _check_selector(node)
        for label in _grouped(node):
            if label not in LABELS:
                raise UnknownNameError(f"no label {label}")
    return named


def _check_selector(selector: Any) -> None:
    if selector.name not in RECORDED | OTHERS:
        labels_of(selector)
        return
    for matcher in selector.matchers.matchers:
        if matcher.name not in LABELS:
            raise UnknownNameError(f"{selector.name} has no label {matcher.name}")


def _grouped(node: Any) -> list[str]:
    """Return the labels that `by`, `without`, `on`, `ignoring` and `group_left` name."""
    kind = type(node).__name__
    if kind not in ("AggregateExpr", "BinaryExpr") or node.modifier is None:
        return []
    if kind == "AggregateExpr":
        return list(node.modifier.labels)
    matching = node.modifier.matching
    return [*(matching.labels if matching else ()), *(node.modifier.group_labels or ())]


def template_labels(text: str) -> set[str]:
    """Return the labels that a template asks for."""
    return set(re.findall(r"\$labels\.(\w+)", text))
