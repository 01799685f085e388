"""Which labels an expression can have, worked out from the metric families it names.

Raises where it names a metric, a label or a label value that the monitor does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import promql_parser as promql

from monitor.core.close_codes import REGISTERED
from monitor.core.events import Initiator, Mode, SkipReason
from monitor.core.failures import FailureReason, Phase
from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES, Family, Kind
from monitor.metrics.numbers import write_bound

Labels = frozenset[str]
NONE: Labels = frozenset()

SCRAPED = frozenset({"job", "instance"})
"""What Prometheus puts on everything that it scrapes."""

CONFIGURED = frozenset({"probe", "vantage"})
"""On each probe's series; `vantage` because our documents tell users to set it."""

FOREIGN: Mapping[str, Labels] = {
    # Prometheus' own, about each target that it scrapes and about alerts.
    "up": SCRAPED,
    "scrape_duration_seconds": SCRAPED,
    "scrape_samples_scraped": SCRAPED,
    "ALERTS": SCRAPED | CONFIGURED | {"alertname", "alertstate", "severity"},
    # prometheus_client's, about the process; the exposition has them in its registry.
    "process_start_time_seconds": SCRAPED,
    "process_resident_memory_bytes": SCRAPED,
    "process_cpu_seconds_total": SCRAPED,
    "process_open_fds": SCRAPED,
    "process_max_fds": SCRAPED,
}

VALUES: Mapping[str, frozenset[str]] = {
    "mode": frozenset(Mode),
    "phase": frozenset(Phase),
    "initiator": frozenset(Initiator),
    "reason": frozenset(SkipReason) | frozenset(FailureReason),
    "code": frozenset(map(str, REGISTERED)) | {"3xxx", "4xxx", "other"},
}
"""The labels whose values are a closed set."""


class UnknownNameError(AssertionError):
    """An expression names what does not exist."""


def _family(name: str) -> tuple[Family, str]:
    for family in PROBE_FAMILIES + MONITOR_FAMILIES:
        parts = ("_bucket", "_count", "_sum") if family.kind is Kind.HISTOGRAM else ("",)
        for part in parts:
            if name == family.name + part:
                return family, part
    raise UnknownNameError(f"no metric {name}")


def _exported(name: str) -> Labels:
    if name in FOREIGN:
        return FOREIGN[name]
    family, part = _family(name)
    own = SCRAPED | frozenset(family.labels) | ({"le"} if part == "_bucket" else NONE)
    return own | CONFIGURED if family in PROBE_FAMILIES else own


def _selector(selector: Any) -> Labels:
    labels = _exported(selector.name)
    for matcher in selector.matchers.matchers:
        if matcher.name not in labels:
            raise UnknownNameError(f"{selector.name} has no label {matcher.name}")
        _check_value(selector.name, matcher.name, matcher.value)
    return labels


def _check_value(metric: str, label: str, value: str) -> None:
    if label == "le":
        known = frozenset(map(write_bound, (*_family(metric)[0].buckets, float("inf"))))
    elif label in VALUES:
        known = VALUES[label]
    else:
        return
    # Patterns of ours are alternatives, or match everything.
    if value != ".*" and not set(value.split("|")) <= known:
        raise UnknownNameError(f"{metric}: {label} is never {value}")


KEEPING = re.compile("topk|bottomk|limitk")


def _aggregation(aggregation: Any) -> Labels:
    inner = labels_of(aggregation.expr)
    if KEEPING.search(str(aggregation.op)):
        return inner
    if aggregation.modifier is None:
        return NONE
    named = frozenset(aggregation.modifier.labels)
    if not named <= inner:
        raise UnknownNameError(f"{sorted(named - inner)} not in {aggregation.expr.prettify()}")
    by = aggregation.modifier.type == promql.AggModifierType.By
    return named if by else inner - named


def _call(call: Any) -> Labels:
    arguments = [labels_of(argument) for argument in call.args]
    inner = frozenset[str]().union(*arguments)
    if call.func.name == "histogram_quantile":
        if "le" not in inner:
            raise UnknownNameError(f"no buckets: {call.prettify()}")
        return inner - {"le"}
    return inner


def _binary(binary: Any) -> Labels:
    left, right = labels_of(binary.lhs), labels_of(binary.rhs)
    modifier = binary.modifier
    if modifier is None or modifier.matching is None:
        return left | right
    named = frozenset(modifier.matching.labels)
    if not named <= left & right:
        raise UnknownNameError(f"{sorted(named - left & right)} are not on both sides")
    cardinality = promql.VectorMatchCardinality
    if modifier.card == cardinality.OneToMany:
        return right | frozenset(modifier.group_labels or ())
    if modifier.card == cardinality.ManyToOne:
        return left | frozenset(modifier.group_labels or ())
    return named


RULES: Mapping[str, Callable[[Any], Labels]] = {
    "VectorSelector": _selector,
    "MatrixSelector": lambda matrix: _selector(matrix.vector_selector),
    "SubqueryExpr": lambda subquery: labels_of(subquery.expr),
    "ParenExpr": lambda parentheses: labels_of(parentheses.expr),
    "UnaryExpr": lambda unary: labels_of(unary.expr),
    "AggregateExpr": _aggregation,
    "Call": _call,
    "BinaryExpr": _binary,
    "NumberLiteral": lambda _: NONE,
    "StringLiteral": lambda _: NONE,
}


def labels_of(expression: Any) -> Labels:
    """Return the labels that the results of a parsed expression can have.

    Raises:
        UnknownNameError: it names a metric, a label or a value that the monitor does not have.
    """
    return RULES[type(expression).__name__](expression)


def references(template: str) -> Iterator[str]:
    """Return the labels that a legend names."""
    yield from re.findall(r"\{\{\s*(\w+)\s*\}\}", template)
